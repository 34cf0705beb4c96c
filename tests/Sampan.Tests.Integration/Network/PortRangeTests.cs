using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Thousands of ports in one range.</summary>
public sealed class PortRangeTests
{
    private const string Range = "-p 20000-29999:20000-29999 -p 20000-29999:20000-29999/udp";

    [Fact]
    public async Task Ten_thousand_ports_are_led_shown_and_given_back()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        var reach = new Reach(daemon);
        await reach.RunAsync("wide", Range);
        await reach.ServeAsync("wide", 20000);
        await reach.ServeAsync("wide", 29999);
        string[] questions = ["tcp 198.51.100.1 20000", "tcp 198.51.100.1 29999", "udp 198.51.100.1 29999"];
        Assert.Equal(["198.51.100.2", "198.51.100.2", "198.51.100.2"], await reach.AskAsync("other machine", questions));
        (await daemon.Docker.Run("port wide 29999/tcp")).Succeeds().Shows("0.0.0.0:29999");
        (await daemon.Docker.Run("ps --format {{.Ports}}")).Succeeds().Shows("0.0.0.0:20000-29999->20000-29999/tcp").Shows("/udp");
        (await daemon.Docker.Run("run --rm -p 25000:80 busybox true")).Exits(125).Complains("Bind for 0.0.0.0:25000 failed: port is already allocated");

        if (!Subject.IsReference)
        {
            Assert.Equal("2", (await daemon.Machine.ShellAsync("nft list table inet sampan | grep -c '20000-29999 : '")).Output);
            await daemon.KillAsync();
            await daemon.LaunchAsync();
            Assert.Equal(["198.51.100.2", "198.51.100.2", "198.51.100.2"], await reach.AskAsync("other machine", questions));
            (await daemon.Docker.Run("run --rm -p 24000-26000:24000-26000 busybox true")).Exits(125).Complains("port is already allocated");
        }

        (await daemon.Docker.Run("rm -f wide")).Succeeds();
        (await daemon.Docker.Run($"run --rm -p 25000:80 busybox true")).Succeeds();
        (await daemon.Docker.Run($"run --rm {Range} busybox true")).Succeeds();
        Assert.Equal("0", (await daemon.Machine.ShellAsync("nft list table inet sampan | grep -c '20000-29999'")).Output);
    }

    [Fact]
    public async Task A_range_of_which_one_port_is_taken_is_refused_and_nothing_of_it_stays()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Machine.ShellAsync("busybox nc -l -p 25000 >/dev/null 2>&1 & until grep -q :61A8 /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done")).Succeeds();
        (await daemon.Docker.Run($"run --rm {Range} busybox true")).Exits(125).Complains(":25000 failed");
        (await daemon.Docker.Run("run --rm -p 20000:80 busybox true")).Succeeds();
    }

    [Fact]
    public async Task Of_two_starts_for_overlapping_ranges_exactly_one_wins()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        CommandResult[] both = await Task.WhenAll(
            daemon.Docker.Run("run -d -p 20000-21000:20000-21000 busybox sleep 1000"), daemon.Docker.Run("run -d -p 20500-21500:20500-21500 busybox sleep 1000"));
        Assert.Single(both, result => result.ExitCode == 0);
        Assert.Single(both, result => result.Error.Contains("port is already allocated"));
    }
}
