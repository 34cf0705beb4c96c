using System.IO.Pipelines;

namespace Sampan.Daemon.Hijack;

/// <summary>What Kestrel reads: the connection with <c>Upgrade</c> headers masked, and its end once a handler has taken it.</summary>
internal sealed class HijackReader(PipeReader inner) : PipeReader
{
    private readonly RequestScanner _scanner = new();
    private long _scanned;
    private System.Buffers.ReadOnlySequence<byte> _last;
    private volatile bool _taken;

    /// <summary>Hands the bytes to a handler; Kestrel sees the connection's end from now on.</summary>
    public PipeReader Take()
    {
        _taken = true;
        return inner;
    }

    /// <summary>A request is done, and the connection was not taken.</summary>
    public void RequestDone() => _scanner.Resume();

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
        _taken ? Ended : Look(await inner.ReadAsync(cancellationToken));

    public override bool TryRead(out ReadResult result)
    {
        if (_taken)
        {
            result = Ended;
            return true;
        }

        if (!inner.TryRead(out result))
        {
            return false;
        }

        result = Look(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_taken)
        {
            return;
        }

        _scanned -= _last.Slice(_last.Start, consumed).Length;
        inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead()
    {
        if (!_taken)
        {
            inner.CancelPendingRead();
        }
    }

    public override void Complete(Exception? exception = null)
    {
        if (!_taken)
        {
            inner.Complete(exception);
        }
    }

    private static ReadResult Ended => new(default, isCanceled: false, isCompleted: true);

    private ReadResult Look(ReadResult result)
    {
        _last = result.Buffer;
        _scanned = _scanner.Scan(result.Buffer, _scanned);
        return result;
    }
}
