using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>A time of a file: seconds since the epoch, and nanoseconds of the second.</summary>
public readonly record struct FileTime(long Seconds, uint Nanoseconds) : IComparable<FileTime>
{
    private static readonly TimeSpan FineTick = TimeSpan.FromMilliseconds(50), CoarseTick = TimeSpan.FromMilliseconds(2100);

    /// <summary>
    /// True when a change after <paramref name="at"/> would give the file another time. Times come in ticks of the kernel's clock (10 ms at
    /// most), on old file systems in seconds: two changes in one tick look like one. As with git's index, what changed so shortly before it
    /// was read is read again the next time.
    /// </summary>
    /// <param name="at">When the file was looked at, by the clock that its time is of.</param>
    public bool IsSettled(DateTimeOffset at)
        => DateTimeOffset.FromUnixTimeSeconds(Seconds).AddTicks(Nanoseconds / 100) + (Nanoseconds % 1_000_000 == 0 ? CoarseTick : FineTick) < at;

    public int CompareTo(FileTime other) => Seconds != other.Seconds ? Seconds.CompareTo(other.Seconds) : Nanoseconds.CompareTo(other.Nanoseconds);
}

/// <summary>What statx(2) says about a file.</summary>
/// <param name="Mode">Type and permissions, S_IF… | 07777.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Blocks">Units of 512 bytes on disk.</param>
/// <param name="DeviceMajor">Of the device that a device node stands for.</param>
/// <param name="FileSystem">The device the file is on, one number for each file system.</param>
public readonly record struct FileStat(uint Mode, uint Uid, uint Gid, uint Links, ulong Inode, long Size, long Blocks, FileTime Modified,
    uint DeviceMajor, uint DeviceMinor, ulong FileSystem)
{
    /// <summary>When content or attributes last changed, by the kernel's clock: unlike <see cref="Modified"/> nobody can set it.</summary>
    public FileTime Changed { get; init; }

    public const uint S_IFMT = 0xF000, S_IFSOCK = 0xC000, S_IFLNK = 0xA000, S_IFREG = 0x8000, S_IFBLK = 0x6000, S_IFDIR = 0x4000,
        S_IFCHR = 0x2000, S_IFIFO = 0x1000;

    /// <summary>S_IF….</summary>
    public uint Type => Mode & S_IFMT;

    public uint Permissions => Mode & 0xFFF;

    public bool IsDirectory => Type == S_IFDIR;

    public bool IsRegular => Type == S_IFREG;

    public bool IsSymlink => Type == S_IFLNK;

    /// <summary>A character device 0/0: overlayfs's sign for "removed".</summary>
    public bool IsWhiteout => Type == S_IFCHR && DeviceMajor == 0 && DeviceMinor == 0;
}

/// <summary>statx(2).</summary>
public static unsafe partial class Sys
{
    public const int AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_EMPTY_PATH = 0x1000, AT_NO_AUTOMOUNT = 0x800;

    private const uint STATX_BASIC_STATS = 0x7FF;

    /// <summary>struct statx of linux/stat.h: the same on every architecture.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Statx
    {
        [FieldOffset(16)] public uint Links;
        [FieldOffset(20)] public uint Uid;
        [FieldOffset(24)] public uint Gid;
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Inode;
        [FieldOffset(40)] public ulong Size;
        [FieldOffset(48)] public ulong Blocks;
        [FieldOffset(96)] public long ChangedSeconds;
        [FieldOffset(104)] public uint ChangedNanoseconds;
        [FieldOffset(112)] public long ModifiedSeconds;
        [FieldOffset(120)] public uint ModifiedNanoseconds;
        [FieldOffset(128)] public uint RdevMajor;
        [FieldOffset(132)] public uint RdevMinor;
        [FieldOffset(136)] public uint DevMajor;
        [FieldOffset(140)] public uint DevMinor;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int NativeStatx(int dirFd, byte* path, int flags, uint mask, Statx* result);

    /// <summary>statx(2) with AT_SYMLINK_NOFOLLOW; an empty path asks about the descriptor itself.</summary>
    [SkipLocalsInit] // clearing the buffer takes longer than the call
    public static int TryStatAt(int dirFd, ReadOnlySpan<byte> path, out FileStat stat)
    {
        var buffer = stackalloc byte[PATH_MAX];
        stat = default;
        if (!Terminate(path, buffer, out var errno))
        {
            return errno;
        }

        Statx s;
        if (NativeStatx(dirFd, buffer, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (path.IsEmpty ? AT_EMPTY_PATH : 0), STATX_BASIC_STATS, &s) != 0)
        {
            return LastErrno;
        }

        stat = new FileStat(s.Mode, s.Uid, s.Gid, s.Links, s.Inode, (long)s.Size, (long)s.Blocks,
            new FileTime(s.ModifiedSeconds, s.ModifiedNanoseconds), s.RdevMajor, s.RdevMinor, ((ulong)s.DevMajor << 32) | s.DevMinor)
        {
            Changed = new FileTime(s.ChangedSeconds, s.ChangedNanoseconds),
        };
        return 0;
    }

    /// <summary>statx(2) of a name, symlinks not followed.</summary>
    public static FileStat StatAt(int dirFd, ReadOnlySpan<byte> path)
    {
        var errno = TryStatAt(dirFd, path, out var stat);
        return errno == 0 ? stat : throw new SyscallException("statx", At(dirFd, path), errno);
    }

    /// <summary>statx(2) of an open file.</summary>
    public static FileStat Stat(int fd) => StatAt(fd, []);

    /// <summary>statx(2) of a path, symlinks not followed.</summary>
    public static FileStat StatAt(string path) => StatAt(AT_FDCWD, Bytes.FromText(path));
}
