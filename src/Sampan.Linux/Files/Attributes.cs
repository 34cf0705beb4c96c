using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>fchownat(2), fchmod(2), utimensat(2): owner, permissions and times.</summary>
public static unsafe partial class Sys
{
    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    private static partial int NativeFchownAt(int dirFd, byte* path, uint uid, uint gid, int flags);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int NativeFchown(int fd, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    private static partial int NativeFchmod(int fd, uint mode);

    [LibraryImport("libc", EntryPoint = "fchmodat", SetLastError = true)]
    private static partial int NativeFchmodAt(int dirFd, byte* path, uint mode, int flags);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    private static partial int NativeUtimensAt(int dirFd, byte* path, long* times, int flags);

    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    private static partial int NativeFutimens(int fd, long* times);

    /// <summary>fchownat(2) of a name, symlinks not followed.</summary>
    public static void ChownAt(int dirFd, ReadOnlySpan<byte> path, uint uid, uint gid)
    {
        var buffer = stackalloc byte[PATH_MAX];
        if (!Terminate(path, buffer, out var errno) || NativeFchownAt(dirFd, buffer, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
        {
            throw new SyscallException("fchownat", $"{At(dirFd, path)} to {uid}:{gid}", errno != 0 ? errno : LastErrno);
        }
    }

    /// <summary>fchown(2).</summary>
    public static void Chown(int fd, uint uid, uint gid)
    {
        if (NativeFchown(fd, uid, gid) != 0)
        {
            throw new SyscallException("fchown", $"descriptor {fd} to {uid}:{gid}", LastErrno);
        }
    }

    /// <summary>fchmod(2). After a chown, which takes away set-user-ID.</summary>
    public static void Chmod(int fd, uint mode)
    {
        if (NativeFchmod(fd, mode) != 0)
        {
            throw new SyscallException("fchmod", $"descriptor {fd} to {Convert.ToString(mode, 8)}", LastErrno);
        }
    }

    /// <summary>fchmodat(2). Follows a symlink: only for names known not to be one.</summary>
    public static void ChmodAt(int dirFd, ReadOnlySpan<byte> path, uint mode)
    {
        var buffer = stackalloc byte[PATH_MAX];
        if (!Terminate(path, buffer, out var errno) || NativeFchmodAt(dirFd, buffer, mode, 0) != 0)
        {
            throw new SyscallException("fchmodat", $"{At(dirFd, path)} to {Convert.ToString(mode, 8)}", errno != 0 ? errno : LastErrno);
        }
    }

    /// <summary>utimensat(2): the time of last change, and the same as time of last access; symlinks not followed.</summary>
    public static void SetTimesAt(int dirFd, ReadOnlySpan<byte> path, FileTime time)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var times = stackalloc long[4] { time.Seconds, time.Nanoseconds, time.Seconds, time.Nanoseconds };
        if (!Terminate(path, buffer, out var errno) || NativeUtimensAt(dirFd, buffer, times, AT_SYMLINK_NOFOLLOW) != 0)
        {
            throw new SyscallException("utimensat", At(dirFd, path), errno != 0 ? errno : LastErrno);
        }
    }

    /// <summary>futimens(3): the time of last change of an open file, and the same as time of last access.</summary>
    public static void SetTimes(int fd, FileTime time)
    {
        var times = stackalloc long[4] { time.Seconds, time.Nanoseconds, time.Seconds, time.Nanoseconds };
        if (NativeFutimens(fd, times) != 0)
        {
            throw new SyscallException("futimens", $"descriptor {fd}", LastErrno);
        }
    }
}
