namespace Sampan.Daemon.Http;

/// <summary>
/// Gives the memory of past requests back to the kernel once the daemon has had nothing to do for a while. A collection costs some
/// milliseconds, so it waits for a pause that a script of commands does not make, and none is run for what little a ping leaves behind.
/// </summary>
internal sealed class IdleTrim : IDisposable
{
    /// <summary>Milliseconds without a request.</summary>
    private const int PauseMs = 1000;

    /// <summary>Bytes allocated since the last time, below which nothing is gained.</summary>
    private const long Worthwhile = 1 << 20;

    private readonly Timer _timer;
    private int _running;
    private long _allocated;

    public IdleTrim()
    {
        _timer = new Timer(_ => Trim());
        _timer.Change(PauseMs, Timeout.Infinite);
    }

    public void RequestStarts() => Interlocked.Increment(ref _running);

    public void RequestEnds()
    {
        if (Interlocked.Decrement(ref _running) == 0)
        {
            _timer.Change(PauseMs, Timeout.Infinite);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Trim()
    {
        var allocated = GC.GetTotalAllocatedBytes();
        if (Volatile.Read(ref _running) == 0 && allocated - _allocated > Worthwhile)
        {
            _allocated = allocated;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }
    }
}
