using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>xattr(7): extended attributes by descriptor, and by name without following a symlink.</summary>
public static unsafe partial class Sys
{
    private const int XATTR_LIST_MAX = 65536;

    [LibraryImport("libc", EntryPoint = "fsetxattr", SetLastError = true)]
    private static partial int NativeFsetxattr(int fd, byte* name, byte* value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "lsetxattr", SetLastError = true)]
    private static partial int NativeLsetxattr(byte* path, byte* name, byte* value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "llistxattr", SetLastError = true)]
    private static partial nint NativeLlistxattr(byte* path, byte* list, nuint size);

    [LibraryImport("libc", EntryPoint = "lgetxattr", SetLastError = true)]
    private static partial nint NativeLgetxattr(byte* path, byte* name, byte* value, nuint size);

    [LibraryImport("libc", EntryPoint = "flistxattr", SetLastError = true)]
    private static partial nint NativeFlistxattr(int fd, byte* list, nuint size);

    [LibraryImport("libc", EntryPoint = "fgetxattr", SetLastError = true)]
    private static partial nint NativeFgetxattr(int fd, byte* name, byte* value, nuint size);

    [LibraryImport("libc", EntryPoint = "fremovexattr", SetLastError = true)]
    private static partial int NativeFremovexattr(int fd, byte* name);

    /// <summary>fsetxattr(2).</summary>
    public static int TrySetXattr(int fd, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var buffer = stackalloc byte[PATH_MAX];
        if (!Terminate(name, buffer, out var errno))
        {
            return errno;
        }

        fixed (byte* p = value)
        {
            return NativeFsetxattr(fd, buffer, p, (nuint)value.Length, 0) == 0 ? 0 : LastErrno;
        }
    }

    /// <summary>lsetxattr(2) of a name in an open directory (by way of /proc/self/fd, as no setxattrat exists before Linux 6.13).</summary>
    public static int TrySetXattrAt(int dirFd, ReadOnlySpan<byte> path, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var nameBuffer = stackalloc byte[PATH_MAX];
        var pathBuffer = stackalloc byte[PATH_MAX];
        if (!Terminate(name, nameBuffer, out var errno) || !TerminateAt(dirFd, path, pathBuffer, out errno))
        {
            return errno;
        }

        fixed (byte* p = value)
        {
            return NativeLsetxattr(pathBuffer, nameBuffer, p, (nuint)value.Length, 0) == 0 ? 0 : LastErrno;
        }
    }

    /// <summary>fremovexattr(2).</summary>
    public static int TryRemoveXattr(int fd, ReadOnlySpan<byte> name)
    {
        var buffer = stackalloc byte[PATH_MAX];
        return !Terminate(name, buffer, out var errno) ? errno : NativeFremovexattr(fd, buffer) == 0 ? 0 : LastErrno;
    }

    /// <summary>flistxattr(2) of an open file: names as the kernel gives them, each ended by a NUL; empty where there are none.</summary>
    public static ReadOnlySpan<byte> ListXattr(int fd)
    {
        var n = NativeFlistxattr(fd, null, 0);
        return n <= 0 ? [] : ListXattr(fd, null, (int)n);
    }

    /// <summary>llistxattr(2) of a name in an open directory.</summary>
    [SkipLocalsInit]
    public static ReadOnlySpan<byte> ListXattrAt(int dirFd, ReadOnlySpan<byte> path)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var n = TerminateAt(dirFd, path, buffer, out _) ? NativeLlistxattr(buffer, null, 0) : 0;
        return n <= 0 ? [] : ListXattr(-1, buffer, (int)n);
    }

    /// <summary>fgetxattr(2) of an open file; null when it has none of that name.</summary>
    public static byte[]? GetXattr(int fd, ReadOnlySpan<byte> name)
    {
        var buffer = stackalloc byte[PATH_MAX];
        return Terminate(name, buffer, out _) ? GetXattr(fd, null, buffer) : null;
    }

    /// <summary>lgetxattr(2) of a name in an open directory; null when it has none of that name.</summary>
    public static byte[]? GetXattrAt(int dirFd, ReadOnlySpan<byte> path, ReadOnlySpan<byte> name)
    {
        var buffer = stackalloc byte[PATH_MAX];
        var pathBuffer = stackalloc byte[PATH_MAX];
        return Terminate(name, buffer, out _) && TerminateAt(dirFd, path, pathBuffer, out _) ? GetXattr(-1, pathBuffer, buffer) : null;
    }

    private static ReadOnlySpan<byte> ListXattr(int fd, byte* path, int guess)
    {
        // The list may grow between the two calls; the kernel's limit always fits.
        var list = new byte[Math.Min(guess + 256, XATTR_LIST_MAX)];
        while (true)
        {
            fixed (byte* p = list)
            {
                var n = path == null ? NativeFlistxattr(fd, p, (nuint)list.Length) : NativeLlistxattr(path, p, (nuint)list.Length);
                if (n >= 0)
                {
                    return list.AsSpan(0, (int)n);
                }
            }

            if (LastErrno != Errno.ERANGE || list.Length == XATTR_LIST_MAX)
            {
                throw new SyscallException("listxattr", path == null ? $"descriptor {fd}" : $"'{Bytes.ToText(AsSpan(path))}'", LastErrno);
            }

            list = new byte[XATTR_LIST_MAX];
        }
    }

    private static byte[]? GetXattr(int fd, byte* path, byte* name)
    {
        var value = new byte[256];
        while (true)
        {
            fixed (byte* p = value)
            {
                var n = path == null ? NativeFgetxattr(fd, name, p, (nuint)value.Length) : NativeLgetxattr(path, name, p, (nuint)value.Length);
                if (n >= 0)
                {
                    return value[..(int)n];
                }
            }

            if (LastErrno is Errno.ENODATA or Errno.EOPNOTSUPP)
            {
                return null;
            }

            if (LastErrno != Errno.ERANGE || value.Length == XATTR_LIST_MAX)
            {
                throw new SyscallException("getxattr", $"'{Bytes.ToText(AsSpan(name))}'", LastErrno);
            }

            value = new byte[XATTR_LIST_MAX];
        }
    }

    private static ReadOnlySpan<byte> AsSpan(byte* text) => MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text);

    [SkipLocalsInit]
    private static bool TerminateAt(int dirFd, ReadOnlySpan<byte> path, byte* buffer, out int errno)
    {
        Span<byte> full = stackalloc byte[PATH_MAX];
        if (dirFd == AT_FDCWD || path.StartsWith("/"u8))
        {
            return Terminate(path, buffer, out errno);
        }

        System.Text.Unicode.Utf8.TryWrite(full, $"/proc/self/fd/{dirFd}/", out var length);
        if (length + path.Length >= PATH_MAX)
        {
            errno = Errno.ENAMETOOLONG;
            return false;
        }

        path.CopyTo(full[length..]);
        return Terminate(full[..(length + path.Length)], buffer, out errno);
    }
}
