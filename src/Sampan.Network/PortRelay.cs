using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Sampan.Network;

/// <summary>
/// Passes on what the kernel cannot lead to a container by translating addresses: what comes to <c>::1</c>, which must not leave loopback,
/// what comes by IPv6 to a container that has IPv4 only, and what is to pass the host's own firewall first. It lives in the daemon, on the
/// socket that holds the port, and costs one waiting receive per port. The container sees the bridge's address as the source.
/// </summary>
public sealed class PortRelay
{
    private const int Backlog = 512, BufferBytes = 64 * 1024, MostClients = 4096;
    private static readonly TimeSpan UdpIdle = TimeSpan.FromSeconds(90);
    private readonly Socket _socket;
    private volatile IPEndPoint _target;
    private int _clients;

    private PortRelay(Socket socket, IPEndPoint target) => (_socket, _target) = (socket, target);

    /// <summary>Whether packets to a port may come to the socket that holds it.</summary>
    public static bool IsNeeded(PublishedPort port) => port.Protocol != PortProtocol.Sctp
        && (port.IsRelayed || port.HostAddress.Equals(IPAddress.IPv6Any) || port.HostAddress.Equals(IPAddress.IPv6Loopback));

    /// <summary>Starts to relay; it ends when the socket is disposed.</summary>
    /// <param name="socket">What <see cref="PortMapper.Reserve"/> gave for the port.</param>
    /// <param name="port">The port.</param>
    public static PortRelay Start(Socket socket, PublishedPort port)
    {
        var relay = new PortRelay(socket, TargetOf(port));
        if (port.Protocol == PortProtocol.Tcp)
        {
            socket.Listen(Backlog);
        }

        _ = port.Protocol == PortProtocol.Tcp ? relay.AcceptAsync() : relay.ReceiveAsync();
        return relay;
    }

    /// <summary>Leads clients that come from now on to another address of the container.</summary>
    public void Move(PublishedPort port) => _target = TargetOf(port);

    private static IPEndPoint TargetOf(PublishedPort port) => new(port.ContainerAddress, port.ContainerPort);

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _socket.AcceptAsync();
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                return;
            }
            catch (SocketException)
            {
                // The client left before it was accepted, or descriptors are short for the moment.
                await Task.Delay(10);
                continue;
            }

            _ = ServeAsync(client);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var target = _target;
        using (client)
        using (var server = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp))
        {
            try
            {
                if (Interlocked.Increment(ref _clients) <= MostClients)
                {
                    await server.ConnectAsync(target);
                    (client.NoDelay, server.NoDelay) = (true, true);
                    await Task.WhenAll(CopyAsync(client, server), CopyAsync(server, client));
                }
            }
            catch (SocketException)
            {
                Reset(client); // nobody listens in the container
            }
            finally
            {
                Interlocked.Decrement(ref _clients);
            }
        }
    }

    private static async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (int length; (length = await from.ReceiveAsync(buffer, SocketFlags.None)) > 0;)
            {
                for (var sent = 0; sent < length;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, length - sent), SocketFlags.None);
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // One side broke off: the other is told, and by that the other direction ends too.
            Reset(from);
            Reset(to);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Closes by a reset, as the kernel tells a client that the other side is not there.</summary>
    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is closed or broken already.
        }

        socket.Close();
    }

    private async Task ReceiveAsync()
    {
        var servers = new Dictionary<SocketAddress, Socket>();
        var buffer = new byte[BufferBytes];
        var from = new SocketAddress(_socket.AddressFamily);
        while (true)
        {
            int length;
            try
            {
                length = await _socket.ReceiveFromAsync(buffer, SocketFlags.None, from);
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                return;
            }
            catch (SocketException)
            {
                continue; // a client is gone, which an earlier answer to it met
            }

            Socket? server;
            bool hasRoom;
            lock (servers)
            {
                servers.TryGetValue(from, out server);
                hasRoom = servers.Count < MostClients;
            }

            try
            {
                if (server is null && hasRoom)
                {
                    var client = new SocketAddress(from.Family, from.Size);
                    from.Buffer[..from.Size].CopyTo(client.Buffer);
                    server = new Socket(_target.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                    await server.ConnectAsync(_target);
                    lock (servers)
                    {
                        servers.Add(client, server);
                    }

                    _ = AnswerAsync(client, server, servers);
                }

                if (server is not null)
                {
                    await server.SendAsync(buffer.AsMemory(0, length), SocketFlags.None);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // A lost datagram, as when nobody listens in the container.
            }
        }
    }

    private async Task AnswerAsync(SocketAddress client, Socket server, Dictionary<SocketAddress, Socket> servers)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        using var idle = new CancellationTokenSource();
        try
        {
            while (true)
            {
                idle.CancelAfter(UdpIdle);
                var length = await server.ReceiveAsync(buffer, SocketFlags.None, idle.Token);
                await _socket.SendToAsync(buffer.AsMemory(0, length), SocketFlags.None, client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Idle, refused by the container, or the port is no more: a client that goes on gets a new socket.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            lock (servers)
            {
                servers.Remove(client);
            }

            server.Dispose();
        }
    }
}
