using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using Sampan.Linux;

namespace Sampan.Network.Names;

/// <summary>One question on its way, and all who wait for its answer.</summary>
/// <param name="query">As the first client sent it; its id becomes one of chance.</param>
internal sealed class Exchange(byte[] key, byte[] query, int questionLength, UpstreamGroup group, bool isStream)
{
    public byte[] Key => key;

    public byte[] Query { get; } = WithIdOfChance(query);

    public UpstreamGroup Group => group;

    public bool IsStream => isStream;

    /// <summary>Others may join in, and the answer may be kept.</summary>
    public bool IsShared { get; init; }

    public List<Waiter> Waiters { get; } = [];

    public List<UpstreamSocket> Sockets { get; } = [];

    /// <summary>The server to ask next.</summary>
    public int Next { get; set; }

    public long NextAt { get; set; }

    public long AgainAt { get; set; }

    public long GiveUpAt { get; set; }

    /// <summary>What a server said that did not want to answer.</summary>
    public byte[]? Refusal { get; set; }

    /// <summary>The id and the question are those that were asked; else the message is a stray, or a forgery.</summary>
    public bool IsAnsweredBy(ReadOnlySpan<byte> message)
    {
        if (message.Length < Dns.HeaderSize + questionLength || !message[..2].SequenceEqual(Query.AsSpan(0, 2))
            || (message[2] & 0x80) == 0 || BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1)
        {
            return false;
        }

        Span<byte> said = stackalloc byte[Dns.NameLimit + 5], asked = stackalloc byte[Dns.NameLimit + 5];
        message.Slice(Dns.HeaderSize, questionLength).CopyTo(said);
        Query.AsSpan(Dns.HeaderSize, questionLength).CopyTo(asked);
        QuestionKey.Lower(said[..(questionLength - 4)]);
        QuestionKey.Lower(asked[..(questionLength - 4)]);
        return said[..questionLength].SequenceEqual(asked[..questionLength]);
    }

    private static byte[] WithIdOfChance(byte[] query)
    {
        RandomNumberGenerator.Fill(query.AsSpan(0, 2));
        return query;
    }
}

/// <summary>A question at one server, from a port of its own: a forger would have to guess port and id.</summary>
internal sealed class UpstreamSocket : Source
{
    private readonly Exchange _exchange;
    private readonly Forwarder _forwarder;
    private readonly ResolverLoop _loop;
    private readonly byte[] _frame;
    private byte[] _input;
    private int _sent, _have;

    private UpstreamSocket(int fd, Exchange exchange, Forwarder forwarder, ResolverLoop loop)
        : base(fd)
    {
        (_exchange, _forwarder, _loop) = (exchange, forwarder, loop);
        _frame = exchange.IsStream ? [(byte)(exchange.Query.Length >> 8), (byte)exchange.Query.Length, .. exchange.Query] : exchange.Query;
        _input = exchange.IsStream ? new byte[2] : [];
    }

    /// <summary>Asks a server; null when it is out of reach.</summary>
    public static UpstreamSocket? TryOpen(IPEndPoint server, Exchange exchange, Forwarder forwarder, ResolverLoop loop)
    {
        var fd = exchange.IsStream ? InetSocket.ConnectStream(server) : InetSocket.ConnectDatagram(server);
        if (fd < 0)
        {
            return null;
        }

        var socket = new UpstreamSocket(fd, exchange, forwarder, loop);
        if (!exchange.IsStream && UnixSocket.Send(fd, socket._frame) < 0)
        {
            socket.Close();
            return null;
        }

        loop.Add(socket, exchange.IsStream ? Epoll.EPOLLOUT : Epoll.EPOLLIN);
        return socket;
    }

    /// <summary>A datagram may have been lost; a stream loses nothing.</summary>
    public void SendAgain()
    {
        if (!_exchange.IsStream)
        {
            _ = UnixSocket.Send(Fd, _frame);
        }
    }

    public override void Ready(uint events)
    {
        if (!_exchange.IsStream)
        {
            var length = Raw.Read(Fd, _forwarder.Buffer);
            if (length >= 0)
            {
                _forwarder.Received(_exchange, this, _forwarder.Buffer.AsSpan(0, length));
            }
            else if (length != -Errno.EAGAIN)
            {
                _forwarder.Failed(_exchange, this); // nobody listens there
            }
        }
        else if (_sent < _frame.Length)
        {
            Write();
        }
        else
        {
            Read();
        }
    }

    private void Write()
    {
        var sent = UnixSocket.Send(Fd, _frame.AsSpan(_sent));
        if (sent < 0)
        {
            if (sent != -Errno.EAGAIN)
            {
                _forwarder.Failed(_exchange, this);
            }

            return;
        }

        _sent += sent;
        if (_sent == _frame.Length)
        {
            _loop.Change(this, Epoll.EPOLLIN);
        }
    }

    private void Read()
    {
        var read = Raw.Read(Fd, _input.AsSpan(_have));
        if (read <= 0)
        {
            if (read != -Errno.EAGAIN)
            {
                _forwarder.Failed(_exchange, this);
            }

            return;
        }

        _have += read;
        if (_have == 2 && _input.Length == 2)
        {
            Array.Resize(ref _input, 2 + BinaryPrimitives.ReadUInt16BigEndian(_input));
        }

        if (_have == _input.Length && _have > 2)
        {
            var message = _input.AsSpan(2);
            _forwarder.Received(_exchange, this, message);
            if (!IsClosed)
            {
                _forwarder.Failed(_exchange, this); // it said something else
            }
        }
    }
}
