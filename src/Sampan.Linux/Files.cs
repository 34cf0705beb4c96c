using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>What System.IO cannot say of a file: its type and its owner (statx(2), chown(2)).</summary>
public static unsafe partial class Files
{
    private const int AT_SYMLINK_NOFOLLOW = 0x100, S_IFMT = 0xF000, S_IFREG = 0x8000;

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(int dirfd, byte* path, int flags, uint mask, byte* buffer);

    /// <summary>True for a regular file; links are not followed.</summary>
    public static bool IsRegular(string path)
    {
        var buffer = stackalloc byte[256];
        Stat(path, buffer);
        return (*(ushort*)(buffer + 28) & S_IFMT) == S_IFREG;
    }

    /// <summary>Gives <paramref name="target"/> the owner, group and mode of <paramref name="source"/>.</summary>
    public static void CopyOwner(string source, string target)
    {
        var buffer = stackalloc byte[256];
        Stat(source, buffer);
        var result = Raw.Fchownat(Raw.AT_FDCWD, CString.Of(target), *(uint*)(buffer + 20), *(uint*)(buffer + 24), AT_SYMLINK_NOFOLLOW);
        result = result < 0 ? result : Raw.Fchmodat(Raw.AT_FDCWD, CString.Of(target), (uint)(*(ushort*)(buffer + 28) & 0xFFF));
        if (result < 0)
        {
            throw new SyscallException("chown", $"'{target}'", -result);
        }
    }

    private static void Stat(string path, byte* buffer)
    {
        fixed (byte* name = Bytes.FromText(path + "\0"))
        {
            if (Statx(Raw.AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, 0x7ff, buffer) < 0)
            {
                throw new SyscallException("statx", $"'{path}'", Marshal.GetLastPInvokeError());
            }
        }
    }
}
