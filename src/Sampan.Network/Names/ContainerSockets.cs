using System.Buffers.Binary;
using Sampan.Linux;

namespace Sampan.Network.Names;

/// <summary>Port 53 of a container, UDP.</summary>
/// <param name="link">Leads port 53 here, UDP and TCP, while it is open; -1 where the socket is bound to it.</param>
/// <param name="raw">Answers as from port 53, with that; else -1.</param>
internal sealed class UdpSocket(int fd, int link, int raw, Asker asker, Answerer answerer) : Source(fd), IAnswerTo
{
    /// <summary>Questions of one container that are taken before the others have their turn.</summary>
    private const int Turn = 32;

    public override void Ready(uint events)
    {
        for (var i = 0; i < Turn && !IsClosed; i++)
        {
            var length = InetSocket.ReceiveFrom(Fd, answerer.Query, out var client);
            if (length < 0)
            {
                return;
            }

            if (length <= Dns.QueryLimit)
            {
                answerer.Answer(asker, this, client, answerer.Query.AsSpan(0, length), isStream: false);
            }
        }
    }

    /// <summary>An answer that does not get through is lost, as datagrams may be; the client asks again.</summary>
    public void Answer(ReadOnlySpan<byte> message, ulong client)
    {
        if (IsClosed)
        {
            return;
        }

        if (raw < 0)
        {
            _ = InetSocket.SendTo(Fd, message, client);
            return;
        }

        var packet = answerer.Packet.AsSpan(0, InetSocket.RawHeaderSize + message.Length);
        message.CopyTo(packet[InetSocket.RawHeaderSize..]);
        ResolverSockets.WriteHeader(packet, client);
        _ = InetSocket.SendTo(raw, packet, client);
    }

    public override void Close()
    {
        base.Close();
        foreach (var fd in (ReadOnlySpan<int>)[link, raw])
        {
            if (fd >= 0)
            {
                Raw.Close(fd);
            }
        }
    }
}

/// <summary>Port 53 of a container, TCP: it takes connections.</summary>
internal sealed class TcpListener(int fd, Asker asker, Answerer answerer, ResolverLoop loop) : Source(fd)
{
    private const int Turn = 16;

    public override void Ready(uint events)
    {
        for (var i = 0; i < Turn; i++)
        {
            var accepted = UnixSocket.Accept(Fd);
            if (accepted < 0)
            {
                return;
            }

            if (asker.Connections.Count >= Asker.ConnectionLimit)
            {
                loop.Close(asker.Connections[0]);
            }

            var connection = new TcpConnection(accepted, asker, answerer, loop);
            asker.Connections.Add(connection);
            loop.Connections++;
            loop.Add(connection);
        }
    }
}

/// <summary>A connection from a container: questions and answers with two bytes of length before each (RFC 1035, 4.2.2).</summary>
internal sealed class TcpConnection(int fd, Asker asker, Answerer answerer, ResolverLoop loop) : Source(fd), IAnswerTo
{
    /// <summary>Answers that a client does not take; more, and it is cut off.</summary>
    private const int BacklogLimit = 256 * 1024;

    private const long IdleMs = 10_000;
    private readonly byte[] _input = new byte[2 + Dns.QueryLimit];
    private readonly MemoryStream _output = new();
    private int _have;
    private bool _isWriting;

    /// <summary>When it is closed unless something happens.</summary>
    public long IdleAt { get; private set; } = loop.Now + IdleMs;

    public override void Ready(uint events)
    {
        if (_isWriting && !Flush())
        {
            return;
        }

        var read = Raw.Read(Fd, _input.AsSpan(_have));
        if (read == -Errno.EAGAIN)
        {
            return;
        }

        if (read <= 0)
        {
            loop.Close(this);
            return;
        }

        IdleAt = loop.Now + IdleMs;
        _have += read;
        TakeQuestions();
    }

    public void Answer(ReadOnlySpan<byte> message, ulong client)
    {
        if (IsClosed)
        {
            return;
        }

        Span<byte> length = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)message.Length);
        _output.Write(length);
        _output.Write(message);
        if (_output.Length > BacklogLimit)
        {
            loop.Close(this);
            return;
        }

        if (!_isWriting)
        {
            Flush();
        }
    }

    public override void Close()
    {
        base.Close();
        asker.Connections.Remove(this);
        loop.Connections--;
    }

    private void TakeQuestions()
    {
        var at = 0;
        while (!IsClosed && _have - at >= 2)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(_input.AsSpan(at));
            if (length > Dns.QueryLimit)
            {
                loop.Close(this);
                return;
            }

            if (_have - at - 2 < length)
            {
                break;
            }

            answerer.Answer(asker, this, 0, _input.AsSpan(at + 2, length), isStream: true);
            at += 2 + length;
        }

        _input.AsSpan(at, _have - at).CopyTo(_input);
        _have -= at;
    }

    /// <summary>Sends what the client takes; false when it does not take all.</summary>
    private bool Flush()
    {
        var waiting = _output.GetBuffer().AsSpan(0, (int)_output.Length);
        var sent = waiting.Length == 0 ? 0 : UnixSocket.Send(Fd, waiting);
        if (sent < 0 && sent != -Errno.EAGAIN)
        {
            loop.Close(this);
            return false;
        }

        var rest = waiting[Math.Max(0, sent)..];
        rest.CopyTo(waiting);
        _output.SetLength(rest.Length);
        if (_isWriting != rest.Length > 0)
        {
            _isWriting = rest.Length > 0;
            loop.Change(this, _isWriting ? Epoll.EPOLLOUT : Epoll.EPOLLIN);
        }

        return !_isWriting;
    }
}
