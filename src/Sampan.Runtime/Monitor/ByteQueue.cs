namespace Sampan.Runtime;

/// <summary>Bytes on their way to a descriptor that does not take them now. Empty it has no memory.</summary>
internal sealed class ByteQueue
{
    private const int SmallestLength = 4096;

    private byte[] _bytes = [];
    private int _start;

    public int Count { get; private set; }

    /// <summary>What is to go next.</summary>
    public ReadOnlySpan<byte> Head => _bytes.AsSpan(_start, Count);

    public void Append(ReadOnlySpan<byte> data)
    {
        if (_start + Count + data.Length > _bytes.Length)
        {
            MakeRoom(Count + data.Length);
        }

        data.CopyTo(_bytes.AsSpan(_start + Count));
        Count += data.Length;
    }

    /// <summary>Takes bytes away from the head.</summary>
    public void Drop(int count)
    {
        _start += count;
        Count -= count;
        if (Count == 0)
        {
            (_bytes, _start) = ([], 0);
        }
    }

    private void MakeRoom(int wanted)
    {
        // Moving is worth it only when half is free; else the array grows, so that each byte is moved a bounded number of times.
        var bytes = wanted * 2 <= _bytes.Length ? _bytes : new byte[Math.Max(SmallestLength, wanted * 2)];
        _bytes.AsSpan(_start, Count).CopyTo(bytes);
        (_bytes, _start) = (bytes, 0);
    }
}
