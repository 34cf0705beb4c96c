namespace Sampan.Linux;

/// <summary>Calls on files that a forked child makes; the conventions are those of <see cref="Raw"/>.</summary>
public static unsafe partial class Raw
{
    public const uint S_IFMT = 0xF000, S_IFCHR = 0x2000, S_IFDIR = 0x4000, S_IFBLK = 0x6000, S_IFIFO = 0x1000, S_IFLNK = 0xA000;

    private static readonly CString NoPath = CString.Of("");

    /// <summary>Type and mode of what a descriptor (also O_PATH) refers to, and the numbers of a device (statx(2), AT_EMPTY_PATH).</summary>
    public static int Stat(int fd, out uint mode, out uint major, out uint minor)
    {
        var buffer = stackalloc byte[256];
        var result = Kept(Call(Arm ? 291 : 332, fd, P(NoPath), AT_EMPTY_PATH, 3, (nint)buffer), NoPath);
        mode = *(ushort*)(buffer + 28);
        major = *(uint*)(buffer + 128);
        minor = *(uint*)(buffer + 132);
        return result;
    }

    /// <summary>
    /// 0 when the working directory is below the root, else a negated errno: the kernel gives a path that does not begin with a slash for
    /// a directory outside of it (getcwd(2)), as when a leaked descriptor was entered by /proc/self/fd.
    /// </summary>
    public static int CheckCwd()
    {
        var buffer = stackalloc byte[4096];
        var result = (int)Call(Arm ? 17 : 79, (nint)buffer, 4096);
        return result < 0 ? result : buffer[0] == (byte)'/' ? 0 : -Errno.ENOENT;
    }

    /// <summary>Waits until a descriptor can be read or its other end is closed: 1, 0 when the time is over, or a negated errno.</summary>
    public static int PollRead(int fd, int timeoutMs)
    {
        var poll = stackalloc int[2] { fd, 1 };
        var time = stackalloc long[2] { timeoutMs / 1000, timeoutMs % 1000 * 1_000_000L };
        return (int)Call(Arm ? 73 : 271, (nint)poll, 1, (nint)time, 0, 8);
    }

    /// <summary>Closes every descriptor from 3 on but three.</summary>
    public static void CloseAllBut(int a, int b, int c)
    {
        var from = 3;
        while (true)
        {
            var next = int.MaxValue;
            next = a >= from && a < next ? a : next;
            next = b >= from && b < next ? b : next;
            next = c >= from && c < next ? c : next;
            if (next == int.MaxValue)
            {
                CloseRange((uint)from, onExec: false);
                return;
            }

            if (next > from)
            {
                Call(436, from, next - 1, 0);
            }

            from = next + 1;
        }
    }

    /// <summary>The result's length; the bytes are not terminated.</summary>
    internal static int Readlinkat(int dirfd, byte* path, byte* buffer, int size) => (int)Call(Arm ? 78 : 267, dirfd, (nint)path, (nint)buffer, size);

    internal static int Openat2(int dirfd, byte* path, int flags, uint mode, ulong resolve)
    {
        var how = stackalloc ulong[3] { (ulong)(uint)flags, mode, resolve };
        int result;
        var tries = 0;
        do
        {
            // EAGAIN: something was renamed or mounted while ".." was resolved, so the kernel could not be sure (openat2(2)).
            result = (int)Call(437, dirfd, (nint)path, (nint)how, 24);
        }
        while (result == -Errno.EAGAIN && ++tries < 32);
        return result;
    }

    internal static int Mkdirat(int dirfd, byte* path, uint mode) => (int)Call(Arm ? 34 : 258, dirfd, (nint)path, (nint)mode);
}
