using System.Net.Sockets;
using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Network.Names;

/// <summary>
/// The daemon's handle of the resolver. Not thread-safe. Disposing lets go of it: it goes on while it has containers.
/// </summary>
public sealed class ResolverClient : IDisposable
{
    /// <summary>The call of a SyscallException that says that the resolver is gone.</summary>
    public const string SendCall = "sendmsg";

    internal const int PacketLimit = 192 * 1024;

    private const int SendTimeoutMs = 5000, GreetingTimeoutMs = 5000, ReapMs = 5;

    /// <summary>As a monitor's: a small first generation keeps the heap small.</summary>
    private static readonly string[] Environment = ["LANG=C.UTF-8", "DOTNET_GCgen0size=0x40000"];

    private readonly Socket _socket;
    private readonly int _fd;

    private ResolverClient(int fd, int pid, IReadOnlyList<string> holds)
    {
        (_fd, Pid, Holds) = (fd, pid, holds);
        _socket = new Socket(new SafeSocketHandle(fd, ownsHandle: true));
    }

    /// <summary>The process, when it is a child of ours to reap; 0 when it was there already.</summary>
    public int Pid { get; }

    /// <summary>The containers it had when we met.</summary>
    public IReadOnlyList<string> Holds { get; }

    /// <summary>Starts a resolver; nobody waits for it, what is sent is taken when it is ready.</summary>
    /// <param name="socketPath">Where later daemons find it.</param>
    /// <param name="executable">Sampan's own, <c>/proc/self/exe</c>.</param>
    /// <param name="log">A file for what it has to complain of.</param>
    public static ResolverClient Launch(string socketPath, string executable, string log)
    {
        var (ours, theirs) = UnixSocket.Pair(packets: true);
        try
        {
            return new ResolverClient(ours, PosixSpawn.Start(executable, ["sampan", "resolver", socketPath], Environment, theirs, log), []);
        }
        catch
        {
            Raw.Close(ours);
            throw;
        }
        finally
        {
            Raw.Close(theirs);
        }
    }

    /// <summary>The resolver that an earlier daemon has left; null when there is none.</summary>
    public static ResolverClient? Connect(string socketPath)
    {
        var fd = File.Exists(socketPath) ? PacketSocket.Connect(socketPath) : -Errno.ENOENT;
        if (fd < 0)
        {
            return null;
        }

        // Its greeting; while it is busy it may take a moment.
        var buffer = new byte[PacketLimit];
        var wait = new PollFd { Fd = fd, Events = Poll.POLLIN };
        var length = Poll.Wait(new Span<PollFd>(ref wait), GreetingTimeoutMs) ? PacketSocket.Receive(fd, buffer, [], out _) : 0;
        if (length > 0)
        {
            return new ResolverClient(fd, 0, JsonSerializer.Deserialize(buffer.AsSpan(0, length), ResolverJson.Default.ResolverPacket)!.Holds ?? []);
        }

        Raw.Close(fd);
        return null;
    }

    /// <summary>Tells of a container that is new or has changed.</summary>
    /// <param name="sandbox">Its network namespace when the resolver has no sockets there yet; null when it has.</param>
    /// <exception cref="SyscallException">The resolver is gone or does not listen, or the port is taken inside.</exception>
    public void Put(NamedContainer container, Sandbox? sandbox)
    {
        var packet = ResolverJson.Packet(new ResolverPacket { Put = container });
        if (sandbox is null)
        {
            Send(packet);
            return;
        }

        var sockets = ResolverSockets.Open(sandbox);
        try
        {
            Send(packet, sockets);
        }
        finally
        {
            Array.ForEach(sockets, fd => Raw.Close(fd));
        }
    }

    /// <summary>Tells of a container that has ended.</summary>
    /// <exception cref="SyscallException">The resolver is gone.</exception>
    public void Remove(string id) => Send(ResolverJson.Packet(new ResolverPacket { Remove = id }));

    /// <summary>Completes when the resolver has ended.</summary>
    public async Task EndedAsync(CancellationToken cancel)
    {
        var greeting = new byte[4096];
        try
        {
            while (await _socket.ReceiveAsync(greeting, SocketFlags.None, cancel) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // That is an end, too.
        }

        while (Pid > 0 && Raw.Wait(Pid, noHang: true, out _) == 0)
        {
            await Task.Delay(ReapMs, cancel);
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Send(ReadOnlySpan<byte> packet, params ReadOnlySpan<int> sockets)
    {
        int result;
        while ((result = PacketSocket.Send(_fd, packet, sockets)) == -Errno.EAGAIN)
        {
            var wait = new PollFd { Fd = _fd, Events = Poll.POLLOUT };
            if (!Poll.Wait(new Span<PollFd>(ref wait), SendTimeoutMs))
            {
                break;
            }
        }

        if (result < 0)
        {
            throw new SyscallException(SendCall, "the resolver's socket", -result);
        }
    }
}
