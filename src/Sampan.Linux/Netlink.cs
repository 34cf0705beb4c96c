using System.Buffers;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Sampan.Linux;

/// <summary>
/// A netlink socket (netlink(7)). It belongs to the network namespace of the thread that opened it and stays there whoever uses it, so one
/// opened inside a namespace configures that namespace from any thread. Thread-safe: one conversation at a time.
/// </summary>
public sealed unsafe partial class NetlinkSocket : IDisposable
{
    internal const ushort NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_DUMP = 0x300, NLM_F_EXCL = 0x200, NLM_F_CREATE = 0x400,
        NLM_F_REPLACE = 0x100;
    private const ushort NLMSG_ERROR = 2, NLMSG_DONE = 3, NLM_F_CAPPED = 0x100, NLM_F_ACK_TLVS = 0x200, NLM_F_DUMP_INTR = 0x10;
    private const int AF_NETLINK = 16, SOCK_RAW = 3, SOCK_CLOEXEC = 0x80000, SOL_SOCKET = 1, SO_RCVTIMEO = 20, SOL_NETLINK = 270;
    private const int NETLINK_CAP_ACK = 10, NETLINK_EXT_ACK = 11, NETLINK_GET_STRICT_CHK = 12, MSG_TRUNC = 0x20;
    private const int TimeoutSeconds = 10, DumpAttempts = 5, ReceiveBytes = 16 * 1024;
    private const uint SIOCGSKNS = 0x894C;

    private readonly SafeFileHandle _socket;
    private readonly Lock _gate = new();
    private byte[] _receive = [];
    private uint _sequence;
    private int _pendingOffset, _pendingLength;
    private bool _interrupted;

    /// <summary>Handles one message of an answer.</summary>
    /// <param name="type">nlmsg_type.</param>
    /// <param name="payload">What follows the message header.</param>
    public delegate void MessageHandler(ushort type, ReadOnlySpan<byte> payload);

    /// <summary>Opens a socket in the calling thread's network namespace.</summary>
    /// <param name="protocol">The netlink family, e.g. 0 for NETLINK_ROUTE.</param>
    public NetlinkSocket(int protocol)
    {
        _socket = Open(protocol, groups: 0);

        // Explanations and short echoes are comforts of newer kernels (4.12, 4.20); without them errors are only less precise.
        var on = 1;
        _ = setsockopt(_socket, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(int));
        _ = setsockopt(_socket, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(int));
        _ = setsockopt(_socket, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(int));
        var timeout = stackalloc long[2] { TimeoutSeconds, 0 };
        _ = setsockopt(_socket, SOL_SOCKET, SO_RCVTIMEO, timeout, 2 * sizeof(long));
    }

    /// <summary>The network namespace that the socket belongs to (ioctl_ns(2), SIOCGSKNS); the caller's to close.</summary>
    public SafeFileHandle OpenNamespace()
    {
        var ns = Raw.Ioctl((int)_socket.DangerousGetHandle(), SIOCGSKNS, 0);
        GC.KeepAlive(_socket);
        return ns >= 0 ? new SafeFileHandle(ns, ownsHandle: true) : throw new SyscallException("ioctl", "SIOCGSKNS", -ns);
    }

    /// <summary>Sends requests in one system call and waits until the kernel has acknowledged each; the first refusal is thrown.</summary>
    /// <exception cref="NetlinkException">The kernel refused a request. The kernel carries on with those after it.</exception>
    public void Execute(params ReadOnlySpan<NetlinkRequest> requests)
    {
        using var conversation = new Conversation(this);
        var first = _sequence + 1;
        var batch = new ArrayBufferWriter<byte>();
        foreach (var request in requests)
        {
            batch.Write(request.Seal(++_sequence, NLM_F_ACK));
        }

        Send(batch.WrittenSpan, requests[0]);
        CollectAcknowledgements(requests, first);
    }

