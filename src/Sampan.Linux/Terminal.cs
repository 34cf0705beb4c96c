using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>The caller's terminal and standard streams: isatty(3), termios(3), TIOCGWINSZ (ioctl_tty(2)), read(2), write(2).</summary>
public static unsafe partial class Terminal
{
    private const nuint TIOCGWINSZ = 0x5413;
    private const int TCSANOW = 0;

    /// <summary>Larger than struct termios of any C library here (60 bytes in glibc).</summary>
    private const int TermiosBytes = 256;

    [LibraryImport("libc", EntryPoint = "isatty")]
    private static partial int IsATty(int fd);

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    private static partial int GetAttributes(int fd, byte* termios);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    private static partial int SetAttributes(int fd, int actions, byte* termios);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    private static partial void MakeRaw(byte* termios);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(int fd, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadOnce(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteOnce(int fd, byte* buffer, nuint count);

    public static bool Is(int fd) => IsATty(fd) == 1;

    /// <summary>The window's height and width in characters, or zeros when the descriptor is no terminal.</summary>
    public static (int Height, int Width) Size(int fd)
    {
        var size = stackalloc ushort[4];
        return Ioctl(fd, TIOCGWINSZ, size) == 0 ? (size[0], size[1]) : (0, 0);
    }

    /// <summary>Makes the terminal pass every byte on as it is, and returns the settings to give to <see cref="Restore"/>.</summary>
    /// <exception cref="SyscallException">The descriptor is no terminal.</exception>
    public static byte[] SetRaw(int fd)
    {
        var before = new byte[TermiosBytes];
        var raw = stackalloc byte[TermiosBytes];
        fixed (byte* settings = before)
        {
            if (GetAttributes(fd, settings) != 0) throw Failed("tcgetattr", fd);
            before.AsSpan().CopyTo(new Span<byte>(raw, TermiosBytes));
            MakeRaw(raw);
        }

        Set(fd, raw);
        return before;
    }

    /// <summary>Puts back what <see cref="SetRaw"/> returned; may be called twice.</summary>
    public static void Restore(int fd, byte[] settings)
    {
        fixed (byte* bytes = settings)
        {
            Set(fd, bytes);
        }
    }

    /// <summary>Reads what is there, waiting for the first byte; 0 at the end.</summary>
    public static int Read(int fd, Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            while (true)
            {
                var count = ReadOnce(fd, bytes, (nuint)buffer.Length);
                if (count >= 0) return (int)count;
                if (Marshal.GetLastPInvokeError() != Errno.EINTR) throw Failed("read", fd);
            }
        }
    }

    /// <summary>
    /// Writes all of it at the descriptor's own offset (FileStream keeps an offset of its own, and would overwrite what others write to
    /// the same file).
    /// </summary>
    /// <exception cref="SyscallException">EPIPE when nobody reads any more.</exception>
    public static void Write(int fd, ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            fixed (byte* bytes = buffer)
            {
                var count = WriteOnce(fd, bytes, (nuint)buffer.Length);
                if (count >= 0)
                {
                    buffer = buffer[(int)count..];
                    continue;
                }
            }

            if (Marshal.GetLastPInvokeError() is not (Errno.EINTR or Errno.EAGAIN)) throw Failed("write", fd);
        }
    }

    private static void Set(int fd, byte* settings)
    {
        int result;
        do
        {
            result = SetAttributes(fd, TCSANOW, settings);
        }
        while (result != 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (result != 0) throw Failed("tcsetattr", fd);
    }

    private static SyscallException Failed(string call, int fd) => new(call, $"of descriptor {fd}", Marshal.GetLastPInvokeError());
}
