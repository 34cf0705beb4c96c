using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>mkdirat(2), mknodat(2), symlinkat(2), readlinkat(2), linkat(2), unlinkat(2), renameat2(2): names in directories.</summary>
public static unsafe partial class Sys
{
    public const uint RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2;

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    private static partial int NativeMkdirAt(int dirFd, byte* path, uint mode);

    [LibraryImport("libc", EntryPoint = "mknodat", SetLastError = true)]
    private static partial int NativeMknodAt(int dirFd, byte* path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    private static partial int NativeSymlinkAt(byte* target, int dirFd, byte* path);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    private static partial nint NativeReadlinkAt(int dirFd, byte* path, byte* buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    private static partial int NativeLinkAt(int fromDirFd, byte* from, int toDirFd, byte* to, int flags);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    private static partial int NativeUnlinkAt(int dirFd, byte* path, int flags);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true)]
    private static partial int NativeRenameAt2(int fromDirFd, byte* from, int toDirFd, byte* to, uint flags);

    /// <summary>mkdirat(2); the umask applies.</summary>
    public static int TryMkdirAt(int dirFd, ReadOnlySpan<byte> path, uint mode)
    {
        var buffer = stackalloc byte[PATH_MAX];
        return !Terminate(path, buffer, out var errno) ? errno : NativeMkdirAt(dirFd, buffer, mode) == 0 ? 0 : LastErrno;
    }

    /// <summary>mknodat(2): a device (with its numbers), FIFO or socket.</summary>
    public static int TryMknodAt(int dirFd, ReadOnlySpan<byte> path, uint mode, uint major, uint minor)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var device = ((ulong)(major & 0xFFFFF000) << 32) | ((ulong)(major & 0xFFF) << 8) | ((ulong)(minor & 0xFFFFFF00) << 12) | (minor & 0xFF);
        return !Terminate(path, buffer, out var errno) ? errno : NativeMknodAt(dirFd, buffer, mode, device) == 0 ? 0 : LastErrno;
    }

    /// <summary>symlinkat(2).</summary>
    public static int TrySymlinkAt(ReadOnlySpan<byte> target, int dirFd, ReadOnlySpan<byte> path)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var targetBuffer = stackalloc byte[PATH_MAX];
        return !Terminate(path, buffer, out var errno) || !Terminate(target, targetBuffer, out errno) ? errno
            : NativeSymlinkAt(targetBuffer, dirFd, buffer) == 0 ? 0 : LastErrno;
    }

    /// <summary>readlinkat(2).</summary>
    public static byte[] ReadlinkAt(int dirFd, ReadOnlySpan<byte> path)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var result = stackalloc byte[PATH_MAX];
        var n = Terminate(path, buffer, out var errno) ? NativeReadlinkAt(dirFd, buffer, result, PATH_MAX) : -1;
        return n >= 0 ? new ReadOnlySpan<byte>(result, (int)n).ToArray()
            : throw new SyscallException("readlinkat", At(dirFd, path), errno != 0 ? errno : LastErrno);
    }

    /// <summary>linkat(2): another name for a file; a symlink itself is linked, not what it names.</summary>
    public static int TryLinkAt(int fromDirFd, ReadOnlySpan<byte> from, int toDirFd, ReadOnlySpan<byte> to)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var toBuffer = stackalloc byte[PATH_MAX];
        return !Terminate(from, buffer, out var errno) || !Terminate(to, toBuffer, out errno) ? errno
            : NativeLinkAt(fromDirFd, buffer, toDirFd, toBuffer, 0) == 0 ? 0 : LastErrno;
    }

    /// <summary>unlinkat(2); with AT_REMOVEDIR an empty directory.</summary>
    public static int TryUnlinkAt(int dirFd, ReadOnlySpan<byte> path, int flags = 0)
    {
        var buffer = stackalloc byte[PATH_MAX];
        return !Terminate(path, buffer, out var errno) ? errno : NativeUnlinkAt(dirFd, buffer, flags) == 0 ? 0 : LastErrno;
    }

    /// <summary>renameat2(2).</summary>
    public static int TryRenameAt(int fromDirFd, ReadOnlySpan<byte> from, int toDirFd, ReadOnlySpan<byte> to, uint flags = 0)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var toBuffer = stackalloc byte[PATH_MAX];
        return !Terminate(from, buffer, out var errno) || !Terminate(to, toBuffer, out errno) ? errno
            : NativeRenameAt2(fromDirFd, buffer, toDirFd, toBuffer, flags) == 0 ? 0 : LastErrno;
    }

    /// <summary>rename(2).</summary>
    public static void Rename(string from, string to)
    {
        var errno = TryRenameAt(AT_FDCWD, Bytes.FromText(from), AT_FDCWD, Bytes.FromText(to));
        if (errno != 0)
        {
            throw new SyscallException("rename", $"'{from}' to '{to}'", errno);
        }
    }
}
