using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Network.Names;

/// <summary>
/// The process that answers containers' look-ups on networks that have names. There is one per exec root, it outlives the daemon, and it
/// ends when it has neither containers nor a daemon. One thread, one loop over epoll(7): what one container floods it with costs the
/// others their turn, not their answers.
/// </summary>
public sealed class ResolverProcess : IDisposable
{
    /// <summary>The launcher's connection.</summary>
    private const int LauncherFd = 3;

    /// <summary>Milliseconds between looks at what is late while something is under way, and while only idle connections are there.</summary>
    private const int PendingTickMs = 20, IdleTickMs = 1000;

    /// <summary>Files open at a time: sockets of the containers, connections, questions under way.</summary>
    private const ulong FileLimit = 1 << 20;

    private const int RLIMIT_NOFILE = 7, ErrorLimit = 100;
    private readonly ResolverLoop _loop = new();
    private readonly NameTable _names = new();
    private readonly Dictionary<string, Asker> _askers = [];
    private readonly List<DaemonConnection> _daemons = [];
    private readonly Forwarder _forwarder;
    private readonly Answerer _answerer;
    private long _lookAt, _lookAtIdle;
    private int _errors;

    private ResolverProcess()
    {
        var cache = new AnswerCache();
        _forwarder = new Forwarder(_loop, cache);
        _answerer = new Answerer(_names, cache, new Upstreams(() => HostFiles.ReadHostResolvConf()), _forwarder, _loop);
    }

    /// <summary>The whole life of a resolver.</summary>
    /// <param name="socketPath">Where the next daemon finds it.</param>
    public static int Run(string socketPath)
    {
        if (!UnixSocket.IsPackets(LauncherFd))
        {
            return 2;
        }

        FileDescriptor.SetCloseOnExec(LauncherFd);
        foreach (var signal in (ReadOnlySpan<int>)[SignalDisposition.SIGHUP, SignalDisposition.SIGINT, SignalDisposition.SIGPIPE])
        {
            SignalDisposition.Ignore(signal);
        }

        File.WriteAllText("/proc/self/comm", "sampan-resolver");
        Raw.Setrlimit(RLIMIT_NOFILE, FileLimit, FileLimit); // refused in a container without CAP_SYS_RESOURCE: what we have must do then
        using var resolver = new ResolverProcess();
        var listener = new DaemonListener(UnixSocket.Listen(socketPath, packets: true), resolver);
        resolver._loop.Add(listener);
        resolver.Accept(LauncherFd);
        resolver.Loop();
        FileDescriptor.Unlink(socketPath);
        return 0;
    }

    public void Dispose() => _loop.Dispose();

    internal void Accept(int fd)
    {
        var daemon = new DaemonConnection(fd, this);
        _daemons.Add(daemon);
        _loop.Add(daemon);
        PacketSocket.Send(fd, ResolverJson.Packet(new ResolverPacket { Holds = [.. _askers.Keys] }));
    }

    internal void Leave(DaemonConnection daemon)
    {
        _loop.Close(daemon);
        _daemons.Remove(daemon);
    }

    internal void Take(ResolverPacket packet, ReadOnlySpan<int> sockets)
    {
        if (packet.Remove is { } id && _askers.Remove(id, out var gone))
        {
            _names.Remove(id);
            Close(gone);
        }

        if (packet.Put is not { } container)
        {
            return;
        }

        if (!_askers.TryGetValue(container.Id, out var asker))
        {
            _askers[container.Id] = asker = new Asker(container);
        }

        (asker.Container, asker.Upstreams) = (container, null);
        _names.Put(container);
        if (sockets is [var udp, var tcp, ..])
        {
            // The namespace is a new one when the container was started again.
            Close(asker);
            var (link, raw) = sockets.Length == PacketSocket.DescriptorLimit ? (sockets[2], sockets[3]) : (-1, -1);
            asker.Sockets.Add(new UdpSocket(udp, link, raw, asker, _answerer));
            asker.Sockets.Add(new TcpListener(tcp, asker, _answerer, _loop));
            asker.Sockets.ForEach(s => _loop.Add(s));
        }
    }

    private void Close(Asker asker)
    {
        asker.Sockets.ForEach(_loop.Close);
        asker.Sockets.Clear();
        foreach (var connection in asker.Connections.ToArray())
        {
            _loop.Close(connection);
        }
    }

    private void Loop()
    {
        while (_askers.Count > 0 || _daemons.Count > 0)
        {
            try
            {
                _loop.Turn(_forwarder.Count > 0 ? PendingTickMs : _loop.Connections > 0 ? IdleTickMs : -1);
                LookForLate();
            }
            catch (Exception e) when (_errors++ < ErrorLimit)
            {
                // One question is lost; all containers would lose their names if this ended. Too many, and a new resolver is better.
                Console.Error.WriteLine($"{DateTimeOffset.UtcNow:O} {e}");
            }
        }
    }

    private void LookForLate()
    {
        if (_loop.Now < _lookAt)
        {
            return;
        }

        _lookAt = _loop.Now + PendingTickMs;
        _forwarder.Tick();
        if (_loop.Connections > 0 && _loop.Now >= _lookAtIdle)
        {
            _lookAtIdle = _loop.Now + IdleTickMs;
            CloseIdle();
        }
    }

    private void CloseIdle()
    {
        foreach (var asker in _askers.Values)
        {
            for (var i = asker.Connections.Count - 1; i >= 0; i--)
            {
                if (_loop.Now >= asker.Connections[i].IdleAt)
                {
                    _loop.Close(asker.Connections[i]);
                }
            }
        }
    }
}

/// <summary>Where daemons connect.</summary>
internal sealed class DaemonListener(int fd, ResolverProcess resolver) : Source(fd)
{
    public override void Ready(uint events)
    {
        if (UnixSocket.Accept(Fd) is var accepted and >= 0)
        {
            resolver.Accept(accepted);
        }
    }
}

/// <summary>A daemon that tells the names.</summary>
internal sealed class DaemonConnection(int fd, ResolverProcess resolver) : Source(fd)
{
    private readonly byte[] _buffer = new byte[ResolverClient.PacketLimit];

    public override void Ready(uint events)
    {
        Span<int> sockets = stackalloc int[PacketSocket.DescriptorLimit];
        var length = PacketSocket.Receive(Fd, _buffer, sockets, out var count);
        if (length == -Errno.EAGAIN)
        {
            return;
        }

        if (length <= 0)
        {
            resolver.Leave(this);
            return;
        }

        resolver.Take(JsonSerializer.Deserialize(_buffer.AsSpan(0, length), ResolverJson.Default.ResolverPacket)!, sockets[..count]);
    }
}
