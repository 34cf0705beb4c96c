using System.IO.Pipelines;

namespace Sampan.Daemon.Hijack;

/// <summary>What Kestrel writes to: the connection, or nothing once a handler has taken it.</summary>
internal sealed class HijackWriter(PipeWriter inner) : PipeWriter
{
    private byte[]? _void;
    private volatile bool _taken;

    public PipeWriter Take()
    {
        _taken = true;
        return inner;
    }

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => _taken ? 0 : inner.UnflushedBytes;

    public override void Advance(int bytes)
    {
        if (!_taken)
        {
            inner.Advance(bytes);
        }
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => _taken ? Void(sizeHint) : inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _taken ? Void(sizeHint) : inner.GetSpan(sizeHint);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
        _taken ? ValueTask.FromResult(default(FlushResult)) : inner.FlushAsync(cancellationToken);

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
        _taken ? ValueTask.FromResult(default(FlushResult)) : inner.WriteAsync(source, cancellationToken);

    public override void CancelPendingFlush()
    {
        if (!_taken)
        {
            inner.CancelPendingFlush();
        }
    }

    public override void Complete(Exception? exception = null)
    {
        if (!_taken)
        {
            inner.Complete(exception);
        }
    }

    private byte[] Void(int sizeHint)
    {
        if (_void is null || _void.Length < sizeHint)
        {
            _void = new byte[Math.Max(sizeHint, 4096)];
        }

        return _void;
    }
}
