using System.IO.Pipelines;

namespace Sampan.Daemon.Hijack;

/// <summary>What Kestrel reads: the connection with <c>Upgrade</c> headers masked, and its end once a handler has taken it.</summary>
internal sealed class HijackReader(PipeReader inner) : PipeReader
{
    private readonly RequestScanner _scanner = new();
    private long _scanned;

    /// <summary>The number of bytes left in the pipe that Kestrel has looked at, all of them; -1 when it has not looked at some.</summary>
    private long _seen;
    private System.Buffers.ReadOnlySequence<byte> _last;
    private volatile bool _taken;

    /// <summary>Hands the bytes to a handler; Kestrel sees the connection's end from now on.</summary>
    public PipeReader Take()
    {
        _taken = true;
        return inner;
    }

    /// <summary>True while a request that asked for an upgrade is handled.</summary>
    public bool WantsUpgrade => _scanner.IsPaused;

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
        _seen = _last.Slice(examined).IsEmpty ? _last.Slice(consumed).Length : -1;
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

        // Kestrel gives up a request when it learns of the input's end while reading a body, even a whole one. So the end is
        // shown only when there is nothing before it that Kestrel has not looked at.
        return result.IsCompleted && result.Buffer.Length != _seen
            ? new ReadResult(result.Buffer, result.IsCanceled, isCompleted: false)
            : result;
    }
}
