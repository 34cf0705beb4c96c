using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>What the wrappers share: names as bytes, errno as a value, and the retry after a signal.</summary>
[SkipLocalsInit]
public static unsafe partial class Sys
{
    /// <summary>PATH_MAX: the kernel takes no longer path in one call, its NUL included.</summary>
    public const int PATH_MAX = 4096;

    /// <summary>Stands for the current directory where a call takes a directory descriptor.</summary>
    public const int AT_FDCWD = -100;

    /// <summary>What a call is applied to, for messages.</summary>
    private static string At(int dirFd, ReadOnlySpan<byte> path) =>
        dirFd == AT_FDCWD || path.StartsWith("/"u8) ? $"'{Bytes.ToText(path)}'" : $"'{Bytes.ToText(path)}' (in descriptor {dirFd})";

    /// <summary>Copies a path to where the kernel can read it; false when it is too long or holds a NUL.</summary>
    private static bool Terminate(ReadOnlySpan<byte> path, byte* buffer, out int errno)
    {
        errno = path.Length >= PATH_MAX ? Errno.ENAMETOOLONG : path.Contains((byte)0) ? Errno.EINVAL : 0;
        if (errno != 0)
        {
            return false;
        }

        path.CopyTo(new Span<byte>(buffer, PATH_MAX));
        buffer[path.Length] = 0;
        return true;
    }

    private static int LastErrno => Marshal.GetLastPInvokeError();
}
