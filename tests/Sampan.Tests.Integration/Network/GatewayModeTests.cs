using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>How containers of a bridge and another machine, which has a route to them, reach each other, by the network's gateway mode.</summary>
public sealed class GatewayModeTests
{
    private const string Option = "-o com.docker.network.bridge.gateway_mode_ipv";

    private static void RequireModes() =>
        Assert.SkipWhen(Subject.IsReference, "gateway modes came with Docker 27, the reference is older");

    private static async Task<(Daemon Daemon, Reach Reach)> StartAsync()
    {
        Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        return (daemon, new Reach(daemon));
    }

    [Theory]
    [InlineData("nat", "- -", "198.51.100.1")]
    [InlineData("nat-unprotected", "198.51.100.2 198.51.100.2", "198.51.100.1")]
    [InlineData("routed", "198.51.100.2 -", "10.77.0.2")]
    public async Task Who_has_a_route_reaches_what_the_mode_opens(string mode, string publishedAndNot, string seenAs)
    {
        RequireModes();
        var (daemon, reach) = await StartAsync();
        await using Daemon ours = daemon;
        (await daemon.Docker.Run($"network create --subnet 10.77.0.0/24 {Option}4={mode} net")).Succeeds();
        await reach.RunAsync("server", "--network net -p 8080:80 -p 53:53/udp");
        await reach.ServeAsync("server", 80, 81, 53);
        Assert.Equal(publishedAndNot, string.Join(' ', await reach.AskAsync("other machine", ["tcp 10.77.0.2 80", "tcp 10.77.0.2 81"])));
        Assert.Equal(publishedAndNot, string.Join(' ', await reach.AskAsync("other machine", ["udp 10.77.0.2 53", "udp 10.77.0.2 81"])));

        // The way out, and the port of the host, which a routed network does not take.
        (await daemon.Machine.ShellAsync($"nsenter --target $(cat /run/other) --net sh -c 'python3 {AppContext.BaseDirectory}/Network/Reach.py serve 7000 >/dev/null 2>&1 & sleep 1'")).Succeeds();
        Assert.Equal([seenAs], await reach.AskAsync("server", ["tcp 198.51.100.2 7000"]));
        Assert.Equal([mode == "routed" ? "-" : "198.51.100.2"], await reach.AskAsync("other machine", ["tcp 198.51.100.1 8080"]));

        // Another network's container reaches what is open to anybody, one of an internal network nothing.
        await reach.RunAsync("stranger", "");
        Assert.Equal([mode == "nat" ? "-" : "172.17.0.2"], await reach.AskAsync("stranger", ["tcp 10.77.0.2 80"]));
        (await daemon.Docker.Run("network create --internal inner")).Succeeds();
        await reach.RunAsync("inmate", "--network inner");
        Assert.Equal(["-"], await reach.AskAsync("inmate", ["tcp 10.77.0.2 80"]));
        Assert.Equal(mode != "nat", (await daemon.Machine.ShellAsync("nsenter --target $(cat /run/other) --net busybox ping -c 1 -W 1 10.77.0.2")).ExitCode == 0);
    }

    [Fact]
    public async Task One_family_is_routed_and_the_other_translated()
    {
        RequireModes();
        var (daemon, reach) = await StartAsync();
        await using Daemon ours = daemon;
        (await daemon.Docker.Run($"network create --ipv6 --subnet 10.77.0.0/24 --subnet 2001:db8:77::/64 {Option}6=routed net")).Succeeds();
        await reach.RunAsync("server", "--network net -p 8080:80 -p 20000-20999:20000-20999");
        await reach.ServeAsync("server", 80, 81, 20500);
        string[] questions = ["tcp 198.51.100.1 8080", "tcp 2001:db8:77::2 80", "tcp 2001:db8:77::2 81", "tcp 2001:db8::1 8080", "tcp 2001:db8:77::2 20500", "tcp 198.51.100.1 20500", "tcp 10.77.0.2 80"];
        string[] answers = ["198.51.100.2", "2001:db8::2", "-", "-", "2001:db8::2", "198.51.100.2", "-"];
        Assert.Equal(answers, await reach.AskAsync("other machine", questions));
        Assert.Equal("""[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":""}]""",
            (await daemon.Docker.Run(["inspect", "--format", "{{json (index .NetworkSettings.Ports \"80/tcp\")}}", "server"])).Succeeds().Output);

        await daemon.KillAsync();
        (await daemon.Machine.ShellAsync("nft flush ruleset")).Succeeds();
        await daemon.LaunchAsync();
        string now = "";
        await Eventually.IsTrue(async () => (now = string.Join(' ', await reach.AskAsync("other machine", questions))) == string.Join(' ', answers), 20, () => $"all is as before: {now}");

        // By another network, whose IPv6 is translated, and back.
        (await daemon.Docker.Run("network create --ipv6 --subnet 2001:db8:78::/64 away")).Succeeds();
        (await daemon.Docker.Run("network connect --gw-priority 9 away server")).Succeeds();
        Assert.Equal("2001:db8::2", (await reach.AskAsync("other machine", ["tcp 2001:db8::1 8080"]))[0]);
        (await daemon.Docker.Run("network disconnect away server")).Succeeds();
        Assert.Equal(answers, await reach.AskAsync("other machine", questions));
        (await daemon.Docker.Run("rm -f server")).Succeeds();
        Assert.DoesNotContain("2001:db8:77::2", (await daemon.Machine.ShellAsync("nft list table inet sampan")).Output);
    }

