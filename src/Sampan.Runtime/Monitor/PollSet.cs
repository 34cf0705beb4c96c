using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>Something that owns descriptors of the loop.</summary>
internal interface IPollOwner
{
    /// <summary>
    /// A descriptor may be ready. Only a hint: an earlier owner of the same round may have changed the state, so every use is non-blocking.
    /// </summary>
    void OnReady(int fd, short events);
}

/// <summary>
/// What one round of the monitor's loop waits for. It is filled anew each round from the state of its owners, so that there is no
/// interest to forget; the arrays are kept, so that a round allocates nothing.
/// </summary>
internal sealed class PollSet
{
    private PollFd[] _fds = new PollFd[16];
    private IPollOwner[] _owners = new IPollOwner[16];
    private int _count;

    public void Clear() => _count = 0;

    /// <param name="events">POLLIN and POLLOUT; with none, only errors and a hang-up wake the loop.</param>
    public void Add(int fd, short events, IPollOwner owner)
    {
        if (_count == _fds.Length)
        {
            Array.Resize(ref _fds, _count * 2);
            Array.Resize(ref _owners, _count * 2);
        }

        _fds[_count] = new PollFd { Fd = fd, Events = events };
        _owners[_count++] = owner;
    }

    /// <summary>Waits, and tells the owners of what is ready; false when nothing was in this time.</summary>
    public bool Wait(int timeoutMs)
    {
        if (!Poll.Wait(_fds.AsSpan(0, _count), timeoutMs))
        {
            return false;
        }

        for (var i = 0; i < _count; i++)
        {
            if (_fds[i].Revents != 0)
            {
                _owners[i].OnReady(_fds[i].Fd, _fds[i].Revents);
            }
        }

        return true;
    }
}
