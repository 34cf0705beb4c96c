using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>Sockets of unix(7) as plain descriptors; all close on exec. Streams, or packets (SOCK_SEQPACKET) where that is said.</summary>
public static unsafe partial class UnixSocket
{
    private const int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_SEQPACKET = 5, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000,
        SOL_SOCKET = 1, SO_TYPE = 3, SO_PEERCRED = 17, Backlog = 128;

    private const nuint SIOCOUTQ = 0x5411;

    /// <summary>sun_path, its NUL included.</summary>
    private const int PathLength = 108;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socketpair(int domain, int type, int protocol, int* fds);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int fd, byte* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int fd, byte* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(int fd, void* address, void* length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(int fd, byte* data, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, int* value);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(int fd, int level, int option, int* value, int* length);

    /// <summary>Two connected sockets.</summary>
    public static (int, int) Pair(bool packets = false)
    {
        var fds = stackalloc int[2];
        return socketpair(AF_UNIX, (packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0, fds) == 0
            ? (fds[0], fds[1])
            : throw new SyscallException("socketpair", "", Marshal.GetLastPInvokeError());
    }

    /// <summary>
    /// A non-blocking listening socket; what was at the path is removed. The path may be longer than sun_path's 108 bytes: the socket is
    /// bound through its directory's descriptor.
    /// </summary>
    public static int Listen(string path, bool packets = false)
    {
        FileDescriptor.Unlink(path);
        var directory = FileDescriptor.OpenDirectory(Path.GetDirectoryName(path)!);
        var fd = -1;
        try
        {
            var address = stackalloc byte[2 + PathLength];
            Address(address, $"/proc/self/fd/{directory}/{Path.GetFileName(path)}");
            fd = socket(AF_UNIX, (packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            if (fd < 0 || bind(fd, address, 2 + PathLength) < 0 || listen(fd, Backlog) < 0)
            {
                var errno = Marshal.GetLastPInvokeError();
                Raw.Close(fd);
                throw new SyscallException("bind", $"'{path}'", errno);
            }

            return fd;
        }
        finally
        {
            Raw.Close(directory);
        }
    }

    /// <summary>A blocking connection to the socket at the path, which may be longer than sun_path; a negated errno on failure.</summary>
    internal static int Connect(string path, bool packets = false)
    {
        var directory = Bytes.FromText(path).Length < PathLength ? -1 : FileDescriptor.OpenDirectory(Path.GetDirectoryName(path)!);
        var address = stackalloc byte[2 + PathLength];
        Address(address, directory < 0 ? path : $"/proc/self/fd/{directory}/{Path.GetFileName(path)}");
        var fd = socket(AF_UNIX, (packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0);
        var errno = fd >= 0 && connect(fd, address, 2 + PathLength) == 0 ? 0 : Marshal.GetLastPInvokeError();
        Raw.Close(directory);
        if (errno == 0) return fd;
        Raw.Close(fd);
        return -errno;
    }

    private static void Address(byte* address, string path)
    {
        new Span<byte>(address, 2 + PathLength).Clear();
        *(ushort*)address = AF_UNIX;
        Bytes.FromText(path).CopyTo(new Span<byte>(address + 2, PathLength - 1));
    }

    /// <summary>The next waiting connection, non-blocking; negated errno when there is none or it failed.</summary>
    public static int Accept(int listener)
    {
        while (true)
        {
            var fd = accept4(listener, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd >= 0)
            {
                return fd;
            }

            var errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
            {
                return -errno;
            }
        }
    }

    /// <summary>Sends what fits without waiting and without SIGPIPE; the number of bytes, or a negated errno.</summary>
    public static int Send(int fd, ReadOnlySpan<byte> data)
    {
        fixed (byte* p = data)
        {
            while (true)
            {
                var sent = send(fd, p, data.Length, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent >= 0)
                {
                    return (int)sent;
                }

                var errno = Marshal.GetLastPInvokeError();
                if (errno != Errno.EINTR)
                {
                    return -errno;
                }
            }
        }
    }

    /// <summary>
    /// The process that connected the other end (SO_PEERCRED of unix(7)), as our namespace numbers it; 0 when it cannot be seen from here
    /// or the socket is of another family.
    /// </summary>
    public static int PeerPid(int fd)
    {
        var credentials = stackalloc int[3] { 0, 0, 0 }; // struct ucred: pid, uid, gid
        var length = 3 * sizeof(int);
        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, &length) == 0 ? credentials[0] : 0;
    }

    /// <summary>
    /// Whether the other end has not yet read all that was sent (SIOCOUTQ; for these sockets it counts what lies in the receiver's queue).
    /// False when the socket is broken.
    /// </summary>
    public static bool HasUnread(int fd)
    {
        var unread = 0;
        return ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0;
    }

    /// <summary>True for a stream socket.</summary>
    public static bool IsStream(int fd) => TypeOf(fd) == SOCK_STREAM;

    /// <summary>True for a socket of packets.</summary>
    public static bool IsPackets(int fd) => TypeOf(fd) == SOCK_SEQPACKET;

    private static int TypeOf(int fd)
    {
        int type = 0, length = sizeof(int);
        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 ? type : 0;
    }
}