    /// <summary>
    /// Sends one request that is answered by one message, and hands that over; false when the kernel says it does not exist.
    /// </summary>
    public bool TryGet(NetlinkRequest request, MessageHandler handler)
    {
        using var conversation = new Conversation(this);
        Send(request.Seal(++_sequence, NLM_F_ACK), request);
        NetlinkException? failure = null;
        while (!TryFinish(request, _sequence, handler, out failure))
        {
        }

        return failure switch
        {
            null => true,
            { Errno: Errno.ENODEV or Errno.ENOENT or Errno.ESRCH } => false,
            _ => throw failure,
        };
    }

    /// <summary>
    /// Asks for a list and hands over each of its messages. A list that changed while it was read is read again from the start.
    /// </summary>
    /// <param name="request">The request, without dump flags.</param>
    /// <param name="restart">Called before each attempt, so that the caller forgets what it had.</param>
    /// <param name="handler">Called for each message.</param>
    public void Dump(NetlinkRequest request, Action restart, MessageHandler handler)
    {
        using var conversation = new Conversation(this);
        for (var attempt = 1; ; attempt++)
        {
            restart();
            _interrupted = false;
            Send(request.Seal(++_sequence, NLM_F_DUMP), request);
            NetlinkException? failure = null;
            while (!TryFinish(request, _sequence, handler, out failure))
            {
            }

            if (failure is not null)
            {
                throw failure;
            }

            if (!_interrupted || attempt == DumpAttempts)
            {
                return;
            }
        }
    }

    /// <summary>
    /// Opens a socket that hears multicast messages of the calling thread's namespace; the caller receives datagrams from it at its
    /// leisure.
    /// </summary>
    /// <param name="protocol">The netlink family.</param>
    /// <param name="groups">The groups as a mask.</param>
    public static Socket OpenListener(int protocol, uint groups)
    {
        using var socket = Open(protocol, groups);
        var listener = new Socket(new SafeSocketHandle(socket.DangerousGetHandle(), ownsHandle: true));
        socket.SetHandleAsInvalid(); // the listener owns the descriptor now
        return listener;
    }

    /// <summary>Hands over each message of a datagram.</summary>
    public static void ForEach(ReadOnlySpan<byte> datagram, MessageHandler handler)
    {
        while (TryCut(ref datagram, out var header, out var payload))
        {
            handler(header.Type, payload);
        }
    }

    /// <summary>Closes the socket, once no thread waits on it any more.</summary>
    public void Dispose() => _socket.Dispose();

    private static SafeFileHandle Open(int protocol, uint groups)
    {
        var fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
        if (fd < 0)
        {
            throw new SyscallException("socket", $"AF_NETLINK protocol {protocol}", Marshal.GetLastPInvokeError());
        }

        var handle = new SafeFileHandle(fd, ownsHandle: true);
        var address = stackalloc uint[3] { AF_NETLINK, 0, groups };
        if (bind(handle, address, 3 * sizeof(uint)) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            handle.Dispose();
            throw new SyscallException("bind", $"AF_NETLINK protocol {protocol}", errno);
        }

        return handle;
    }

    private void CollectAcknowledgements(ReadOnlySpan<NetlinkRequest> requests, uint first)
    {
        NetlinkException? failure = null;
        for (var i = 0; i < requests.Length; i++)
        {
            NetlinkException? refused;
            while (!TryFinish(requests[i], first + (uint)i, null, out refused))
            {
            }

            failure ??= refused;
        }

        if (failure is not null)
        {
            throw failure;
        }
    }

    /// <summary>Takes messages until the one that ends the answer to <paramref name="sequence"/>; true when it came.</summary>
    private bool TryFinish(NetlinkRequest request, uint sequence, MessageHandler? handler, out NetlinkException? failure)
    {
        failure = null;
        if (_pendingOffset >= _pendingLength)
        {
            _pendingOffset = 0;
            _pendingLength = ReceiveDatagram(request);
        }

        ReadOnlySpan<byte> rest = _receive.AsSpan(_pendingOffset, _pendingLength - _pendingOffset);
        while (TryCut(ref rest, out var header, out var payload))
        {
            _pendingOffset = _pendingLength - rest.Length;
            if (header.Sequence != sequence)
            {
                continue; // the tail of a conversation that ended by an exception
            }

            _interrupted |= (header.Flags & NLM_F_DUMP_INTR) != 0;
            if (header.Type is NLMSG_ERROR or NLMSG_DONE)
            {
                failure = ReadError(request, header, payload);
                return true;
            }

            handler?.Invoke(header.Type, payload);
        }

        _pendingOffset = _pendingLength;
        return false;
    }