    [Fact]
    public async Task A_network_of_IPv6_alone_has_names_ports_and_a_way_out()
    {
        Assert.SkipWhen(Subject.IsReference, "networks of IPv6 alone came with Docker 28, the reference is older");
        var (daemon, reach) = await StartAsync();
        await using Daemon ours = daemon;
        (await daemon.Docker.Run("network create --ipv4=false net")).Exits(1).Complains("IPv4 or IPv6 must be enabled");
        (await daemon.Docker.Run("network create --ipv4=false --ipv6 --subnet 10.0.0.0/24 net")).Exits(1).Complains("IPv4 has not been enabled for this network");
        (await daemon.Docker.Run("network create --ipv4=false --ipv6 --subnet 2001:db8:77::/64 net")).Succeeds();
        (await daemon.Docker.Run("network ls --format {{.Name}}={{.IPv4}},{{.IPv6}} --filter name=net")).Succeeds().Prints("net=false,true");
        await reach.RunAsync("server", "--network net --ip6 2001:db8:77::99 -p 8080:80");
        await reach.ServeAsync("server", 80);
        (await daemon.Docker.Run("run --rm --network net busybox ping -6 -c 1 -W 5 server")).Succeeds();
        (await daemon.Docker.Run("run --rm --network net busybox ping -6 -c 1 -W 5 2001:db8::2")).Succeeds();
        (await daemon.Docker.Run("exec server ip -4 address show eth0")).Succeeds().Prints("");

        // By IPv4 the daemon relays; the container sees the bridge.
        Assert.Equal(["2001:db8::2", "2001:db8:77::1"], await reach.AskAsync("other machine", ["tcp 2001:db8::1 8080", "tcp 198.51.100.1 8080"]));
        Assert.Equal(["2001:db8:77::1"], await reach.AskAsync("host", ["tcp 127.0.0.1 8080"]));
        await daemon.KillAsync();
        await daemon.LaunchAsync();
        Assert.Equal(["2001:db8::2", "2001:db8:77::1"], await reach.AskAsync("other machine", ["tcp 2001:db8::1 8080", "tcp 198.51.100.1 8080"]));
        (await daemon.Docker.Run("rm -f server")).Succeeds();
        (await daemon.Docker.Run("network rm net")).Succeeds();
    }

    [Fact]
    public async Task The_host_has_no_address_on_a_bridge_that_is_isolated_or_whose_gateway_is_somebody_else()
    {
        RequireModes();
        var (daemon, _) = await StartAsync();
        await using Daemon ours = daemon;
        (await daemon.Docker.Run($"network create {Option}4=isolated net")).Exits(1).Complains("only internal networks can be isolated");
        (await daemon.Docker.Run($"network create --internal --subnet 10.77.0.0/24 {Option}4=isolated -o com.docker.network.bridge.name=iso0 net")).Succeeds();
        (await daemon.Docker.Run("run -d --name server --network net busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run --rm --network net busybox ping -c 1 -W 5 server")).Succeeds();
        (await daemon.Docker.Run("run --rm --network net busybox ping -c 1 -W 1 10.77.0.1")).Fails();
        Assert.Equal("", (await daemon.Machine.ShellAsync("ip -o -4 address show iso0")).Output);

        (await daemon.Docker.Run("network create --subnet 10.78.0.0/24 -o com.docker.network.bridge.inhibit_ipv4=true -o com.docker.network.bridge.name=own0 own")).Succeeds();
        (await daemon.Docker.Run("run --rm --network own busybox ip route")).Succeeds().Shows("default via 10.78.0.1 dev eth0");
        Assert.Equal("", (await daemon.Machine.ShellAsync("ip -o -4 address show own0")).Output);
    }
}
