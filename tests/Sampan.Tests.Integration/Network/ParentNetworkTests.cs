using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>macvlan and ipvlan: containers beside the host, on the network of its interface up0, where another host is.</summary>
[Trait("vm", "yes")]
public sealed class ParentNetworkTests
{
    private const string Pools = "--subnet 198.51.100.0/24 --ip-range 198.51.100.128/25 --gateway 198.51.100.2 --aux-address router=198.51.100.128 "
        + "--ipv6 --subnet 2001:db8::/64 --gateway 2001:db8::2";

    private static async Task<Daemon> StartAsync()
    {
        Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        return daemon;
    }

    private static Task<CommandResult> FromOtherHost(Daemon daemon, string command) =>
        daemon.Machine.ShellAsync($"nsenter --target $(cat /run/other) --net {command}");

    private static async Task RequireAsync(Daemon daemon, string kind)
    {
        CommandResult probe = await daemon.Machine.ShellAsync($"ip link add probe link up0 {(kind == "dummy" ? "type dummy" : $"type {kind}")} && ip link delete probe");
        Assert.SkipUnless(probe.ExitCode == 0, $"this kernel has no {kind} interfaces: {probe.Error}");
    }

    [Theory]
    [InlineData("macvlan")]
    [InlineData("ipvlan")]
    public async Task Containers_and_another_machine_behind_the_parent_reach_each_other(string driver)
    {
        await using Daemon daemon = await StartAsync();
        await RequireAsync(daemon, driver);
        (await daemon.Docker.Run($"network create -d {driver} -o parent=up0 {Pools} lan")).Succeeds();
        (await daemon.Docker.Run("run -d --name one --network lan -p 8080:80 busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name two --network lan --ip 198.51.100.77 --network-alias dad busybox sleep 1000")).Succeeds();

        string shown = (await daemon.Docker.Run("inspect one")).Succeeds().Output;
        Assert.Contains("\"IPAddress\": \"198.51.100.129\"", shown);
        Assert.Contains("\"Gateway\": \"198.51.100.2\"", shown);
        string six = (await daemon.Docker.Run("inspect --format {{.NetworkSettings.Networks.lan.GlobalIPv6Address}} one")).Succeeds().Output;
        (await daemon.Docker.Run("ps --filter name=one --format {{.Ports}}")).Succeeds().Prints("");

        (await daemon.Docker.Run("exec one ping -c 1 -W 5 two")).Succeeds();
        (await daemon.Docker.Run("exec one ping -c 1 -W 5 dad")).Succeeds();
        (await daemon.Docker.Run("exec one ping -c 1 -W 5 198.51.100.2")).Succeeds();
        (await daemon.Docker.Run("exec one ping -6 -c 1 -W 5 2001:db8::2")).Succeeds();
        (await FromOtherHost(daemon, "busybox ping -c 1 -W 5 198.51.100.77")).Succeeds();
        (await FromOtherHost(daemon, $"busybox ping -6 -c 1 -W 5 {six}")).Succeeds();

        // By its way out a container reaches what is behind the other machine.
        (await FromOtherHost(daemon, "ip address add 192.0.2.9/32 dev lo")).Succeeds();
        (await daemon.Docker.Run("exec one ping -c 1 -W 5 192.0.2.9")).Succeeds();
    }

