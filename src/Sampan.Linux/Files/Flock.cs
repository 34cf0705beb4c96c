using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>flock(2).</summary>
public static unsafe partial class Sys
{
    private const int LOCK_EX = 2, LOCK_NB = 4;

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int NativeFlock(int fd, int operation);

    /// <summary>Takes the exclusive lock of an open file without waiting; false when another open file holds it. Closing gives it back.</summary>
    public static bool TryLock(int fd)
    {
        while (NativeFlock(fd, LOCK_EX | LOCK_NB) != 0)
        {
            var errno = LastErrno;
            if (errno == Errno.EAGAIN)
            {
                return false;
            }

            if (errno != Errno.EINTR)
            {
                throw new SyscallException("flock", $"descriptor {fd}", errno);
            }
        }

        return true;
    }
}
