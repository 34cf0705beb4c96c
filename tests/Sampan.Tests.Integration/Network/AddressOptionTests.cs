using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>What the daemon is told of addresses, and what happens when there are none left.</summary>
public sealed class AddressOptionTests
{
    [Fact]
    public async Task Networks_take_the_pools_that_the_daemon_is_given_one_after_the_other_beside_the_host_s_routes()
    {
        await using Daemon daemon = await Daemon.StartAsync("--default-address-pool base=10.55.0.0/22,size=24");
        (await daemon.Machine.ShellAsync("ip link add up0 type veth peer name up1 && ip link set up0 up && ip route add 10.55.1.128/25 dev up0")).Succeeds();
        (await daemon.Docker.Run("run --rm busybox ip -o -4 address show eth0")).Succeeds().Shows("10.55.0.2/24");
        (await daemon.Docker.Run("network create a")).Succeeds();
        (await daemon.Docker.Run("network create b")).Succeeds();
        (await daemon.Docker.Run("network inspect -f '{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}' a b")).Succeeds()
            .Prints("10.55.2.0/24 10.55.2.1 \n10.55.3.0/24 10.55.3.1 ");
        (await daemon.Docker.Run("network create c")).Fails().Complains(Subject.IsReference ? "non-overlapping" : "all predefined address pools have been fully subnetted");
        (await daemon.Docker.Run("network rm a")).Succeeds();
        (await daemon.Docker.Run("network create c")).Succeeds();
    }

    [Fact]
    public async Task A_network_whose_addresses_are_all_in_use_says_so_until_one_is_free()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("network create --subnet 10.56.0.0/29 --ip-range 10.56.0.4/30 --aux-address printer=10.56.0.5 small")).Succeeds();
        (await daemon.Docker.Run("run -d --name one --network small busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name two --network small busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("inspect -f {{.NetworkSettings.Networks.small.IPAddress}} one two")).Succeeds().Prints("10.56.0.4\n10.56.0.6");
        (await daemon.Docker.Run("run --rm --network small busybox true")).Exits(125).Complains("no available IPv4 addresses on this network's address pools: small");
        (await daemon.Docker.Run("run --rm --network small --ip 10.56.0.5 busybox true")).Exits(125).Complains("Address already in use");
        (await daemon.Docker.Run("run --rm --network small --ip 10.56.0.6 busybox true")).Exits(125).Complains("Address already in use");
        (await daemon.Docker.Run("run --rm --network small --ip 10.56.0.9 busybox true")).Exits(125).Complains("10.56.0.9");
        (await daemon.Docker.Run("rm -f one")).Succeeds();
        (await daemon.Docker.Run("run --rm --network small busybox ip -o -4 address show eth0")).Succeeds().Shows("10.56.0.4/29");
    }

    [Fact]
    public async Task An_address_is_asked_for_where_the_user_gave_the_subnet()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("network create any")).Succeeds();
        (await daemon.Docker.Run("run --rm --network any --ip 172.18.0.9 busybox true")).Exits(125)
            .Complains("user specified IP address is supported only when connecting to networks with user configured subnets");
        (await daemon.Docker.Run("run --rm --ip 172.17.0.9 busybox true")).Exits(125).Complains("on user defined networks only");
        (await daemon.Docker.Run("run -d --name idle busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("network connect --ip 172.18.0.9 any idle")).Fails().Complains("networks with user configured subnets");
        (await daemon.Docker.Run("network connect any idle")).Succeeds();
    }

    [Fact]
    public async Task Host_gateway_is_the_host_also_for_the_first_container_of_all()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd's bridge is there from the start");
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("network create n")).Succeeds();
        (await daemon.Docker.Run("run --rm --network n --add-host here:host-gateway busybox ping -c 1 -w 5 here")).Succeeds();
    }

    [Fact]
    public async Task Host_gateway_is_what_the_daemon_is_told()
    {
        Assert.SkipWhen(Subject.IsReference, "the reference takes one address, as --host-gateway-ip");
        await using Daemon daemon = await Daemon.StartAsync("--host-gateway-ip 192.0.2.44 --host-gateway-ip 2001:db8::44");
        string hosts = (await daemon.Docker.Run("run --rm --add-host here:host-gateway busybox cat /etc/hosts")).Succeeds().Output;
        Assert.Matches(@"\n192\.0\.2\.44\s+here\n", hosts);
        Assert.Matches(@"\n2001:db8::44\s+here\n", hosts);
    }
}
