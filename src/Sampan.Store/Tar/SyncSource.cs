namespace Sampan.Store;

/// <summary>
/// A source read synchronously by a thread made for it, whatever the source allows (a request's body only reads asynchronously). Gives back the
/// first bytes that were looked at, counts, and remembers whether it was the source that failed.
/// </summary>
internal sealed class SyncSource(Stream inner, IProgress<long>? progress, CancellationToken cancel) : SequentialStream
{
    private byte[] _peeked = [];
    private long _count;

    /// <summary>What the source itself failed with; null when a failure is the reader's.</summary>
    public Exception? Failure { get; private set; }

    public override bool CanRead => true;

    public override long Position
    {
        get => _count;
        set => throw new NotSupportedException();
    }

    /// <summary>The first bytes, at most <paramref name="count"/>, which will be read again.</summary>
    public byte[] Peek(int count)
    {
        var buffer = new byte[count];
        var have = 0;
        for (int n; have < count && (n = Read(buffer.AsSpan(have))) > 0;)
        {
            have += n;
        }

        _count -= have;
        _peeked = buffer[..have];
        return _peeked;
    }

    public override int Read(Span<byte> buffer)
    {
        if (_peeked.Length > 0)
        {
            var n = Math.Min(buffer.Length, _peeked.Length);
            _peeked.AsSpan(0, n).CopyTo(buffer);
            _peeked = _peeked[n..];
            _count += n;
            return n;
        }

        var array = System.Buffers.ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length, 256 * 1024));
        try
        {
            var n = Read(array, 0, Math.Min(buffer.Length, array.Length));
            array.AsSpan(0, n).CopyTo(buffer);
            return n;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(array);
        }
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_peeked.Length > 0)
        {
            return Read(buffer.AsSpan(offset, count));
        }

        try
        {
            cancel.ThrowIfCancellationRequested();
            var pending = inner.ReadAsync(buffer.AsMemory(offset, count), cancel);
            var n = pending.IsCompletedSuccessfully ? pending.Result : pending.AsTask().GetAwaiter().GetResult();
            _count += n;
            progress?.Report(_count);
            return n;
        }
        catch (Exception e)
        {
            Failure = e;
            throw;
        }
    }
}