    [Fact]
    public async Task A_container_is_connected_and_disconnected_while_it_runs_and_its_ports_follow_the_way_out()
    {
        await using Daemon daemon = await StartAsync();
        (await daemon.Docker.Run($"network create -d macvlan -o parent=up0 {Pools} alan")).Succeeds();
        (await daemon.Docker.Run("run -d --name one -p 8080:80 busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("network connect alan one")).Succeeds();
        (await daemon.Docker.Run("exec one ip route")).Succeeds().Shows("default via 198.51.100.2 dev eth1");
        (await daemon.Docker.Run("exec one ping -c 1 -W 5 198.51.100.2")).Succeeds();
        (await daemon.Docker.Run("network disconnect alan one")).Succeeds();
        (await daemon.Docker.Run("exec one ip route")).Succeeds().Shows("default via 172.17.0.1 dev eth0");
        (await daemon.Docker.Run("exec one ls /sys/class/net")).Succeeds().Prints("eth0\nlo");
        (await daemon.Docker.Run("port one 80")).Succeeds().Shows("0.0.0.0:8080");
    }

    [Fact]
    public async Task Of_several_subnets_the_first_with_room_is_taken_or_the_one_that_has_the_address_asked_for()
    {
        await using Daemon daemon = await StartAsync();
        await RequireAsync(daemon, "macvlan");
        // Docker's command line sends several subnets in any order (a map of Go), and so now and then the second first.
        (await daemon.Sampan.Run("network create -d macvlan -o parent=up0 --subnet 192.0.2.0/30 --gateway 192.0.2.1 --subnet 198.51.100.0/24 --gateway 198.51.100.2 lan")).Succeeds();
        (await daemon.Docker.Run(["network", "inspect", "--format", "{{len .IPAM.Config}}", "lan"])).Succeeds().Prints("2");
        (await daemon.Docker.Run("run -d --name one --network lan busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name two --network lan busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name three --network lan --ip 198.51.100.9 busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("exec one ip route")).Succeeds().Shows("default via 192.0.2.1 dev eth0");
        foreach (string name in (string[])["two", "three"])
        {
            (await daemon.Docker.Run($"exec {name} ip route")).Succeeds().Shows("default via 198.51.100.2 dev eth0");
            (await daemon.Docker.Run($"exec {name} ping -c 1 -W 5 198.51.100.2")).Succeeds();
        }
        (await daemon.Docker.Run("exec three ip -o -4 address show eth0")).Succeeds().Shows("198.51.100.9/24");
        (await daemon.Docker.Run("run --rm --network lan --ip 192.0.2.2 busybox true")).Exits(125).Complains("Address already in use");
        if (!Subject.IsReference)
        {
            await daemon.KillAsync();
            await daemon.LaunchAsync();
            (await daemon.Docker.Run("run --rm --network lan --ip 198.51.100.9 busybox true")).Exits(125).Complains("Address already in use");
        }
        (await daemon.Docker.Run("network create -d bridge --subnet 10.9.0.0/24 --subnet 10.10.0.0/24 no")).Exits(1).Complains("subnet");
    }

    [Fact]
    public async Task Private_containers_do_not_reach_each_other_and_internal_ones_have_no_way_out()
    {
        await using Daemon daemon = await StartAsync();
        (await daemon.Docker.Run($"network create -d macvlan --internal -o parent=up0 -o macvlan_mode=private {Pools} lan")).Succeeds();
        (await daemon.Docker.Run("run -d --name one --network lan busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name two --network lan busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("exec one ping -c 1 -W 5 198.51.100.2")).Succeeds();
        (await daemon.Docker.Run("exec one ping -c 1 -W 1 198.51.100.130")).Fails();
        Assert.DoesNotContain("default", (await daemon.Docker.Run("exec one ip route")).Succeeds().Output);
    }

    [Fact]
    public async Task After_a_kill_the_network_is_as_before_and_nothing_is_left_when_it_goes()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd's containers end with it here");
        await using Daemon daemon = await StartAsync();
        string before = (await daemon.Machine.ShellAsync("ip -o link | grep -vcE 'sampan0|docker0'")).Output;
        (await daemon.Docker.Run($"network create -d macvlan -o parent=up0 {Pools} lan")).Succeeds();
        (await daemon.Docker.Run("run -d --name one --network lan busybox sleep 1000")).Succeeds();
        await daemon.KillAsync();
        await daemon.LaunchAsync();
        (await daemon.Docker.Run("exec one ping -c 1 -W 5 198.51.100.2")).Succeeds();
        (await daemon.Docker.Run("run --rm --network lan busybox ping -c 1 -W 5 one")).Succeeds();
        (await daemon.Docker.Run("run --rm --network lan busybox ip -4 -o address show eth0")).Succeeds().Shows("198.51.100.130/24");
        (await daemon.Docker.Run("network rm lan")).Fails().Complains("has active endpoints");
        (await daemon.Docker.Run("rm -f one")).Succeeds();
        (await daemon.Docker.Run("network rm lan")).Succeeds();
        Assert.Equal(before, (await daemon.Machine.ShellAsync("ip -o link | grep -vcE 'sampan0|docker0'")).Output);
    }

    [Theory]
    [InlineData("l3")]
    [InlineData("l3s")]
    public async Task Routed_containers_are_reached_by_a_route_to_the_host(string mode)
    {
        await using Daemon daemon = await StartAsync();
        await RequireAsync(daemon, "ipvlan");
        (await daemon.Docker.Run($"network create -d ipvlan -o parent=up0 -o ipvlan_mode={mode} --subnet 192.0.2.0/24 lan")).Succeeds();
        (await daemon.Docker.Run("run -d --name one --network lan busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name two --network lan busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("exec one ip route")).Succeeds().Shows("default dev eth0");
        (await daemon.Docker.Run("exec one ping -c 1 -W 5 two")).Succeeds();
        (await FromOtherHost(daemon, "ip route add 192.0.2.0/24 via 198.51.100.1")).Succeeds();
        (await FromOtherHost(daemon, "busybox ping -c 1 -W 5 192.0.2.2")).Succeeds();
    }

    [Fact]
    public async Task A_missing_VLAN_or_parent_is_made_and_goes_with_the_network()
    {
        await using Daemon daemon = await StartAsync();
        await RequireAsync(daemon, "dummy");
        await RequireAsync(daemon, "vlan id 10");
        (await daemon.Docker.Run("network create -d macvlan -o parent=up0.10 --subnet 192.0.2.0/25 ten")).Succeeds();
        (await daemon.Docker.Run("network create -d macvlan --subnet 192.0.2.128/25 lonely")).Succeeds();
        string links = (await daemon.Machine.ShellAsync("ip -o link")).Output;
        Assert.Contains("up0.10@up0", links);
        Assert.Contains("dm-" + (await daemon.Docker.Run("network inspect --format {{.Id}} lonely")).Output[..12], links);
        (await daemon.Docker.Run("run -d --name one --network lonely busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run --rm --network lonely busybox ping -c 1 -W 5 one")).Succeeds();
        (await daemon.Docker.Run("rm -f one")).Succeeds();
        (await daemon.Docker.Run("network rm ten lonely")).Succeeds();
        Assert.Equal("0", (await daemon.Machine.ShellAsync("ip -o link | grep -cE 'up0.10|dm-'")).Output);
    }

    [Fact]
    public async Task What_cannot_be_is_refused()
    {
        await using Daemon daemon = await StartAsync();
        async Task Refused(string options, string complaint) =>
            (await daemon.Docker.Run($"network create {options} refused")).Fails().Complains(complaint);
        await Refused("-d macvlan -o parent=lo", "loopback interface is not a valid macvlan parent link");
        await Refused("-d macvlan -o parent=nope", "invalid subinterface vlan name nope, example formatting is eth0.10");
        await Refused("-d macvlan -o parent=nope.10", "not found on the host: nope");
        await Refused("-d macvlan -o parent=up0.4099", "vlan id must be between 1-4094, received: 4099");
        await Refused("-d macvlan -o parent=up0.x", "unable to parse a valid vlan id from: x");
        await Refused("-d macvlan -o parent=up0 -o macvlan_mode=fast", "requested macvlan mode 'fast' is not valid");
        await Refused("-d ipvlan -o parent=up0 -o ipvlan_mode=l4", "requested ipvlan mode 'l4' is not valid");
        await Refused("-d none", "plugin \"none\" not found");
        await Refused("-d null", "only one instance of \"null\" network is allowed");
        await Refused("-d host", "only one instance of \"host\" network is allowed");
        (await daemon.Docker.Run("network create -d macvlan -o parent=up0 first")).Succeeds();
        await Refused("-d macvlan -o parent=up0", "is already using parent interface up0");
    }
}
