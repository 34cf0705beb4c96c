using System.Net;
using Microsoft.Win32.SafeHandles;
using Sampan.Linux;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

public sealed class SandboxTests
{
    [Fact]
    public void A_sandbox_has_loopback_up_and_nothing_else() => World.Run(world =>
    {
        var sandbox = world.NewSandbox("a");
        var lo = Assert.Single(sandbox.Routes.ListLinks());
        Assert.Equal(("lo", true), (lo.Name, lo.IsUp));
        Assert.Contains(sandbox.Routes.ListAddresses(), address => address.Address.Equals(IPAddress.Loopback));
        Assert.DoesNotContain(sandbox.Routes.ListRoutes(), route => route.Destination.BaseAddress.GetAddressBytes().Length == 4);
        Assert.Equal("1", sandbox.Run(() => Sysctl.Read("net/ipv6/conf/default/disable_ipv6")) ?? "1");
    });

    [Fact]
    public void An_attached_sandbox_has_what_a_container_sees_under_docker() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var sandbox = world.NewSandbox("a");
        var endpoint =
            BridgeEndpoint.Attach(sandbox, bridge, IPAddress.Parse("172.17.0.2"), EndpointInfo.MacFor(IPAddress.Parse("172.17.0.2")));

        Assert.Matches("^veth[0-9a-f]{7}$", endpoint.HostInterface);
        Assert.Equal("1", Sysctl.Read($"net/ipv6/conf/{endpoint.HostInterface}/disable_ipv6") ?? "1");
        Assert.Equal("02:42:ac:11:00:02", EndpointInfo.Format(endpoint.Mac));
        var eth0 = sandbox.Routes.FindLink("eth0")!;
        Assert.Equal((true, 1500, endpoint.Mac, "veth"), (eth0.IsUp, eth0.Mtu, eth0.Mac, eth0.Kind));
        Assert.Equal(new LinkAddress(eth0.Index, endpoint.Address!, 16), Assert.Single(sandbox.Routes.ListAddresses(eth0.Index)));
        Assert.Equal(
            ["0.0.0.0/0 via 172.17.0.1", "172.17.0.0/16 via "],
            sandbox.Routes.ListRoutes().Where(route => route.LinkIndex == eth0.Index).Select(route => $"{route.Destination} via {route.Gateway}").Order());

        using var host = new RouteSocket();
        var port = host.FindLink(endpoint.HostInterface)!;
        Assert.Equal((host.FindLink("sampan0")!.Index, "sampan:test:a"), (port.Master, port.Alias));

