using Sampan.Linux;

namespace Sampan.Network.Names;

/// <summary>Something with a descriptor in the loop.</summary>
internal abstract class Source(int fd)
{
    public int Fd { get; private set; } = fd;

    public bool IsClosed => Fd < 0;

    /// <summary>The descriptor may be ready; only a hint, every use is non-blocking.</summary>
    public abstract void Ready(uint events);

    /// <summary>Called by the loop, which forgets the descriptor first.</summary>
    public virtual void Close()
    {
        if (Fd >= 0)
        {
            Raw.Close(Fd);
            Fd = -1;
        }
    }
}

/// <summary>The resolver's one thread: waits for descriptors and tells their sources.</summary>
internal sealed class ResolverLoop : IDisposable
{
    private readonly Epoll _epoll = new();
    private Source?[] _sources = new Source?[64];

    /// <summary>Milliseconds of a clock that never goes back, as of the last wait.</summary>
    public long Now { get; private set; } = Environment.TickCount64;

    /// <summary>Connections from containers that are open, and so may grow idle.</summary>
    public int Connections { get; set; }

    /// <summary>Waits for a source to be ready to read (and, or only, to write).</summary>
    public void Add(Source source, uint events = Epoll.EPOLLIN)
    {
        if (source.Fd >= _sources.Length)
        {
            Array.Resize(ref _sources, Math.Max(source.Fd + 1, _sources.Length * 2));
        }

        _epoll.Add(source.Fd, events);
        _sources[source.Fd] = source;
    }

    public void Change(Source source, uint events) => _epoll.Change(source.Fd, events);

    /// <summary>Forgets a source and closes it; once more does nothing.</summary>
    public void Close(Source source)
    {
        if (source.IsClosed)
        {
            return;
        }

        if (source.Fd < _sources.Length && _sources[source.Fd] == source)
        {
            // Whoever sent us the descriptor may still have it, and it would stay in the set.
            _epoll.Remove(source.Fd);
            _sources[source.Fd] = null;
        }

        source.Close();
    }

    /// <summary>One wait, and its sources' turns.</summary>
    /// <param name="timeoutMs">-1 waits without end.</param>
    public void Turn(int timeoutMs)
    {
        var count = _epoll.Wait(timeoutMs);
        Now = Environment.TickCount64;
        for (var i = 0; i < count; i++)
        {
            var (fd, events) = _epoll[i];
            _sources[fd]?.Ready(events);
        }
    }

    public void Dispose() => _epoll.Dispose();
}
