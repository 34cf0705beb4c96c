using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>
/// Daemons and monitors that are killed in the middle of what they do to networks leave nothing behind. SAMPAN_TEST_KILLS sets how often
/// (24 when unset), SAMPAN_TEST_SEED which moments (1 when unset).
/// </summary>
public sealed class NetworkKillTests
{
    private const int LatestMilliseconds = 60;

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text) : otherwise;

    [Fact]
    public async Task Whenever_daemon_or_monitor_is_killed_no_interface_namespace_rule_or_address_is_left()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd leaves interfaces and rules");
        var random = new Random(Number("SAMPAN_TEST_SEED", 1));
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("network create --ipv6 n")).Succeeds();
        string clean = await LeftAsync(daemon);
        string[] names = ["aa", "bb", "cc"];
        foreach (string name in names)
            (await daemon.Docker.Run($"create --name {name} -p 80{name[0] - 'a'}0:80 -p 80{name[0] - 'a'}0:80/udp busybox sleep 1000")).Succeeds();
        string[] verbs = ["start {0}", "stop -t 0 {0}", "network connect n {0}", "network disconnect n {0}", "restart -t 0 {0}", "run --rm --network n -P --expose 90 busybox true"];

        for (int kill = 0; kill < Number("SAMPAN_TEST_KILLS", 24); kill++)
        {
            Task<CommandResult>[] commands = [.. names.Select(name => daemon.Docker.Run(string.Format(verbs[random.Next(verbs.Length)], name)))];
            await Task.Delay(random.Next(LatestMilliseconds));
            if (random.Next(3) == 0)
            {
                // One of the containers' monitors; the daemon lives, and sees the container end.
                await daemon.Machine.ShellAsync($"kill -9 $(pgrep -f '^sampan monitor' | head -n {random.Next(1, 4)} | tail -n 1)");
            }
            else
            {
                await daemon.KillAsync();
                await daemon.LaunchAsync();
            }

            await Task.WhenAll(commands); // how they end depends on the moment
        }

        string running = (await daemon.Docker.Run("ps -aq")).Succeeds().Output.ReplaceLineEndings(" ");
        (await daemon.Docker.Run($"rm -f {running}")).Succeeds();
        string left = "";
        await Eventually.IsTrue(async () => (left = await LeftAsync(daemon)) == clean, 20, () => $"nothing is left: {left} instead of {clean}");
        // Addresses and ports are free again, from the first on.
        (await daemon.Docker.Run("run -d --name last -p 8000:80 -p 8010:80/udp -p 8020:80 busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("inspect --format {{.NetworkSettings.Networks.bridge.IPAddress}} last")).Succeeds().Prints("172.17.0.2");
        (await daemon.Docker.Run("network connect n last")).Succeeds();
        Assert.EndsWith("::2", (await daemon.Docker.Run("inspect --format {{.NetworkSettings.Networks.n.GlobalIPv6Address}} last")).Succeeds().Output);
        (await daemon.Docker.Run("rm -f last")).Succeeds();
        (await daemon.Docker.Run("network rm n")).Succeeds();
    }

    // Interfaces of containers (they are there while anybody refers to the namespace), published ports, monitors.
    private static async Task<string> LeftAsync(Daemon daemon) => (await daemon.Machine.ShellAsync($"""
        ip -o link | grep -c veth
        nft list table inet sampan | grep -cE '(tcp|udp) \. '
        pgrep -fc '^sampan monitor'
        """)).Output;
}
