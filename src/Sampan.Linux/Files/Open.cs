using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>open(2), openat2(2), close(2). A method named Try… gives 0 or an errno; the others throw <see cref="SyscallException"/>.</summary>
public static unsafe partial class Sys
{
    public const int O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0x40, O_EXCL = 0x80, O_TRUNC = 0x200, O_NONBLOCK = 0x800,
        O_CLOEXEC = 0x80000, O_PATH = 0x200000, O_NOATIME = 0x40000;

    // These two have other values on arm64 (arch/arm64/include/uapi/asm/fcntl.h).
    public static readonly int O_DIRECTORY = IsArm ? 0x4000 : 0x10000;
    public static readonly int O_NOFOLLOW = IsArm ? 0x8000 : 0x20000;

    /// <summary>openat2(2): how a path may be resolved (linux/openat2.h).</summary>
    public const ulong RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16;

    private const nint NR_openat2 = 437;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int NativeOpenAt(int dirFd, byte* path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint NativeOpenAt2(nint number, nint dirFd, byte* path, ulong* how, nint size);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int NativeClose(int fd);

    /// <summary>openat(2); O_CLOEXEC is always added.</summary>
    public static int TryOpenAt(int dirFd, ReadOnlySpan<byte> path, int flags, uint mode, out int fd)
    {
        var buffer = stackalloc byte[PATH_MAX];
        fd = -1;
        if (!Terminate(path, buffer, out var errno))
        {
            return errno;
        }

        do
        {
            fd = NativeOpenAt(dirFd, buffer, flags | O_CLOEXEC, mode);
            errno = fd < 0 ? LastErrno : 0;
        }
        while (errno == Errno.EINTR);
        return errno;
    }

    /// <summary>openat2(2); O_CLOEXEC is always added.</summary>
    public static int TryOpenAt2(int dirFd, ReadOnlySpan<byte> path, int flags, uint mode, ulong resolve, out int fd)
    {
        var buffer = stackalloc byte[PATH_MAX];
        fd = -1;
        if (!Terminate(path, buffer, out var errno))
        {
            return errno;
        }

        var how = stackalloc ulong[3];
        how[0] = (uint)(flags | O_CLOEXEC);
        how[1] = (flags & O_CREAT) != 0 ? mode : 0;
        how[2] = resolve;
        do
        {
            // EAGAIN: a rename elsewhere raced with the resolution; the kernel asks for another try.
            fd = (int)NativeOpenAt2(NR_openat2, dirFd, buffer, how, 24);
            errno = fd < 0 ? LastErrno : 0;
        }
        while (errno is Errno.EINTR or Errno.EAGAIN);
        return errno;
    }

    /// <summary>openat(2).</summary>
    public static int OpenAt(int dirFd, ReadOnlySpan<byte> path, int flags, uint mode = 0)
    {
        var errno = TryOpenAt(dirFd, path, flags, mode, out var fd);
        return errno == 0 ? fd : throw new SyscallException("openat", At(dirFd, path), errno);
    }

    /// <summary>open(2).</summary>
    public static int Open(string path, int flags, uint mode = 0)
    {
        var errno = TryOpenAt(AT_FDCWD, Bytes.FromText(path), flags, mode, out var fd);
        return errno == 0 ? fd : throw new SyscallException("open", $"'{path}'", errno);
    }

    /// <summary>close(2). Errors are of no use to anyone who did not fsync before, so there are none; -1 is ignored.</summary>
    public static void Close(int fd)
    {
        if (fd >= 0)
        {
            _ = NativeClose(fd);
        }
    }
}
