using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Outbound traffic, seen from another host that the test makes: a network namespace behind a link of the daemon's machine.</summary>
public sealed class OutboundTests
{
    [Fact]
    public async Task Containers_reach_other_hosts_under_the_machine_s_address()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        // The other host: its own network namespace, held by a sleeping process, and a server that tells its connections.
        (await daemon.Machine.ShellAsync("""
            unshare --net sleep 1000 >/dev/null 2>&1 & other=$!
            while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
            ip link add up0 type veth peer name far0 netns $other
            ip address add 198.51.100.1/24 dev up0 && ip link set up0 up
            nsenter --target $other --net sh -c 'ip link set lo up; ip address add 198.51.100.2/24 dev far0; ip link set far0 up'
            echo $other >/run/other
            """)).Succeeds();
        await using var server = new Running(daemon.Machine.Inside("sh", "-c",
            "exec nsenter --target $(cat /run/other) --net busybox nc -l -p 7000 -e busybox netstat -tn"));
        (await daemon.Docker.Run("run --rm busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do nc -w 5 198.51.100.2 7000 </dev/null && exit; sleep 0.3; done'"))
            .Succeeds().Shows("198.51.100.1:");
        // The other host has no way back to the containers' own addresses.
        (await daemon.Machine.ShellAsync("nsenter --target $(cat /run/other) --net ping -c 1 -W 1 172.17.0.1")).Fails();
    }

    [Fact]
    public async Task A_network_with_host_addresses_leaves_under_these()
    {
        Assert.SkipWhen(Subject.IsReference, "Debian's dockerd knows no host_ipv6 and gives networks no IPv6 subnet by itself");
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Machine.ShellAsync("""
            unshare --net sleep 1000 >/dev/null 2>&1 & other=$!
            while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
            ip link add up0 type veth peer name far0 netns $other
            ip address add 198.51.100.1/24 dev up0 && ip address add 198.51.100.9/24 dev up0 && ip link set up0 up
            ip address add 2001:db8::1/64 dev up0 nodad && ip address add 2001:db8::9/64 dev up0 nodad
            nsenter --target $other --net sh -c 'ip link set lo up; ip address add 198.51.100.2/24 dev far0; ip address add 2001:db8::2/64 dev far0 nodad; ip link set far0 up'
            echo $other >/run/other
            """)).Succeeds();
        (await daemon.Docker.Run("network create --ipv6 -o com.docker.network.host_ipv4=198.51.100.9 -o com.docker.network.host_ipv6=2001:db8::9 marked")).Succeeds();
        (await daemon.Docker.Run("network create --ipv6 plain")).Succeeds();
        foreach (var (network, far, source) in ((string, string, string)[])
            [("marked", "198.51.100.2", "198.51.100.9:"), ("marked", "2001:db8::2", "2001:db8::9:"), ("plain", "198.51.100.2", "198.51.100.1:")])
        {
            await using var server = new Running(daemon.Machine.Inside("sh", "-c",
                "exec nsenter --target $(cat /run/other) --net busybox nc -l -p 7000 -e busybox netstat -tn"));
            (await daemon.Docker.Run($"run --rm --network {network} busybox sh -c "
                + $"'for i in 1 2 3 4 5 6 7 8; do nc -w 5 {far} 7000 </dev/null && exit; sleep 0.3; done'")).Succeeds().Shows(source);
        }

        (await daemon.Docker.Run("network create -o com.docker.network.host_ipv4=::1 bad")).Fails();
        (await daemon.Docker.Run("network rm marked plain")).Succeeds();
        Assert.DoesNotContain("198.51.100.9", (await daemon.Machine.ShellAsync("nft list table inet sampan")).Succeeds().Output);
    }
}
