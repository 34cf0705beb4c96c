using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Who reaches what, and as whom: from another host, the host, the container itself, its neighbours and other networks.</summary>
public sealed class ReachTests
{
    // Tells each client its address.
    private const string Server = "busybox nc -ll -p 80 -e netstat -tn";

    [Fact]
    public async Task A_published_port_is_reached_from_everywhere_and_sees_who_came()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        (await daemon.Docker.Run("network create other")).Succeeds();
        (await daemon.Docker.Run("run -d --name web -p 8080:80 " + Server)).Succeeds();
        (await daemon.Docker.Run("run -d --name neighbour busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name stranger --network other busybox sleep 1000")).Succeeds();
        await Eventually.IsTrue(async () => (await OtherHost.ReadHereAsync(daemon, "172.17.0.2", 80)).Length > 0, 20, () => "the server answers");

        Assert.Contains("198.51.100.2:", await OtherHost.ReadAsync(daemon, "198.51.100.1", 8080));
        Assert.NotEqual("", await OtherHost.ReadHereAsync(daemon, "198.51.100.1", 8080));
        Assert.NotEqual("", await OtherHost.ReadHereAsync(daemon, "127.0.0.1", 8080));
        Assert.NotEqual("", await OtherHost.ReadHereAsync(daemon, "172.17.0.1", 8080));
        foreach (string client in (string[])["web", "neighbour", "stranger"])
            Assert.NotEqual("", (await daemon.Docker.Run($"exec {client} nc -w 2 198.51.100.1 8080")).Output);
        // Its own address and port are for its network alone.
        Assert.NotEqual("", (await daemon.Docker.Run("exec neighbour nc -w 2 172.17.0.2 80")).Output);
        Assert.Equal("", (await daemon.Docker.Run("exec stranger nc -w 1 172.17.0.2 80")).Output);
        Assert.Equal("", await OtherHost.ReadAsync(daemon, "172.17.0.2", 80));
    }

    [Fact]
    public async Task Ports_outlive_a_killed_daemon_are_held_again_and_go_with_their_container()
    {
        await using Daemon daemon = await Daemon.StartAsync(Subject.IsReference ? "--live-restore" : null);
        await OtherHost.AddAsync(daemon);
        (await daemon.Docker.Run("run -d --name web -p 8080:80 " + Server)).Succeeds();
        (await daemon.Docker.Run("run -d --name gone -p 8081:80 " + Server)).Succeeds();
        string pid = (await daemon.Docker.Run("inspect --format {{.State.Pid}} gone")).Succeeds().Output;
        Assert.NotEqual("", await Answer(daemon, 8081));
        await daemon.KillAsync();
        if (!Subject.IsReference)
            Assert.NotEqual("", await Answer(daemon, 8080)); // dockerd's proxies die with it
        (await daemon.Machine.ShellAsync($"kill -9 {pid}")).Succeeds();
        await daemon.LaunchAsync(Subject.IsReference ? "--live-restore" : null);

        Assert.NotEqual("", await Answer(daemon, 8080));
        (await daemon.Docker.Run("port web")).Succeeds().Shows("0.0.0.0:8080");
        (await daemon.Docker.Run("run --rm -p 8080:80 busybox true")).Exits(125).Complains("8080");
        await Eventually.IsTrue(async () => (await daemon.Docker.Run("run --rm -p 8081:80 busybox true")).ExitCode == 0, 20, () => "the ended container's port is free");
        (await daemon.Docker.Run("rm -f web")).Succeeds();
        Assert.Equal("", await OtherHost.ReadAsync(daemon, "198.51.100.1", 8080));
        (await daemon.Docker.Run("run --rm -p 8080:80 busybox true")).Succeeds();
        // The kernel takes interfaces away in its own time after the namespace has gone.
        string left = "";
        await Eventually.IsTrue(async () => Subject.IsReference || (left = (await daemon.Machine.ShellAsync(
            $"nft list ruleset | grep 172.17.0.[2-9]; ip -o link | grep veth")).Output).Length == 0, 10, () => $"nothing is left: {left}");
    }

    [Fact]
    public async Task Rules_that_somebody_flushed_come_back()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd does not notice");
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        (await daemon.Docker.Run("run -d --name web -p 8080:80 " + Server)).Succeeds();
        Assert.NotEqual("", await Answer(daemon, 8080));
        (await daemon.Machine.ShellAsync("nft flush ruleset")).Succeeds();
        Assert.NotEqual("", await Answer(daemon, 8080));
    }

    [Fact]
    public async Task Networks_are_apart_internal_ones_lead_nowhere_and_icc_off_keeps_neighbours_apart()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        (await daemon.Docker.Run("network create a")).Succeeds();
        (await daemon.Docker.Run("network create --internal b")).Succeeds();
        (await daemon.Docker.Run("network create -o com.docker.network.bridge.enable_icc=false c")).Succeeds();
        foreach (string place in (string[])["a1 a", "a2 a", "b1 b", "b2 b", "c1 c", "c2 c"])
            (await daemon.Docker.Run($"run -d --name {place.Split(' ')[0]} --network {place.Split(' ')[1]} busybox sleep 1000")).Succeeds();

        Assert.True(await Pings("a1", "a2"));
        Assert.True(await Pings("b1", "b2"));
        Assert.False(await Pings("c1", "c2"));
        Assert.False(await Pings("a1", "b1"));
        Assert.False(await Pings("b1", "a1"));
        Assert.False(await Pings("a1", "c1"));
        Assert.True((await daemon.Docker.Run("exec a1 ping -c 1 -W 2 198.51.100.2")).ExitCode == 0);
        Assert.False((await daemon.Docker.Run("exec b1 ping -c 1 -W 1 198.51.100.2")).ExitCode == 0);

        async Task<bool> Pings(string from, string to)
        {
            string network = to[..1];
            string address = (await daemon.Docker.Run($"inspect --format {{{{.NetworkSettings.Networks.{network}.IPAddress}}}} {to}")).Succeeds().Output;
            return (await daemon.Docker.Run($"exec {from} ping -c 1 -W 1 {address}")).ExitCode == 0;
        }
    }

    private static async Task<string> Answer(Daemon daemon, int port)
    {
        string answer = "";
        await Eventually.IsTrue(async () => (answer = await OtherHost.ReadAsync(daemon, "198.51.100.1", port)).Length > 0, 20, () => $"port {port} answers");
        return answer;
    }
}