    private int ReceiveDatagram(NetlinkRequest request)
    {
        var length = recv(_socket, _receive);
        if (length < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new SyscallException(
                "recv", $"answer to {request.Call} {request.Subject}", errno == Errno.EAGAIN ? Errno.ETIMEDOUT : errno);
        }

        return length;
    }

    private static NetlinkException? ReadError(NetlinkRequest request, Header header, ReadOnlySpan<byte> payload)
    {
        var errno = payload.Length < 4 ? 0 : -MemoryMarshal.Read<int>(payload);
        if (errno <= 0)
        {
            return null; // an acknowledgement, or the plain end of a list
        }

        string? reason = null;
        if ((header.Flags & NLM_F_ACK_TLVS) != 0)
        {
            var skip = header.Type == NLMSG_DONE ? 4
                : 4 + ((header.Flags & NLM_F_CAPPED) != 0 ? NetlinkRequest.HeaderLength : ((int)MemoryMarshal.Read<uint>(payload[4..]) + 3) & ~3);
            for (var attributes = new NetlinkAttributes(payload[Math.Min(skip, payload.Length)..]); attributes.Next();)
            {
                reason = attributes.Type == 1 /* NLMSGERR_ATTR_MSG */ ? LowerFirst(attributes.Text) : reason;
            }
        }

        return new NetlinkException(request.Call, request.Subject, errno, reason);
    }

    private static string LowerFirst(string text) =>
        text.Length > 1 && char.IsUpper(text[0]) && char.IsLower(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;

    private static bool TryCut(ref ReadOnlySpan<byte> rest, out Header header, out ReadOnlySpan<byte> payload)
    {
        header = default;
        payload = default;
        if (rest.Length < NetlinkRequest.HeaderLength)
        {
            return false;
        }

        header = MemoryMarshal.Read<Header>(rest);
        if (header.Length < NetlinkRequest.HeaderLength || header.Length > rest.Length)
        {
            return false;
        }

        payload = rest[NetlinkRequest.HeaderLength..(int)header.Length];
        rest = rest[Math.Min(((int)header.Length + 3) & ~3, rest.Length)..];
        return true;
    }

    private void Send(ReadOnlySpan<byte> message, NetlinkRequest request)
    {
        fixed (byte* data = message)
        {
            while (send(_socket, data, (nuint)message.Length, 0) < 0)
            {
                var errno = Marshal.GetLastPInvokeError();
                if (errno != Errno.EINTR)
                {
                    throw new SyscallException("send", $"{request.Call} {request.Subject}", errno);
                }
            }
        }
    }

    private static int recv(SafeFileHandle socket, Span<byte> buffer)
    {
        fixed (byte* data = buffer)
        {
            nint length;
            do
            {
                length = recv(socket, data, (nuint)buffer.Length, MSG_TRUNC);
            }
            while (length < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            return length <= buffer.Length ? (int)length
                : throw new SyscallException("recv", $"AF_NETLINK datagram of {length} bytes", Errno.ENOBUFS);
        }
    }

    /// <summary>
    /// One at a time, with a buffer that the socket has for as long as it lasts: most sockets are those of running containers, and idle.
    /// </summary>
    private readonly ref struct Conversation
    {
        private readonly NetlinkSocket _socket;

        public Conversation(NetlinkSocket socket)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(ReceiveBytes);
            socket._gate.Enter();
            (_socket, socket._receive) = (socket, buffer);
            (socket._pendingOffset, socket._pendingLength) = (0, 0);
        }

        public void Dispose()
        {
            ArrayPool<byte>.Shared.Return(_socket._receive);
            _socket._receive = [];
            _socket._gate.Exit();
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Header
    {
        public readonly uint Length;
        public readonly ushort Type, Flags;
        public readonly uint Sequence, Port;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(SafeFileHandle fd, void* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeFileHandle fd, int level, int name, void* value, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(SafeFileHandle fd, void* data, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(SafeFileHandle fd, void* data, nuint length, int flags);
}
