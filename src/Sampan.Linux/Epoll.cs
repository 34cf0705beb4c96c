using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>epoll(7), level-triggered: a set of descriptors to wait for, at the same cost whether it has ten or ten thousand.</summary>
public sealed unsafe partial class Epoll : IDisposable
{
    public const uint EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 16;

    private const int EPOLL_CLOEXEC = 0x80000, EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3, Batch = 128;

    /// <summary>struct epoll_event is packed on x86-64 and nowhere else.</summary>
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8, EventSize = DataOffset + 8;

    private readonly int _epoll;
    private readonly byte[] _events = new byte[Batch * EventSize];
    private int _count;

    public Epoll()
    {
        _epoll = epoll_create1(EPOLL_CLOEXEC);
        if (_epoll < 0)
        {
            throw new SyscallException("epoll_create1", "", Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int fd, byte* ev);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(int epoll, byte* events, int limit, int timeoutMs);

    /// <summary>Waits for EPOLLIN and the like on a descriptor; closing the last copy of it ends that.</summary>
    public void Add(int fd, uint events) => Control(EPOLL_CTL_ADD, fd, events);

    public void Change(int fd, uint events) => Control(EPOLL_CTL_MOD, fd, events);

    public void Remove(int fd) => Control(EPOLL_CTL_DEL, fd, 0);

    /// <summary>Waits; how many descriptors are ready (see <see cref="this[int]"/>), 0 when the time is over first or a signal came.</summary>
    /// <param name="timeoutMs">-1 waits without end.</param>
    public int Wait(int timeoutMs)
    {
        fixed (byte* p = _events)
        {
            _count = epoll_wait(_epoll, p, Batch, timeoutMs);
        }

        if (_count < 0)
        {
            _count = Marshal.GetLastPInvokeError() is var errno and not Errno.EINTR ? throw new SyscallException("epoll_wait", "", errno) : 0;
        }

        return _count;
    }

    /// <summary>A descriptor that was ready in the last wait, and for what.</summary>
    public (int Fd, uint Events) this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)_count);
            var at = _events.AsSpan(index * EventSize, EventSize);
            return (BinaryPrimitives.ReadInt32LittleEndian(at[DataOffset..]), BinaryPrimitives.ReadUInt32LittleEndian(at));
        }
    }

    public void Dispose() => Raw.Close(_epoll);

    private void Control(int operation, int fd, uint events)
    {
        var ev = stackalloc byte[16];
        *(uint*)ev = events;
        *(long*)(ev + DataOffset) = fd;
        if (epoll_ctl(_epoll, operation, fd, ev) < 0)
        {
            throw new SyscallException("epoll_ctl", $"{fd} (operation {operation})", Marshal.GetLastPInvokeError());
        }
    }
}
