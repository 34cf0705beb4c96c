using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>
/// Sockets of ip(7) as plain descriptors, for loops that must not allocate: non-blocking, close on exec. A client of an IPv4 datagram
/// socket is the first eight bytes of its sockaddr_in.
/// </summary>
public static unsafe partial class InetSocket
{
    private const int AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, IPPROTO_RAW = 255, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000,
        SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_REUSEPORT = 15, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000, AddressSize = 28, EINPROGRESS = 115;

    /// <summary>IPv4's header and UDP's.</summary>
    public const int RawHeaderSize = 28;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int fd, byte* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int fd, byte* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(int fd, int level, int option, int* value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvfrom(int fd, byte* data, nint length, int flags, byte* address, int* addressLength);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendto(int fd, byte* data, nint length, int flags, byte* address, int addressLength);

    /// <summary>A datagram socket at an address of the calling thread's namespace; shares the port with others that were made so.</summary>
    /// <exception cref="SyscallException">The port is taken (EADDRINUSE), or there is no such address.</exception>
    public static int BindDatagram(IPEndPoint at) => Bind(at, SOCK_DGRAM);

    /// <summary>A listening stream socket at an address of the calling thread's namespace; shares the port with others that were made so.</summary>
    /// <exception cref="SyscallException">The port is taken (EADDRINUSE), or there is no such address.</exception>
    public static int Listen(IPEndPoint at, int backlog)
    {
        var fd = Bind(at, SOCK_STREAM);
        if (listen(fd, backlog) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            Raw.Close(fd);
            throw new SyscallException("listen", $"{at}", errno);
        }

        return fd;
    }

    /// <summary>A datagram socket that speaks with one server only, from a port of the kernel's choice; a negated errno on failure.</summary>
    public static int ConnectDatagram(IPEndPoint server) => Connect(server, SOCK_DGRAM);

    /// <summary>A stream socket that is connecting; ready to write when it is connected. A negated errno on failure.</summary>
    public static int ConnectStream(IPEndPoint server) => Connect(server, SOCK_STREAM);

    /// <summary>Takes a datagram; its whole length, which may be more than the buffer, or a negated errno.</summary>
    /// <param name="client">Who sent it, for <see cref="SendTo"/>.</param>
    public static int ReceiveFrom(int fd, Span<byte> buffer, out ulong client)
    {
        var address = stackalloc byte[AddressSize];
        var addressLength = AddressSize;
        fixed (byte* p = buffer)
        {
            var length = recvfrom(fd, p, buffer.Length, MSG_DONTWAIT | MSG_TRUNC, address, &addressLength);
            client = length >= 0 ? *(ulong*)address : 0;
            return length >= 0 ? (int)length : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Sends a datagram to a client of <see cref="ReceiveFrom"/>; its length, or a negated errno.</summary>
    public static int SendTo(int fd, ReadOnlySpan<byte> data, ulong client)
    {
        var address = stackalloc ulong[2] { client, 0 }; // struct sockaddr_in ends in eight zeros
        fixed (byte* p = data)
        {
            var sent = sendto(fd, p, data.Length, MSG_DONTWAIT | MSG_NOSIGNAL, (byte*)address, 16);
            return sent >= 0 ? (int)sent : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>
    /// A socket that sends datagrams as from an IPv4 address and port that it need not have (raw(7), IP_HDRINCL), in the calling thread's
    /// namespace; it receives nothing. Needs CAP_NET_RAW to be opened, not to be used.
    /// </summary>
    public static int OpenRaw()
    {
        var fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
        return fd >= 0 ? fd : throw new SyscallException("socket", "SOCK_RAW", Marshal.GetLastPInvokeError());
    }

    /// <summary>Writes the headers of a datagram from a source to a client of <see cref="ReceiveFrom"/>, for <see cref="OpenRaw"/>.</summary>
    /// <param name="packet">Its first <see cref="RawHeaderSize"/> bytes are written; the datagram is behind them.</param>
    public static void WriteRawHeader(Span<byte> packet, IPEndPoint source, ulong client)
    {
        // The client's first eight bytes: family, port, address, the last two in network order.
        var clientBytes = MemoryMarshal.AsBytes(new Span<ulong>(ref client));
        packet[..RawHeaderSize].Clear();
        packet[0] = 0x45; // IPv4, five words; the kernel fills length, id and checksum
        packet[8] = 64;
        packet[9] = 17; // UDP
        source.Address.TryWriteBytes(packet[12..], out _);
        clientBytes.Slice(4, 4).CopyTo(packet[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(packet[20..], (ushort)source.Port);
        clientBytes.Slice(2, 2).CopyTo(packet[22..]);
        BinaryPrimitives.WriteUInt16BigEndian(packet[24..], (ushort)(packet.Length - 20)); // no checksum: over IPv4 it need not be
    }

    private static int Bind(IPEndPoint at, int type)
    {
        var address = stackalloc byte[AddressSize];
        var length = Write(at, address);
        var fd = socket(*(ushort*)address, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        var on = 1;
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int)) < 0
            || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(int)) < 0 || bind(fd, address, length) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (fd >= 0)
            {
                Raw.Close(fd);
            }

            throw new SyscallException("bind", $"{at}", errno);
        }

        return fd;
    }

    private static int Connect(IPEndPoint server, int type)
    {
        var address = stackalloc byte[AddressSize];
        var length = Write(server, address);
        var fd = socket(*(ushort*)address, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 && (connect(fd, address, length) == 0 || Marshal.GetLastPInvokeError() == EINPROGRESS))
        {
            return fd;
        }

        var errno = Marshal.GetLastPInvokeError();
        if (fd >= 0)
        {
            Raw.Close(fd);
        }

        return -errno;
    }

    /// <summary>struct sockaddr_in, or sockaddr_in6 with its scope; gives its length.</summary>
    private static int Write(IPEndPoint point, byte* address)
    {
        var bytes = new Span<byte>(address, AddressSize);
        bytes.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)point.Port);
        if (point.AddressFamily == AddressFamily.InterNetwork)
        {
            *(ushort*)address = AF_INET;
            point.Address.TryWriteBytes(bytes[4..], out _);
            return 16;
        }

        *(ushort*)address = AF_INET6;
        point.Address.TryWriteBytes(bytes[8..], out _);
        *(uint*)(address + 24) = (uint)point.Address.ScopeId;
        return AddressSize;
    }
}
