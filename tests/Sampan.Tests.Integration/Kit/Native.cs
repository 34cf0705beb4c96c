using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Sampan.Tests.Integration.Kit;

/// <summary>The few calls of libc that the kit needs and .NET does not have.</summary>
internal static partial class Native
{
    public const int SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGKILL = 9, SIGTERM = 15;
    private const ulong TIOCSPTLCK = 0x40045431, TIOCGPTN = 0x80045430, TIOCSWINSZ = 0x5414;

    /// <summary>Sends a signal; a process that is gone already is no error.</summary>
    public static void Kill(int pid, int signal)
    {
        const int esrch = 3;
        if (kill(pid, signal) != 0 && Marshal.GetLastPInvokeError() is var errno && errno != esrch)
            throw new Win32Exception(errno, $"kill {pid} with signal {signal}");
    }

    /// <summary>Unlocks the terminal behind an open /dev/ptmx and returns its number under /dev/pts.</summary>
    public static unsafe int UnlockTerminal(SafeHandle master)
    {
        int unlock = 0, number = 0;
        Check(ioctl(master, TIOCSPTLCK, &unlock), "ioctl TIOCSPTLCK");
        Check(ioctl(master, TIOCGPTN, &number), "ioctl TIOCGPTN");
        return number;
    }

    /// <summary>Sets a terminal's size; the foreground process gets SIGWINCH.</summary>
    public static unsafe void SetWindowSize(SafeHandle master, int rows, int columns)
    {
        ushort* size = stackalloc ushort[4] { (ushort)rows, (ushort)columns, 0, 0 };
        Check(ioctl(master, TIOCSWINSZ, size), "ioctl TIOCSWINSZ");
    }

    /// <summary>Cuts the power of an ext4 file system: nothing that was not synced reaches its device any more (linux/ext4.h).</summary>
    /// <param name="path">Any folder on it.</param>
    public static unsafe void CutPower(string path)
    {
        const ulong ext4Shutdown = 0x8004587D;
        uint noLogFlush = 2;
        using SafeHandle folder = OpenFolder(path);
        Check(ioctl(folder, ext4Shutdown, &noLogFlush), "ioctl EXT4_IOC_SHUTDOWN");
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle OpenFolder(string path)
    {
        const int directory = 0x10000;
        int fd = open(path, directory);
        Check(fd, $"open {path}");
        return new(fd, ownsHandle: true);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    private static void Check(int result, string call)
    {
        if (result < 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), call);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int ioctl(SafeHandle fd, ulong request, void* argument);
}
