using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>epoll(7), level-triggered.</summary>
public static unsafe partial class Epoll
{
    public const uint EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 0x10;

    private const int EPOLL_CLOEXEC = 0x80000, EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;

    /// <summary>struct epoll_event is packed on x86-64 and only there.</summary>
    private static bool Packed => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    private static int EventLength => Packed ? 12 : 16;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int fd, byte* e);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(int epoll, byte* events, int count, int timeoutMilliseconds);

    public static int Create()
    {
        var fd = epoll_create1(EPOLL_CLOEXEC);
        return fd >= 0 ? fd : throw new SyscallException("epoll_create1", "", Marshal.GetLastPInvokeError());
    }

    public static void Add(int epoll, int fd, uint events) => Control(epoll, EPOLL_CTL_ADD, fd, events);

    public static void Modify(int epoll, int fd, uint events) => Control(epoll, EPOLL_CTL_MOD, fd, events);

    public static void Remove(int epoll, int fd) => Control(epoll, EPOLL_CTL_DEL, fd, 0);

    /// <summary>Waits for events; how many there are, 0 when the time passed or a signal came.</summary>
    /// <param name="timeoutMilliseconds">-1 waits without end.</param>
    public static int Wait(int epoll, Span<(int Fd, uint Events)> events, int timeoutMilliseconds)
    {
        var length = EventLength;
        var buffer = stackalloc byte[length * events.Length];
        var count = epoll_wait(epoll, buffer, events.Length, timeoutMilliseconds);
        if (count < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            return errno == Errno.EINTR ? 0 : throw new SyscallException("epoll_wait", "", errno);
        }

        for (var i = 0; i < count; i++)
        {
            var e = buffer + i * length;
            events[i] = (*(int*)(e + length - 8), *(uint*)e);
        }

        return count;
    }

    private static void Control(int epoll, int operation, int fd, uint events)
    {
        var e = stackalloc byte[16];
        *(uint*)e = events;
        *(long*)(e + EventLength - 8) = fd;
        if (epoll_ctl(epoll, operation, fd, e) < 0)
        {
            throw new SyscallException("epoll_ctl", $"{fd}", Marshal.GetLastPInvokeError());
        }
    }
}
