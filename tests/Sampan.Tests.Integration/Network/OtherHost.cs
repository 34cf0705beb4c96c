using Sampan.Tests.Integration.Kit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Another host beside the daemon's machine: 198.51.100.2 and 2001:db8::2, a network namespace of its own behind a link; the machine ends in 1.</summary>
internal static class OtherHost
{
    public static async Task AddAsync(Daemon daemon) => (await daemon.Machine.ShellAsync("""
        unshare --net sleep 1000 >/dev/null 2>&1 & other=$!
        while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
        ip link add up0 type veth peer name far0 netns $other
        ip address add 198.51.100.1/24 dev up0 && ip address add 2001:db8::1/64 dev up0 nodad && ip link set up0 up
        nsenter --target $other --net sh -c 'ip link set lo up; ip address add 198.51.100.2/24 dev far0; ip address add 2001:db8::2/64 dev far0 nodad
            ip link set far0 up; ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8::1'
        echo $other >/run/other
        """)).Succeeds();

    /// <summary>What a client on the other host reads from a port, an empty text when it is not reached.</summary>
    public static async Task<string> ReadAsync(Daemon daemon, string address, int port) =>
        (await daemon.Machine.ShellAsync($"nsenter --target $(cat /run/other) --net timeout 5 busybox nc -w 2 {address} {port} </dev/null")).Output;

    /// <summary>What a client on the machine itself reads from a port.</summary>
    public static async Task<string> ReadHereAsync(Daemon daemon, string address, int port) =>
        (await daemon.Machine.ShellAsync($"timeout 5 busybox nc -w 2 {address} {port} </dev/null")).Output;
}
