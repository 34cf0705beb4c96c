using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>One descriptor to wait for (struct pollfd of poll(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PollFd
{
    public int Fd;

    public short Events;

    public short Revents;
}

/// <summary>poll(2), fcntl(2) and AF_UNIX sockets for a process with an event loop of its own.</summary>
public static unsafe partial class Descriptors
{
    public const short POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16;

    private const int F_SETFL = 4, F_GETFL = 3, AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000, SOCK_NONBLOCK = 0x800;

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int PollNative(PollFd* fds, nuint count, int timeoutMs);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(int fd, int command, int argument);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(int fd, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    private static partial int ListenNative(int fd, int backlog);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int Accept4(int fd, nint address, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "shutdown", SetLastError = true)]
    private static partial int ShutdownNative(int fd, int how);

    /// <summary>Waits for events; false when the time is over first. An interrupted wait counts as no event.</summary>
    public static bool Poll(Span<PollFd> fds, int timeoutMs)
    {
        fixed (PollFd* p = fds)
        {
            return PollNative(p, (nuint)fds.Length, timeoutMs) > 0;
        }
    }

    public static void SetNonBlocking(int fd)
    {
        if (Fcntl(fd, F_SETFL, Fcntl(fd, F_GETFL, 0) | Raw.O_NONBLOCK) < 0)
        {
            throw new SyscallException("fcntl", $"F_SETFL O_NONBLOCK on {fd}", Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>A listening socket at a path, reached through its directory's descriptor so that the path may be longer than sun_path's 108 bytes.</summary>
    public static int ListenUnix(string path)
    {
        var directory = Raw.Openat2(Raw.AT_FDCWD, CString.Of(Path.GetDirectoryName(path)), Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, 0);
        if (directory < 0)
        {
            throw new SyscallException("open", $"'{Path.GetDirectoryName(path)}'", -directory);
        }

        var name = Bytes.FromText($"/proc/self/fd/{directory}/{Path.GetFileName(path)}");
        var address = stackalloc byte[110];
        new Span<byte>(address, 110).Clear();
        *(ushort*)address = AF_UNIX;
        name.CopyTo(new Span<byte>(address + 2, 107));
        var fd = Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || Bind(fd, address, 110) < 0 || ListenNative(fd, 64) < 0)
        {
            throw new SyscallException("bind", $"'{path}'", Marshal.GetLastPInvokeError());
        }

        Raw.Close(directory);
        return fd;
    }

    /// <summary>The next connection, non-blocking; negative when there is none.</summary>
    public static int Accept(int fd) => Accept4(fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);

    /// <summary>No more will be written.</summary>
    public static void ShutdownWrite(int fd) => ShutdownNative(fd, 1);
}
