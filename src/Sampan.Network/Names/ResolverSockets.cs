using System.Net;
using Sampan.Linux;

namespace Sampan.Network.Names;

/// <summary>A container's name server: port 53 of 127.0.0.11 in its network namespace, which containers have in their resolv.conf.</summary>
internal static class ResolverSockets
{
    private const int Port = 53, Backlog = 64;

    /// <summary>Docker's address for it.</summary>
    public static IPAddress Address { get; } = new([127, 0, 0, 11]);

    private static readonly IPEndPoint Server = new(Address, Port);

    /// <summary>
    /// Opens what a container's name server needs in a sandbox; from here on questions wait there, whoever has it. Sockets for UDP and TCP,
    /// and, where the kernel can lead port 53 to sockets that are not bound to it, the link that does and a socket to answer by. Else they
    /// are bound to port 53, and keep programs in the container from binding it on all addresses.
    /// </summary>
    /// <exception cref="SyscallException">The namespace is gone, or a program in it has the port.</exception>
    public static int[] Open(Sandbox sandbox) => sandbox.Run(() =>
    {
        var opened = new List<int>();
        try
        {
            return Steer(opened);
        }
        catch (SyscallException e) when (e.Call == "bpf")
        {
            opened.ForEach(fd => Raw.Close(fd));
            return Bind();
        }
    });

    /// <summary>As the port that was asked, to a client of that port.</summary>
    public static void WriteHeader(Span<byte> packet, ulong client) => InetSocket.WriteRawHeader(packet, Server, client);

    private static int[] Steer(List<int> opened)
    {
        opened.Add(InetSocket.BindDatagram(new IPEndPoint(Address, 0)));
        opened.Add(InetSocket.Listen(new IPEndPoint(Address, 0), Backlog));
        opened.Add(SocketSteering.Open(Server, opened[0], opened[1]));
        opened.Add(InetSocket.OpenRaw());
        return [.. opened];
    }

    /// <summary>The port is shared with a resolver that was killed and has not let go of its sockets yet, and with nobody else.</summary>
    private static int[] Bind()
    {
        var udp = InetSocket.BindDatagram(Server);
        try
        {
            return [udp, InetSocket.Listen(Server, Backlog)];
        }
        catch
        {
            Raw.Close(udp);
            throw;
        }
    }
}
