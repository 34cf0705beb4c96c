using System.Security.Cryptography;

namespace Sampan.Store;

/// <summary>The content of one entry of an archive as a stream, hashed on the way when asked. For one reader at a time.</summary>
internal sealed class EntryStream(TarReader reader, byte[] start, IncrementalHash? hash) : SequentialStream
{
    private int _given;
    private readonly byte[] _start = start;

    public override bool CanRead => true;

    /// <summary>What the archive itself failed with.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Reads to the end, for the digest, what an inflater left.</summary>
    public void Drain()
    {
        var buffer = new byte[64 * 1024];
        while (Read(buffer, 0, buffer.Length) > 0)
        {
        }
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        int n;
        if (_given < _start.Length)
        {
            n = Math.Min(count, _start.Length - _given);
            _start.AsSpan(_given, n).CopyTo(buffer.AsSpan(offset));
            _given += n;
        }
        else
        {
            n = Take(buffer.AsSpan(offset, count));
        }

        hash?.AppendData(buffer, offset, n);
        return n;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // Whoever reads has a thread of its own (SyncSource), and arrays only.
        return System.Runtime.InteropServices.MemoryMarshal.TryGetArray<byte>(buffer, out var array)
            ? ValueTask.FromResult(Read(array.Array!, array.Offset, array.Count))
            : throw new NotSupportedException("only arrays");
    }

    private int Take(Span<byte> buffer)
    {
        try
        {
            var bytes = reader.TakeContent(buffer.Length);
            bytes.CopyTo(buffer);
            return bytes.Length;
        }
        catch (Exception e)
        {
            Failure = e;
            throw;
        }
    }
}
