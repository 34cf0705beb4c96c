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
        world.Outside.Routes.Execute(RouteSocket.AddRoute(new Route(bridge.Subnet!.Value, World.HostAddress, 0)));
        Assert.Null(World.Reach(world.Outside, At("172.17.0.2"), a, Anywhere, protocol, Blocked));
    });

    [Theory]
    [InlineData(ProtocolType.Udp)]
    [InlineData(ProtocolType.Tcp)]
    public void Containers_of_different_bridges_do_not_reach_each_other(ProtocolType protocol) => World.Run(world =>
    {
        var (one, other) = (World.Config("one"), World.Config("other", "172.18.0.1/16"));
        Bridge.Ensure(one);
        Bridge.Ensure(other);
        var a = world.NewContainer("a", one, "172.17.0.2");
        var b = world.NewContainer("b", other, "172.18.0.2");

        Assert.Null(World.Reach(a, At("172.18.0.2"), b, Anywhere, protocol, Blocked));
        Assert.Null(World.Reach(b, At("172.17.0.2"), a, Anywhere, protocol, Blocked));
        Assert.NotNull(World.Reach(b, new IPEndPoint(World.OutsideAddress, 7), world.Outside, Anywhere, protocol));
    });

    [Fact]
    public void A_bridge_that_is_full_says_so_and_keeps_nothing_of_the_one_too_many() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        using var host = new RouteSocket();
        using var outside = world.Outside.OpenNamespace();
        var master = host.FindLink(bridge.Name)!.Index;
        for (var i = 0; i < 1023; i++)
        {
            host.AddVeth($"p{i}", 1500, $"q{i}", new([2, 0, 0, 0, (byte)(i >> 8), (byte)i]), outside);
            host.Execute(RouteSocket.SetLink($"p{i}", master: master));
        }

        var before = host.ListLinks().Count;
        var error = Assert.Throws<NetworkException>(() => world.NewContainer("a", bridge, "172.17.0.2"));
        Assert.Contains("bridge 'sampan0' has 1,023 interfaces", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, host.ListLinks().Count);
    });

    [Fact]
    public void A_multicast_reaches_each_container_that_listens() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var group = IPAddress.Parse("239.1.2.3");
        var listeners = Enumerable.Range(3, 3).Select(i => world.NewContainer($"b{i}", bridge, $"172.17.0.{i}").Run(() =>
        {
            var listener = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            listener.Bind(new IPEndPoint(group, 7));
            listener.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(group, IPAddress.Parse($"172.17.0.{i}")));
            return listener;
        })).ToList();
        using (var sender = a.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)))
        {
            sender.SendTo("hello"u8, new IPEndPoint(group, 7));
            Assert.All(listeners, listener => Assert.True(listener.Poll(3_000_000, SelectMode.SelectRead)));
        }

        listeners.ForEach(listener => listener.Dispose());
    });

    [Fact]
    public void Without_icc_containers_reach_the_outside_but_not_each_other() => World.Run(world =>
    {
        var bridge = World.Config(icc: false);
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var b = world.NewContainer("b", bridge, "172.17.0.3");

        Assert.Null(World.Reach(a, At("172.17.0.3"), b, Anywhere, patience: Blocked));
        Assert.NotNull(World.Reach(a, At("172.17.0.1"), null, Anywhere));
        Assert.NotNull(World.Reach(a, new IPEndPoint(World.OutsideAddress, 7), world.Outside, Anywhere));
    });

    [Fact]
    public void On_an_internal_network_containers_reach_each_other_and_nothing_outside_even_with_a_route() => World.Run(world =>
    {
        var bridge = World.Config(isInternal: true);
        Bridge.Ensure(bridge);
        Sysctl.Write("net/ipv4/ip_forward", "1");
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var b = world.NewContainer("b", bridge, "172.17.0.3");
        var outside = new IPEndPoint(World.OutsideAddress, 7);

        Assert.NotNull(World.Reach(a, At("172.17.0.3"), b, Anywhere));
        Assert.Null(World.Reach(a, outside, world.Outside, Anywhere, patience: Blocked));

        a.Routes.Execute(RouteSocket.AddRoute(new Route(IPNetwork.Parse("0.0.0.0/0"), bridge.Gateway, 0)));
        world.Outside.Routes.Execute(RouteSocket.AddRoute(new Route(bridge.Subnet!.Value, World.HostAddress, 0)));
        Assert.Null(World.Reach(a, outside, world.Outside, Anywhere, patience: Blocked));
    });

    [Fact]
    public void A_container_cannot_reach_loopback_services_of_the_host_through_published_ports_setting() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        PortMapper.Publish(bridge.Name, [new PublishedPort(PortProtocol.Tcp, IPAddress.Any, 8080, IPAddress.Parse("172.17.0.2"), 80)]);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        a.Run(() => Sysctl.Write("net/ipv4/conf/all/route_localnet", "1"));
        a.Routes.Execute(RouteSocket.AddRoute(new Route(IPNetwork.Parse("127.1.0.0/16"), bridge.Gateway, 0)));

        Assert.Null(World.Reach(a, At("127.1.0.1"), null, new IPEndPoint(IPAddress.Parse("127.1.0.1"), 7), patience: Blocked));
    });

    [Fact]
    public void Ensuring_twice_changes_nothing_and_ensuring_after_a_flush_heals() => World.Run(world =>
    {
        var bridge = World.Config();
        var first = Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var rules = Rules();
        Assert.Equal(first, Bridge.Ensure(bridge));
        Assert.Equal(rules, Rules());

        using (var nftables = new Nftables())
        {
            nftables.Run("flush ruleset");
        }

        Sysctl.Write("net/ipv4/ip_forward", "0");
        Assert.Null(World.Reach(a, new IPEndPoint(World.OutsideAddress, 7), world.Outside, Anywhere, patience: Blocked));
        Bridge.Ensure(bridge);
        Assert.Equal(rules, Rules());
        Assert.NotNull(World.Reach(a, new IPEndPoint(World.OutsideAddress, 7), world.Outside, Anywhere));
    });

    [Fact]
    public void Ensuring_with_other_settings_changes_address_mtu_and_rules() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var info = Bridge.Ensure(bridge with { Gateway = IPAddress.Parse("172.30.0.1"), Mtu = 1400, Internal = true, Icc = false });

        using var routes = new RouteSocket();
        Assert.Equal(1400, routes.FindLink(bridge.Name)!.Mtu);
        Assert.Equal("172.30.0.1", Assert.Single(routes.ListAddresses(info.Index)).Address.ToString());
        Assert.Contains("\"name\": \"internal\", \"table\": \"sampan\", \"type\": \"ifname\", \"elem\": [\"sampan0\"]", Rules());
        Assert.DoesNotContain("\"name\": \"masquerade4\", \"table\": \"sampan\", \"type\": \"ifname\", \"elem\"", Rules());
    });

    [Fact]
    public void Daemons_beside_each_other_find_their_own_bridges_and_refuse_the_others() => World.Run(world =>
    {
        var (mine, theirs) = (World.Config("mine", tag: "/var/lib/a"), World.Config("theirs", "172.18.0.1/16", tag: "/var/lib/b"));
        Bridge.Ensure(mine);
        Bridge.Ensure(theirs);
        world.NewContainer("c1", theirs, "172.18.0.2");

        Assert.Equal("mine", Assert.Single(Bridge.Find("/var/lib/a")).Name);
        Assert.Equal("c1", Assert.Single(BridgeEndpoint.Find("/var/lib/b")).SandboxName);
        Assert.Empty(BridgeEndpoint.Find("/var/lib/a"));
        var refusal = Assert.Throws<NetworkException>(() => Bridge.Ensure(theirs with { OwnerTag = "/var/lib/a" }));
        Assert.Equal((NetworkErrorKind.Conflict, "bridge 'theirs' belongs to another daemon ('/var/lib/b')"), (refusal.Kind, refusal.Message));
        Assert.Throws<NetworkException>(() => Bridge.Ensure(mine with { Name = "uplink" }));
    });

    [Fact]
    public void A_removed_bridge_leaves_no_interface_and_no_element() => World.Run(world =>
    {
        var keep = World.Config("keep");
        Bridge.Ensure(keep);
        var before = Rules();
        Bridge.Ensure(World.Config("gone", "172.18.0.1/16"));
        Assert.NotEqual(before, Rules());

        Assert.True(Bridge.Remove("gone"));
        Assert.False(Bridge.Remove("gone"));
        Assert.Equal(before, Rules());
        Assert.Empty(Directory.EnumerateFileSystemEntries("/proc/sys/net/ipv4/conf", "gone"));
    });

    [Theory]
    [InlineData("FORWARD")]
    [InlineData("DOCKER-USER")]
    public void A_host_whose_iptables_drop_what_is_forwarded_gets_two_accepting_rules(string chain) => World.Run(world =>
    {
        using var nftables = new Nftables();
        nftables.Run("add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");
        if (chain != "FORWARD")
        {
            nftables.Run($"add chain ip filter {chain}; add rule ip filter FORWARD jump {chain}");
        }

        var bridge = World.Config();
        Bridge.Ensure(bridge);
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        Assert.NotNull(World.Reach(a, new IPEndPoint(World.OutsideAddress, 7), world.Outside, Anywhere));
        Assert.Equal(2, nftables.Run($"list chain ip filter {chain}").Split("sampan:sampan0").Length - 1);

        Bridge.Remove(bridge.Name);
        Assert.DoesNotContain("sampan", nftables.Run("list table ip filter"));
    });

    [Theory]
    [InlineData("")]
    [InlineData("sixteen-letters-")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("*")]
    [InlineData("..")]
    public void Names_no_interface_can_have_are_refused(string name) =>
        Assert.Equal(NetworkErrorKind.InvalidParameter, Assert.Throws<NetworkException>(() => Bridge.Ensure(World.Config(name))).Kind);

    [Theory]
    [InlineData("fd00::1/64")]
    [InlineData("10.0.0.1/32")]
    [InlineData("10.0.0.1/0")]
    public void Gateways_no_bridge_can_have_are_refused(string subnet) => Assert.Equal(
        NetworkErrorKind.InvalidParameter, Assert.Throws<NetworkException>(() => Bridge.Ensure(World.Config(subnet: subnet))).Kind);

    private static string Rules()
    {
        using var nftables = new Nftables();
        return System.Text.RegularExpressions.Regex.Replace(nftables.Run("list table inet sampan"), ",? ?\"handle\": [0-9]+", "");
    }

    private static IPEndPoint At(string address) => new(IPAddress.Parse(address), 7);
}
