using System.Net;
using System.Net.Sockets;
using Sampan.Linux;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

public sealed class PortMapperTests
{
    private const int Blocked = 300;
    private const string BridgeNetfilter = "net/bridge/bridge-nf-call-iptables"; // absent where the module is not loaded; then as 0
    private static readonly IPAddress ContainerA = IPAddress.Parse("172.17.0.2"), ContainerB = IPAddress.Parse("172.17.0.3");
    private static readonly IPEndPoint Listening = new(IPAddress.Any, 80);

    [Theory]
    [InlineData(ProtocolType.Tcp, "0")]
    [InlineData(ProtocolType.Udp, "0")]
    [InlineData(ProtocolType.Tcp, "1")]
    [InlineData(ProtocolType.Udp, "1")]
    public void A_published_port_is_reached_from_everywhere_and_sees_who_came(ProtocolType protocol, string bridgeNetfilter) => World.Run(world =>
    {
        Sysctl.Write(BridgeNetfilter, bridgeNetfilter);
        var (bridge, far) = (World.Config(), World.Config("far", "172.18.0.1/16"));
        Bridge.Ensure(bridge);
        Bridge.Ensure(far);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var b = world.NewContainer("b", bridge, "172.17.0.3");
        var c = world.NewContainer("c", far, "172.18.0.2");
        PortMapper.Publish(bridge.Name, [Port(protocol, IPAddress.Any)]);
        string? From(Sandbox? place, IPAddress target) => World.Reach(place, new IPEndPoint(target, 8080), a, Listening, protocol)?.ToString();

        Assert.Equal(World.OutsideAddress.ToString(), From(world.Outside, World.HostAddress)); // another machine
        Assert.Equal("172.18.0.2", From(c, World.HostAddress));                              // a container of another network
        Assert.Equal("203.0.113.1", From(null, World.HostAddress));                           // the host by its address
        Assert.Equal("172.17.0.1", From(null, bridge.Gateway!));
        Assert.Equal("172.17.0.1", From(null, IPAddress.Loopback));                           // the host by localhost
        Assert.Equal("172.17.0.1", From(b, World.HostAddress));                               // a neighbour
        Assert.Equal("172.17.0.1", From(a, World.HostAddress));                               // itself
    });

    [Fact]
    public void A_port_published_at_one_address_is_not_reached_at_another() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        PortMapper.Publish(bridge.Name, [Port(ProtocolType.Tcp, IPAddress.Loopback)]);

        Assert.NotNull(World.Reach(null, new IPEndPoint(IPAddress.Loopback, 8080), a, Listening, ProtocolType.Tcp));
        Assert.Null(World.Reach(world.Outside, new IPEndPoint(World.HostAddress, 8080), a, Listening, ProtocolType.Tcp, Blocked));
    });

    [Fact]
    public void An_unpublished_port_is_closed_again_and_may_lead_elsewhere() => World.Run(world =>
    {
        Sysctl.Write(BridgeNetfilter, "0"); // with it, an isolated port's packet is bridged after its translation, and so not delivered
        var bridge = World.Config(icc: false);
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var b = world.NewContainer("b", bridge, "172.17.0.3");
        var port = Port(ProtocolType.Tcp, IPAddress.Any);
        PortMapper.Publish(bridge.Name, [port]);
        PortMapper.Publish(bridge.Name, [port]);
        var refusal = Assert.Throws<NetworkException>(() => PortMapper.Publish(bridge.Name, [port with { ContainerAddress = ContainerB }]));
        Assert.Equal("Bind for 0.0.0.0:8080 failed: port is already allocated", refusal.Message);

        PortMapper.Unpublish([port]);
        PortMapper.Unpublish([port]);
        Assert.Null(World.Reach(world.Outside, new IPEndPoint(World.HostAddress, 8080), a, Listening, ProtocolType.Tcp, Blocked));
        PortMapper.Publish(bridge.Name, [port with { ContainerAddress = ContainerB }]);

        // Without icc a published port is still for everybody, the neighbour included.
        Assert.NotNull(World.Reach(a, new IPEndPoint(World.HostAddress, 8080), b, Listening, ProtocolType.Tcp));
    });

    [Fact]
    public void A_conflict_among_many_publishes_none() => World.Run(_ =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        PortMapper.Publish(bridge.Name, [Port(ProtocolType.Tcp, IPAddress.Any, 8002)]);
        var many =
            Enumerable.Range(8000, 5).Select(port => Port(ProtocolType.Tcp, IPAddress.Any, port) with { ContainerAddress = ContainerB }).ToList();
        Assert.Throws<NetworkException>(() => PortMapper.Publish(bridge.Name, many));

        using var nftables = new Nftables();
        Assert.DoesNotContain("8000", nftables.Run("list table inet sampan"));
    });

    [Fact]
    public void A_flush_is_noticed_and_everything_restored_even_if_the_first_attempt_fails() => World.Run(world =>
    {
        using var restored = new ManualResetEventSlim();
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var attempts = 0;
        void Restore()
        {
            if (++attempts == 1)
            {
                throw new NftablesException("the first attempt fails");
            }

            // The watch runs on pool threads, which are the machine's: the test's host is entered for the work.
            NetworkNamespace.Run($"/proc/{Environment.ProcessId}/task/{world.ThreadId}/ns/net", () => Bridge.Ensure(bridge));
            restored.Set();
        }

        Exception? failure = null;
        var watch = new FirewallWatch(Restore, e => failure = e);
        using (var nftables = new Nftables())
        {
            nftables.Run("flush ruleset");
        }

        Assert.True(restored.Wait(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken));
        Assert.Equal("the first attempt fails", failure?.Message);
        Assert.NotNull(World.Reach(a, new IPEndPoint(World.OutsideAddress, 80), world.Outside, Listening));
        watch.DisposeAsync().AsTask().GetAwaiter().GetResult();
    });

    [Fact]
    public void A_reserved_port_is_nobody_elses_until_it_is_let_go() => World.Run(_ =>
    {
        var first = PortMapper.Reserve(PortProtocol.Tcp, IPAddress.Any, 8080)!;
        Assert.Equal(
            "Bind for 0.0.0.0:8080 failed: port is already allocated",
            Assert.Throws<NetworkException>(() => PortMapper.Reserve(PortProtocol.Tcp, IPAddress.Any, 8080)).Message);
        using (PortMapper.Reserve(PortProtocol.Udp, IPAddress.Any, 8080))
        {
            first.Dispose();
        }

        PortMapper.Reserve(PortProtocol.Tcp, IPAddress.Any, 8080)!.Dispose();
        Assert.Equal(
            "Bind for 192.0.2.77:80 failed: cannot assign requested address",
            Assert.Throws<NetworkException>(() => PortMapper.Reserve(PortProtocol.Tcp, IPAddress.Parse("192.0.2.77"), 80)).Message);
    });

    [Theory]
    [InlineData("0.0.0.0", 0)]
    [InlineData("0.0.0.0", 65536)]
    [InlineData("::", 0)]
    public void Ports_that_cannot_be_are_refused(string address, int port) => Assert.Equal(
        NetworkErrorKind.InvalidParameter,
        Assert.Throws<NetworkException>(() => PortMapper.Publish("none", [Port(ProtocolType.Tcp, IPAddress.Parse(address), port)])).Kind);

    private static PublishedPort Port(ProtocolType protocol, IPAddress address, int port = 8080) =>
        new(protocol == ProtocolType.Tcp ? PortProtocol.Tcp : PortProtocol.Udp, address, port, ContainerA, 80);
}
