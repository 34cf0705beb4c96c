using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>
/// Plain descriptors for a process that watches many of them in one loop: open(2), fcntl(2), lseek(2), ftruncate(2), fsync(2), rename(2), unlink(2).
/// Reading and writing are <see cref="Raw.Read"/> and <see cref="Raw.Write"/>.
/// </summary>
public static partial class FileDescriptor
{
    private const int F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_SETPIPE_SZ = 1031, FD_CLOEXEC = 1, SEEK_END = 2;

    public const int O_APPEND = 0x400;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int fd, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int fd);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    /// <summary>Opens a file, close-on-exec.</summary>
    /// <exception cref="SyscallException">It cannot be opened.</exception>
    public static int Open(string path, int flags, uint mode = 0)
    {
        while (true)
        {
            var fd = OpenFile(path, flags | Raw.O_CLOEXEC, mode);
            if (fd >= 0)
            {
                return fd;
            }

            var errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
            {
                throw new SyscallException("open", $"'{path}'", errno);
            }
        }
    }

    /// <summary>A directory, to name what is in it by a short path below /proc/self/fd.</summary>
    public static int OpenDirectory(string path) => Open(path, Raw.O_PATH | Raw.O_DIRECTORY);

    public static void SetCloseOnExec(int fd) => Check("fcntl", $"F_SETFD {fd}", fcntl(fd, F_SETFD, FD_CLOEXEC));

    public static void SetNonBlocking(int fd) => Check("fcntl", $"F_SETFL {fd}", fcntl(fd, F_SETFL, Check("fcntl", $"F_GETFL {fd}", fcntl(fd, F_GETFL, 0)) | Raw.O_NONBLOCK));

    /// <summary>Wishes for a pipe of this many bytes; the kernel may refuse (fs.pipe-user-pages-soft), and the pipe stays as it is.</summary>
    public static void TrySetPipeSize(int fd, int bytes) => _ = fcntl(fd, F_SETPIPE_SZ, bytes);

    /// <summary>The file's length; the position moves there.</summary>
    public static long SeekEnd(int fd)
    {
        var length = lseek(fd, 0, SEEK_END);
        return length >= 0 ? length : throw new SyscallException("lseek", $"{fd}", Marshal.GetLastPInvokeError());
    }

    public static void Truncate(int fd, long length) => Check("ftruncate", $"{fd} to {length}", ftruncate(fd, length));

    public static void Sync(int fd) => Check("fsync", $"{fd}", fsync(fd));

    /// <summary>Replaces what is at the new name.</summary>
    public static void Rename(string from, string to) => Check("rename", $"'{from}' to '{to}'", rename(from, to));

    /// <summary>Removes a name; false when it was not there.</summary>
    public static bool Unlink(string path)
    {
        if (unlink(path) == 0)
        {
            return true;
        }

        var errno = Marshal.GetLastPInvokeError();
        return errno == Errno.ENOENT ? false : throw new SyscallException("unlink", $"'{path}'", errno);
    }

    private static int Check(string call, string subject, int result) =>
        result >= 0 ? result : throw new SyscallException(call, subject, Marshal.GetLastPInvokeError());
}
