using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Networks: bridge, host and none.</summary>
public abstract class NetworkTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task A_container_on_the_bridge_has_an_address_and_a_mac_made_of_it()
    {
        await using Container container = await Idle();
        string shown = (await Run($"exec {container} sh -c 'ip -4 -o address show eth0; ip link show eth0; ip route'")).Succeeds().Output;
        string address = await Inspect("{{.NetworkSettings.IPAddress}}", container.Name);
        byte[] bytes = System.Net.IPAddress.Parse(address).GetAddressBytes();
        Assert.Equal((172, 17), (bytes[0], bytes[1]));
        Assert.Contains($"inet {address}/16", shown);
        Assert.Contains("02:42:" + string.Join(':', bytes.Select(b => b.ToString("x2"))), shown);
        Assert.Contains("default via 172.17.0.1 dev eth0", shown);
        Assert.Equal($"{address} 172.17.0.1 16", await Inspect(
            "{{.NetworkSettings.Networks.bridge.IPAddress}} {{.NetworkSettings.Networks.bridge.Gateway}} {{.NetworkSettings.Networks.bridge.IPPrefixLen}}",
            container.Name));
    }

    [Fact]
    public async Task Containers_on_the_bridge_reach_each_other_and_the_gateway()
    {
        await using Container server = await Idle("", "nc -l -p 8000 -e echo greetings");
        string address = await Inspect("{{.NetworkSettings.IPAddress}}", server.Name);
        (await Run("run --rm busybox ping -c 1 -W 5 172.17.0.1")).Succeeds();
        (await Run($"run --rm busybox sh -c 'for i in 1 2 3 4 5; do nc -w 5 {address} 8000 </dev/null && exit; sleep 0.3; done'"))
            .Succeeds().Prints("greetings");
    }

    [Fact]
    public async Task Without_a_network_there_is_only_the_loopback()
    {
        (await Run("run --rm --network none busybox ls /sys/class/net")).Succeeds().Prints("lo");
        (await Run("run --rm --network none busybox ping -c 1 127.0.0.1")).Succeeds();
    }

    [Fact]
    public async Task On_the_host_s_network_the_container_sees_what_the_host_sees()
    {
        string host = (await Daemon.Machine.ShellAsync("readlink /proc/self/ns/net")).Succeeds().Output;
        (await Run("run --rm --network host busybox readlink /proc/self/ns/net")).Succeeds().Prints(host);
        (await Run("run --rm --network host busybox hostname")).Succeeds().Prints("machine");
        (await Run("run --rm busybox readlink /proc/self/ns/net")).Succeeds();
    }

    [Fact]
    public async Task An_address_is_free_again_when_its_container_has_gone()
    {
        var seen = new HashSet<string>();
        for (int i = 0; i < 4; i++)
            seen.Add((await Run("run --rm busybox hostname -i")).Succeeds().Output);
        Assert.All(seen, address => Assert.StartsWith("172.17.", address));
    }

    [Fact]
    public async Task Ports_out_of_range_are_refused() =>
        (await Run("run --rm -p 99999:80 busybox true")).Exits(125).Complains("99999");
}

/// <summary>The group through Docker's command line.</summary>
public sealed class NetworkWithDockerTests(SharedDaemon shared) : NetworkTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class NetworkWithSampanTests(SharedDaemon shared) : NetworkTests(shared, CommandLine.Sampan);
