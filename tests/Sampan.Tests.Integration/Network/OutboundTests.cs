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
}
