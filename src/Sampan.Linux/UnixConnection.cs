using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>
/// A connected stream socket of unix(7) with blocking calls. System.Net's Socket would start an epoll thread first, which costs a short
/// command a tenth of its life. Disposing wakes whoever is reading; the descriptor is closed when the last call has returned.
/// </summary>
public sealed unsafe partial class UnixConnection : SafeHandle
{
    private const int MSG_NOSIGNAL = 0x4000, SHUT_WR = 1, SHUT_RDWR = 2;

    private UnixConnection(int fd)
        : base(-1, ownsHandle: true) => SetHandle(fd);

    public override bool IsInvalid => handle < 0;

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(SafeHandle socket, byte* data, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(SafeHandle socket, byte* data, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(SafeHandle socket, int how);

    /// <summary>Connects to a listening socket.</summary>
    /// <exception cref="SyscallException">connect(2) failed: ENOENT, ECONNREFUSED (nobody listens), EACCES …</exception>
    public static UnixConnection Open(string path)
    {
        var fd = UnixSocket.Connect(path);
        return fd >= 0 ? new UnixConnection(fd) : throw new SyscallException("connect", $"'{path}'", -fd);
    }

    /// <summary>Sends some of the bytes, at least one; without SIGPIPE.</summary>
    /// <exception cref="SyscallException">send(2) failed: EPIPE, ECONNRESET …</exception>
    public int Send(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            while (true)
            {
                var sent = send(this, p, bytes.Length, MSG_NOSIGNAL);
                if (sent >= 0) return (int)sent;
                ThrowUnlessInterrupted("send");
            }
        }
    }

    /// <summary>Receives what is there, waiting for the first byte; 0 at the end.</summary>
    /// <exception cref="SyscallException">recv(2) failed: ECONNRESET …</exception>
    public int Receive(Span<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            while (true)
            {
                var received = recv(this, p, bytes.Length, 0);
                if (received >= 0) return (int)received;
                ThrowUnlessInterrupted("recv");
            }
        }
    }

    /// <summary>Whether receiving will not wait: bytes are there, or the end.</summary>
    public bool HasInput
    {
        get
        {
            var added = false;
            try
            {
                DangerousAddRef(ref added);
                return Poll.Wait([new PollFd { Fd = (int)handle, Events = Poll.POLLIN }], 0);
            }
            finally
            {
                if (added) DangerousRelease();
            }
        }
    }

    /// <summary>Tells the other side that nothing more will be sent.</summary>
    /// <exception cref="SyscallException">shutdown(2) failed: ENOTCONN when the other side has gone.</exception>
    public void ShutdownSend()
    {
        if (shutdown(this, SHUT_WR) < 0) throw new SyscallException("shutdown", "a unix socket", Marshal.GetLastPInvokeError());
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !IsClosed) _ = shutdown(this, SHUT_RDWR);
        base.Dispose(disposing);
    }

    protected override bool ReleaseHandle()
    {
        Raw.Close((int)handle);
        return true;
    }

    private static void ThrowUnlessInterrupted(string call)
    {
        var errno = Marshal.GetLastPInvokeError();
        if (errno != Errno.EINTR) throw new SyscallException(call, "a unix socket", errno);
    }
}
