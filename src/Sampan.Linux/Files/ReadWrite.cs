using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>read(2), write(2), lseek(2), ftruncate(2), fsync(2), syncfs(2), copy_file_range(2), ioctl_ficlone(2), ioctl_iflags(2).</summary>
public static unsafe partial class Sys
{
    public const int SEEK_SET = 0, SEEK_CUR = 1, SEEK_END = 2, SEEK_DATA = 3, SEEK_HOLE = 4;

    private const nuint FICLONE = 0x40049409, FS_IOC_GETFLAGS = 0x80086601, FS_IOC_SETFLAGS = 0x40086602;

    private const nint FS_TOPDIR_FL = 0x20000;

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint NativeRead(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "pread64", SetLastError = true)]
    private static partial nint NativePread(int fd, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint NativeWrite(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "lseek64", SetLastError = true)]
    private static partial long NativeLseek(int fd, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "ftruncate64", SetLastError = true)]
    private static partial int NativeFtruncate(int fd, long length);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int NativeFsync(int fd);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int NativeSyncfs(int fd);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int NativeIoctl(int fd, nuint request, nint argument);

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    private static partial nint NativeCopyFileRange(int from, long* fromOffset, int to, long* toOffset, nuint length, uint flags);

    [LibraryImport("libc", EntryPoint = "posix_fadvise64")]
    private static partial int NativeFadvise(int fd, long offset, long length, int advice);

    /// <summary>read(2): bytes read, 0 at the end.</summary>
    public static int Read(int fd, Span<byte> buffer)
    {
        fixed (byte* p = buffer)
        {
            nint n;
            do
            {
                n = NativeRead(fd, p, (nuint)buffer.Length);
            }
            while (n < 0 && LastErrno == Errno.EINTR);
            return n >= 0 ? (int)n : throw new SyscallException("read", $"descriptor {fd}", LastErrno);
        }
    }

    /// <summary>pread(2): bytes read, 0 at the end.</summary>
    public static int Read(int fd, Span<byte> buffer, long offset)
    {
        fixed (byte* p = buffer)
        {
            nint n;
            do
            {
                n = NativePread(fd, p, (nuint)buffer.Length, offset);
            }
            while (n < 0 && LastErrno == Errno.EINTR);
            return n >= 0 ? (int)n : throw new SyscallException("pread", $"descriptor {fd}", LastErrno);
        }
    }

    /// <summary>write(2) until all is written.</summary>
    public static void Write(int fd, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            fixed (byte* p = data)
            {
                var n = NativeWrite(fd, p, (nuint)data.Length);
                if (n < 0)
                {
                    var errno = LastErrno;
                    if (errno != Errno.EINTR)
                    {
                        throw new SyscallException("write", $"descriptor {fd}", errno);
                    }
                }
                else
                {
                    data = data[(int)n..];
                }
            }
        }
    }

    /// <summary>lseek(2); -1 when SEEK_DATA finds no more data.</summary>
    public static long Seek(int fd, long offset, int whence)
    {
        var result = NativeLseek(fd, offset, whence);
        return result >= 0 ? result
            : LastErrno == Errno.ENXIO ? -1
            : throw new SyscallException("lseek", $"descriptor {fd}", LastErrno);
    }

    /// <summary>ftruncate(2).</summary>
    public static void Truncate(int fd, long length)
    {
        if (NativeFtruncate(fd, length) != 0)
        {
            throw new SyscallException("ftruncate", $"descriptor {fd} to {length}", LastErrno);
        }
    }

    /// <summary>fsync(2): the file, and for a directory its names, survive power loss.</summary>
    public static void Fsync(int fd)
    {
        if (NativeFsync(fd) != 0)
        {
            throw new SyscallException("fsync", $"descriptor {fd}", LastErrno);
        }
    }

    /// <summary>syncfs(2): everything on the descriptor's file system survives power loss.</summary>
    public static void Syncfs(int fd)
    {
        if (NativeSyncfs(fd) != 0)
        {
            throw new SyscallException("syncfs", $"descriptor {fd}", LastErrno);
        }
    }

    /// <summary>ioctl_ficlone(2): makes <paramref name="to"/> share the blocks of <paramref name="from"/>; false where the file system cannot.</summary>
    public static bool TryClone(int from, int to) => NativeIoctl(to, FICLONE, from) == 0;

    /// <summary>
    /// ioctl_iflags(2): says that the trees in a directory have nothing to do with one another (FS_TOPDIR_FL, <c>chattr +T</c>), so that ext4 gives
    /// each a group of inodes of its own. False where the file system knows no such thing.
    /// </summary>
    public static bool TrySetTopDirectory(int fd)
    {
        nint flags = 0;
        if (NativeIoctl(fd, FS_IOC_GETFLAGS, (nint)(&flags)) != 0)
        {
            return false;
        }

        if ((flags & FS_TOPDIR_FL) != 0)
        {
            return true;
        }

        flags |= FS_TOPDIR_FL;
        return NativeIoctl(fd, FS_IOC_SETFLAGS, (nint)(&flags)) == 0;
    }

    /// <summary>copy_file_range(2): bytes copied, 0 at the end; -1 where the file systems cannot do it.</summary>
    public static long TryCopyFileRange(int from, long fromOffset, int to, long toOffset, long length)
    {
        var n = NativeCopyFileRange(from, &fromOffset, to, &toOffset, (nuint)length, 0);
        return n >= 0 ? n
            : LastErrno is Errno.EXDEV or Errno.EINVAL or Errno.ENOSYS or Errno.EOPNOTSUPP ? -1
            : throw new SyscallException("copy_file_range", $"descriptor {from} to {to}", LastErrno);
    }

    /// <summary>posix_fadvise(2), POSIX_FADV_SEQUENTIAL: reads ahead twice as far.</summary>
    public static void AdviseSequential(int fd) => _ = NativeFadvise(fd, 0, 0, 2);
}
