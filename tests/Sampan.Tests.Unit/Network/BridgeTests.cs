using System.Net;
using System.Net.Sockets;
using Sampan.Linux;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

public sealed class BridgeTests
{
    private const int Blocked = 300;
    private static readonly IPEndPoint Anywhere = new(IPAddress.Any, 7);

    [Theory]
    [InlineData(ProtocolType.Udp)]
    [InlineData(ProtocolType.Tcp)]
    public void Containers_reach_each_other_and_the_bridge_under_their_own_addresses(ProtocolType protocol) => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var b = world.NewContainer("b", bridge, "172.17.0.3");

        Assert.Equal("172.17.0.2", World.Reach(a, At("172.17.0.3"), b, Anywhere, protocol)?.ToString());
        Assert.Equal("172.17.0.3", World.Reach(b, At("172.17.0.1"), null, Anywhere, protocol)?.ToString());
        Assert.Equal("172.17.0.1", World.Reach(null, At("172.17.0.2"), a, Anywhere, protocol)?.ToString());
    });

    [Theory]
    [InlineData(ProtocolType.Udp)]
    [InlineData(ProtocolType.Tcp)]
    public void Containers_reach_the_outside_under_the_hosts_address_and_are_not_reached_from_there(ProtocolType protocol) => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        Assert.Equal(World.HostAddress, World.Reach(a, new IPEndPoint(World.OutsideAddress, 7), world.Outside, Anywhere, protocol));

        // A neighbour of the host that routes the subnet to it does not get in.
        world.Outside.Routes.Execute(RouteSocket.AddRoute(new Route(bridge.Subnet, World.HostAddress, 0)));
        Assert.Null(World.Reach(world.Outside, At("172.17.0.2"), a, Anywhere, protocol, Blocked));
    });

    private static IPEndPoint At(string address) => new(IPAddress.Parse(address), 7);
}