        BridgeEndpoint.Detach(endpoint.HostInterface);
        BridgeEndpoint.Detach(endpoint.HostInterface);
        Assert.Null(host.FindLink(endpoint.HostInterface));
        Assert.Null(sandbox.Routes.FindLink("eth0"));
    });

    [Fact]
    public void A_reused_address_with_another_hardware_address_is_announced() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        var ip = IPAddress.Parse("172.17.0.3");
        var target = new IPEndPoint(ip, 7);
        for (byte i = 1; i <= 3; i++)
        {
            var b = world.NewSandbox($"b{i}");
            var endpoint = BridgeEndpoint.Attach(b, bridge, ip, new([0x02, 0, 0, 0, 0, i]));

            // The neighbour's entry still holds the one before, which is gone: without an announcement this would not arrive.
            Assert.NotNull(World.Reach(a, target, b, new IPEndPoint(IPAddress.Any, 7)));
            BridgeEndpoint.Detach(endpoint.HostInterface);
        }
    });

    [Fact]
    public void A_failed_attach_leaves_nothing() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var a = world.NewContainer("a", bridge, "172.17.0.2");
        using var host = new RouteSocket();
        var before = host.ListLinks().Count;
        var ip = IPAddress.Parse("172.17.0.9");

        Assert.Equal(Errno.EEXIST, Assert.Throws<NetlinkException>(() => BridgeEndpoint.Attach(a, bridge, ip, EndpointInfo.MacFor(ip))).Errno);
        Assert.Equal(Errno.EEXIST, Assert.Throws<NetlinkException>(() => BridgeEndpoint.Attach(a, bridge, ip, EndpointInfo.MacFor(ip), "eth1")).Errno); // a second default route
        Assert.Throws<NetlinkException>(() => BridgeEndpoint.Attach(a, bridge with { Name = "nowhere" }, ip, EndpointInfo.MacFor(ip), "eth1"));
        Assert.Throws<NetworkException>(() => BridgeEndpoint.Attach(a, bridge, IPAddress.Parse("10.0.0.1"), EndpointInfo.MacFor(ip), "eth1"));
        Assert.Equal(before, host.ListLinks().Count);
    });

    [Fact]
    public void A_sandbox_is_opened_again_by_whoever_refers_to_it_and_ends_with_the_last() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        using var host = new RouteSocket();
        var ip = IPAddress.Parse("172.17.0.2");
        string port;
        SafeFileHandle reference;
        using (var first = Sandbox.Create("kept"))
        {
            port = BridgeEndpoint.Attach(first, bridge, ip, EndpointInfo.MacFor(ip)).HostInterface;
            reference = first.OpenNamespace();
        }

        using (reference)
        using (var again = Sandbox.Open("kept", NetworkNamespace.PathOf(reference)))
        {
            Assert.Contains(again.Routes.ListAddresses(), address => address.Address.Equals(ip));
            Assert.NotEqual(NetworkNamespace.Current, again.Run(() => NetworkNamespace.Current));
        }

        Assert.True(SpinWait.SpinUntil(() => host.FindLink(port) is null, 5000), "nothing is left");
        Assert.Throws<DirectoryNotFoundException>(() => Sandbox.Open("gone", "/proc/0/ns/net"));
    });

    [Fact]
    public void Many_threads_make_attach_and_delete_sandboxes_at_once() => World.Run(world =>
    {
        var bridge = World.Config();
        Bridge.Ensure(bridge);
        var host = $"/proc/{Environment.ProcessId}/task/{world.ThreadId}/ns/net";
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => NetworkNamespace.Run(host, () =>
        {
            var ip = IPAddress.Parse($"172.17.1.{i + 1}");
            using var sandbox = Sandbox.Create($"many{i}");
            BridgeEndpoint.Attach(sandbox, bridge, ip, EndpointInfo.MacFor(ip));
            Assert.NotNull(World.Reach(sandbox, new IPEndPoint(World.OutsideAddress, 1000 + i), world.Outside, new IPEndPoint(IPAddress.Any, 1000 + i)));
            return 0;
        }));
        Assert.True(SpinWait.SpinUntil(() => BridgeEndpoint.Find("test").Count == 0, 5000), "nothing is left");
    });

    [Fact]
    public void Errors_name_message_subject_errno_and_the_kernels_reason() => World.Run(_ =>
    {
        using var routes = new RouteSocket();
        var missing = Assert.Throws<NetlinkException>(() => routes.Execute(RouteSocket.SetLink("nobody", up: true)));
        Assert.Equal(("RTM_SETLINK", "'nobody'", Errno.ENODEV), (missing.Call, missing.Subject, missing.Errno));

        var unreachable = Assert.Throws<NetlinkException>(
            () => routes.Execute(RouteSocket.AddRoute(new Route(IPNetwork.Parse("10.0.0.0/8"), IPAddress.Parse("192.0.2.1"), 0))));
        Assert.Equal("RTM_NEWROUTE 10.0.0.0/8 via 192.0.2.1: nexthop has invalid gateway: network is unreachable", unreachable.Message);

        // A conversation that failed does not disturb the next.
        Assert.NotNull(routes.FindLink("lo"));
        Assert.Null(routes.FindLink("nobody"));
    });

    [Fact]
    public void Long_lists_are_read_whole() => World.Run(_ =>
    {
        using var routes = new RouteSocket();
        var lo = routes.FindLink("lo")!.Index;
        for (var i = 0; i < 1000; i++)
        {
            routes.Execute(RouteSocket.AddAddress(lo, new IPAddress([10, 1, (byte)(i >> 8), (byte)i]), 32));
        }

        Assert.Equal(1000, routes.ListAddresses(lo).Count(address => address.PrefixLength == 32));
    });
}
