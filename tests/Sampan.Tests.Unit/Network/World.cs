using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Sampan.Linux;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

/// <summary>
/// A small world for one test: a network namespace that plays the host, and beyond it one that plays the outside, joined by a pair. The
/// test's body runs inside the host's; the machine's own namespace is never touched.
/// </summary>
internal sealed class World : IDisposable
{
    public static readonly IPAddress HostAddress = IPAddress.Parse("203.0.113.1"), OutsideAddress = IPAddress.Parse("203.0.113.2");
    private const int PatienceMilliseconds = 3000;
    private const int BindMilliseconds = 5000;
    private readonly List<Sandbox> _sandboxes = [];

    private World()
    {
        Outside = NewSandbox("outside");
        using var routes = new RouteSocket();
        routes.Execute(RouteSocket.SetLink("lo", up: true));
        using (var peer = Outside.OpenNamespace())
        {
            routes.AddVeth("uplink", 1500, "eth0", PhysicalAddress.Parse("02-00-00-00-00-02"), peer);
        }

        Outside.Routes.Execute(
            RouteSocket.AddAddress(Outside.Routes.FindLink("eth0")!.Index, OutsideAddress, 24),
            RouteSocket.SetLink("eth0", up: true));
        routes.Execute(
            RouteSocket.AddAddress(routes.FindLink("uplink")!.Index, HostAddress, 24),
            RouteSocket.SetLink("uplink", up: true));
    }

    /// <summary>The namespace beyond the host; it knows no way to any bridge.</summary>
    public Sandbox Outside { get; }

    /// <summary>The kernel's number of the thread that is inside, so that others can follow it.</summary>
    public int ThreadId { get; } = int.Parse(Path.GetFileName(new FileInfo("/proc/thread-self").LinkTarget!));

    /// <summary>Runs a test in a world of its own.</summary>
    public static void Run(Action<World> test)
    {
        var machine = NetworkNamespace.Current;
        NetworkNamespace.RunInNew(() =>
        {
            Assert.NotEqual(machine, NetworkNamespace.Current);
            using var world = new World();
            test(world);
            return 0;
        });
        Assert.Equal(machine, NetworkNamespace.Current);
    }

    public static BridgeConfig Config(string name = "sampan0", string subnet = "172.17.0.1/16", bool icc = true, bool isInternal = false, string tag = "test") =>
        new(name, IPAddress.Parse(subnet.Split('/')[0]), int.Parse(subnet.Split('/')[1]), 1500, true, icc, isInternal, tag);

    public Sandbox NewSandbox(string name)
    {
        var sandbox = Sandbox.Create(name);
        _sandboxes.Add(sandbox);
        return sandbox;
    }

    /// <summary>A container in all that matters here: a sandbox with an address on a bridge.</summary>
    public Sandbox NewContainer(string name, BridgeConfig bridge, string address)
    {
        var sandbox = NewSandbox(name);
        var endpoint = BridgeEndpoint.Attach(sandbox, bridge, IPAddress.Parse(address), EndpointInfo.MacFor(IPAddress.Parse(address)));
        BridgeEndpoint.SetHairpin(endpoint.HostInterface, true);
        return sandbox;
    }

    /// <summary>
    /// Sends one datagram or opens one connection from one place to a listener in another and returns the address the listener saw, or
    /// null when nothing arrived in <paramref name="patience"/>.
    /// </summary>
    public static IPAddress? Reach(
        Sandbox? from, IPEndPoint target, Sandbox? listenIn, IPEndPoint listenAt, ProtocolType protocol = ProtocolType.Udp, int patience = PatienceMilliseconds)
    {
        using var listener = In(listenIn, () => Bind(listenAt, protocol));
        using var client = In(from, () => Client(protocol));
        if (protocol == ProtocolType.Udp)
        {
            try
            {
                client.SendTo("hello"u8, target);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.NetworkUnreachable or SocketError.HostUnreachable)
            {
                return null;
            }

            EndPoint sender = new IPEndPoint(IPAddress.Any, 0);
            return listener.Poll(patience * 1000, SelectMode.SelectRead) && listener.ReceiveFrom(new byte[64], ref sender) == 5
                ? ((IPEndPoint)sender).Address : null;
        }

        client.Blocking = false;
        try
        {
            client.Connect(target);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.NetworkUnreachable or SocketError.HostUnreachable)
        {
            return null;
        }

        if (!listener.Poll(patience * 1000, SelectMode.SelectRead))
        {
            return null;
        }

        using var accepted = listener.Accept();
        return ((IPEndPoint)accepted.RemoteEndPoint!).Address;
    }

    public static T In<T>(Sandbox? place, Func<T> work) => place is null ? work() : place.Run(work);

    public void Dispose()
    {
        _sandboxes.ForEach(sandbox => sandbox.Dispose());
    }

    private static Socket Client(ProtocolType protocol) =>
        new(AddressFamily.InterNetwork, protocol == ProtocolType.Udp ? SocketType.Dgram : SocketType.Stream, protocol);

    private static Socket Bind(IPEndPoint at, ProtocolType protocol)
    {
        // A process that a test beside this one starts has the last listener, too, until it executes its program.
        Socket? bound = null;
        Assert.True(SpinWait.SpinUntil(() => (bound = TryBind(at, protocol)) is not null, BindMilliseconds), $"{at} stays in use");
        return bound!;
    }

    /// <summary>Null while the address is in use.</summary>
    private static Socket? TryBind(IPEndPoint at, ProtocolType protocol)
    {
        var socket = Client(protocol);
        try
        {
            socket.Bind(at);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            socket.Dispose();
            return null;
        }

        if (protocol == ProtocolType.Tcp)
        {
            socket.Listen();
        }

        return socket;
    }
}
