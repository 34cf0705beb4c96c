using Sampan.Tests.Integration.Kit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Servers that tell clients who they are to them, and clients, in the network namespaces of a test's machine (Reach.py).</summary>
internal sealed class Reach(Daemon daemon)
{
    private static readonly string Script = Path.Combine(AppContext.BaseDirectory, "Network", "Reach.py");

    /// <summary>Starts a container that only sleeps; its network is what matters.</summary>
    public async Task RunAsync(string name, string options) =>
        (await daemon.Docker.Run($"run -d --name {name} {options} busybox sleep 1000")).Succeeds();

    /// <summary>Lets a container answer on ports, by TCP and UDP, IPv4 and IPv6.</summary>
    public async Task ServeAsync(string container, params int[] ports) => (await daemon.Machine.ShellAsync(
        $"mkfifo /run/{container}; {await EnterAsync(container)} python3 {Script} serve {string.Join(' ', ports)} >/run/{container} 2>&1 & read -r line </run/{container}; test \"$line\" = ready"))
        .Succeeds();

    /// <summary>Asks servers; each answer is the client's address as the server sees it, <c>-</c> when there is none.</summary>
    /// <param name="from">A container's name, <c>other machine</c>, or <c>host</c>.</param>
    /// <param name="questions">As <c>udp 192.0.2.1 80</c>.</param>
    /// <param name="sourcePort">The clients' port, 0 for any.</param>
    public async Task<string[]> AskAsync(string from, IReadOnlyCollection<string> questions, int sourcePort = 0)
    {
        string enter = from switch
        {
            "host" => "",
            "other machine" => "nsenter --target $(cat /run/other) --net",
            _ => await EnterAsync(from),
        };
        return (await daemon.Machine.ShellAsync($"{enter} python3 {Script} ask {(sourcePort == 0 ? "" : sourcePort)} {string.Join(' ', questions)}")).Succeeds().Lines;
    }

    /// <summary>A container's address in a network.</summary>
    public async Task<string> AddressAsync(string container, string network, bool six) =>
        (await daemon.Docker.Run($"inspect --format '{{{{(index .NetworkSettings.Networks \"{network}\").{(six ? "GlobalIPv6Address" : "IPAddress")}}}}}' {container}")).Succeeds().Output;

    /// <summary>The host's address in a network.</summary>
    public async Task<string> GatewayAsync(string network, bool six) =>
        (await daemon.Docker.Run($"network inspect --format '{{{{(index .IPAM.Config {(six ? 1 : 0)}).Gateway}}}}' {network}")).Succeeds().Output;

    private async Task<string> EnterAsync(string container) =>
        $"nsenter --target {(await daemon.Docker.Run($"inspect --format {{{{.State.Pid}}}} {container}")).Succeeds().Output} --net";
}
