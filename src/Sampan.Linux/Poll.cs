using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>One descriptor to wait for (struct pollfd of poll(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PollFd
{
    public int Fd;

    public short Events;

    public short Revents;
}

/// <summary>poll(2).</summary>
public static unsafe partial class Poll
{
    public const short POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16, POLLNVAL = 32;

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int PollNative(PollFd* fds, nuint count, int timeoutMs);

    /// <summary>Waits for events; false when the time is over first, or a signal came.</summary>
    /// <param name="timeoutMs">-1 waits without end.</param>
    public static bool Wait(Span<PollFd> fds, int timeoutMs)
    {
        fixed (PollFd* p = fds)
        {
            var ready = PollNative(p, (nuint)fds.Length, timeoutMs);
            if (ready < 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.EINTR)
            {
                throw new SyscallException("poll", $"{fds.Length} descriptors", errno);
            }

            return ready > 0;
        }
    }
}
