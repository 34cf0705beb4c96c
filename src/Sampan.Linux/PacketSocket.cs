using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>Packets with descriptors between two processes: SOCK_SEQPACKET and SCM_RIGHTS of unix(7). What arrives closes on exec.</summary>
public static unsafe partial class PacketSocket
{
    private const int SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_DONTWAIT = 0x40,
        MSG_NOSIGNAL = 0x4000, MSG_CMSG_CLOEXEC = 0x40000000, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, HeaderSize = 16;

    /// <summary>Descriptors that one packet may carry.</summary>
    public const int DescriptorLimit = 4;

    [StructLayout(LayoutKind.Sequential)]
    private struct Vector
    {
        public void* Base;
        public nint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Message
    {
        public void* Name;
        public nint NameLength;
        public Vector* Vectors;
        public nint VectorCount;
        public void* Control;
        public nint ControlLength;
        public int Flags;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendmsg(int fd, Message* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(int fd, Message* message, int flags);

    /// <summary>Connects to a listener of packets (<see cref="UnixSocket.Listen"/>); a negated errno when none is there.</summary>
    /// <param name="path">May be longer than sun_path; its directory must exist.</param>
    public static int Connect(string path) => UnixSocket.Connect(path, packets: true);

    /// <summary>Sends a packet and copies of descriptors without waiting; 0, or a negated errno.</summary>
    public static int Send(int fd, ReadOnlySpan<byte> data, params ReadOnlySpan<int> descriptors)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, DescriptorLimit);
        var control = stackalloc byte[HeaderSize + DescriptorLimit * sizeof(int)];
        fixed (byte* p = data)
        {
            var vector = new Vector { Base = p, Length = data.Length };
            var message = new Message { Vectors = &vector, VectorCount = 1 };
            if (descriptors.Length > 0)
            {
                // struct cmsghdr: its length, its level, its type, then the descriptors
                *(nint*)control = HeaderSize + descriptors.Length * sizeof(int);
                ((int*)control)[2] = SOL_SOCKET;
                ((int*)control)[3] = SCM_RIGHTS;
                descriptors.CopyTo(new Span<int>(control + HeaderSize, descriptors.Length));
                message.Control = control;
                message.ControlLength = HeaderSize + (descriptors.Length * sizeof(int) + 7) / 8 * 8;
            }

            while (true)
            {
                if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                {
                    return 0;
                }

                if (Marshal.GetLastPInvokeError() is var errno and not Errno.EINTR)
                {
                    return -errno;
                }
            }
        }
    }

    /// <summary>
    /// Takes a packet without waiting; its length, 0 when the other end is closed, or a negated errno (EMSGSIZE when it was longer than
    /// the buffer).
    /// </summary>
    /// <param name="descriptors">Receives those that came along; they are the caller's to close.</param>
    /// <param name="count">How many came.</param>
    public static int Receive(int fd, Span<byte> buffer, Span<int> descriptors, out int count)
    {
        count = 0;
        var control = stackalloc byte[HeaderSize + DescriptorLimit * sizeof(int)];
        fixed (byte* p = buffer)
        {
            var vector = new Vector { Base = p, Length = buffer.Length };
            var message = new Message
            {
                Vectors = &vector,
                VectorCount = 1,
                Control = control,
                ControlLength = HeaderSize + DescriptorLimit * sizeof(int),
            };
            nint length;
            while ((length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0)
            {
                if (Marshal.GetLastPInvokeError() is var errno and not Errno.EINTR)
                {
                    return -errno;
                }
            }

            if (message.ControlLength >= HeaderSize && ((int*)control)[3] == SCM_RIGHTS)
            {
                var came = new Span<int>(control + HeaderSize, (int)(*(nint*)control - HeaderSize) / sizeof(int));
                foreach (var descriptor in came)
                {
                    if (count < descriptors.Length)
                    {
                        descriptors[count++] = descriptor;
                    }
                    else
                    {
                        Raw.Close(descriptor);
                    }
                }
            }

            return (message.Flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 ? (int)length : -Errno.EMSGSIZE;
        }
    }
}
