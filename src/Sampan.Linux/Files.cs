using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>What System.IO cannot say of a file: its type and its owner (statx(2), chown(2)).</summary>
public static unsafe partial class Files
{
    private const int AT_SYMLINK_NOFOLLOW = 0x100, S_IFMT = 0xF000, S_IFCHR = 0x2000, S_IFBLK = 0x6000;

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(int dirfd, byte* path, int flags, uint mask, byte* buffer);

    /// <summary>A device node's kind (<c>c</c> or <c>b</c>), numbers, permissions and owner; null for what is none. Links are followed.</summary>
    public static (char Type, long Major, long Minor, uint Mode, uint Uid, uint Gid)? Device(string path)
    {
        var buffer = stackalloc byte[256];
        fixed (byte* name = Bytes.FromText(path + "\0"))
        {
            if (Statx(Raw.AT_FDCWD, name, 0, 0x7ff, buffer) < 0)
            {
                return null;
            }
        }

        var mode = *(ushort*)(buffer + 28);
        return (mode & S_IFMT) is S_IFCHR or S_IFBLK
            ? ((mode & S_IFMT) == S_IFCHR ? 'c' : 'b', *(uint*)(buffer + 128), *(uint*)(buffer + 132), (uint)(mode & 0xFFF), *(uint*)(buffer + 20), *(uint*)(buffer + 24))
            : null;
    }

    /// <summary>Gives <paramref name="target"/> the owner, group and mode of <paramref name="source"/>.</summary>
    public static void CopyOwner(string source, string target)
    {
        var buffer = stackalloc byte[256];
        Stat(source, buffer);
        SetOwner(target, *(uint*)(buffer + 20), *(uint*)(buffer + 24), (uint)(*(ushort*)(buffer + 28) & 0xFFF));
    }

    /// <summary>Sets owner, group and permissions; links are not followed by the owner's change.</summary>
    public static void SetOwner(string path, uint uid, uint gid, uint mode)
    {
        var name = CString.Of(path);
        var result = Raw.Fchownat(Raw.AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
        result = result < 0 ? result : Raw.Fchmodat(Raw.AT_FDCWD, name, mode);
        if (result < 0)
        {
            throw new SyscallException("chown", $"'{path}' to {uid}:{gid}", -result);
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
