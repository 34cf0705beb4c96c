using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sampan.Network;

/// <summary>
/// What the user said about name servers (<c>--dns</c>, <c>--dns-search</c>, <c>--dns-option</c>); an empty list leaves the host's.
/// </summary>
/// <param name="Nameservers">Addresses, in order.</param>
/// <param name="Search">Domains; a single <c>.</c> means none.</param>
/// <param name="Options">As resolv.conf(5) spells them.</param>
public sealed record DnsOverrides(IReadOnlyList<string> Nameservers, IReadOnlyList<string> Search, IReadOnlyList<string> Options)
{
    /// <summary>Nothing said.</summary>
    public static DnsOverrides None { get; } = new([], [], []);
}

/// <summary>
/// The contents of a container's /etc/hosts and /etc/resolv.conf. Texts in, texts out; only the methods named Read touch the host.
/// </summary>
public static class HostFiles
{
    /// <summary>What <c>--add-host NAME:host-gateway</c> stands for.</summary>
    public const string HostGateway = "host-gateway";

    private const string SystemdStub = "127.0.0.53";
    private static readonly string[] DefaultNameservers = ["8.8.8.8", "8.8.4.4"];

    /// <summary>
    /// /etc/hosts as Docker writes it: loopback names, the user's extra hosts, then the container's own name at each of its addresses.
    /// </summary>
    /// <param name="hostname">The container's host name.</param>
    /// <param name="domainname">Its domain, or null or empty.</param>
    /// <param name="addresses">Its addresses; none on network <c>none</c>.</param>
    /// <param name="extraHosts">As <see cref="ParseExtraHosts"/> gives them.</param>
    public static string BuildHosts(
        string hostname, string? domainname, IEnumerable<IPAddress> addresses, IEnumerable<(string Name, IPAddress Address)> extraHosts)
    {
        var text = new StringBuilder(
            "127.0.0.1\tlocalhost\n"
            + "::1\tlocalhost ip6-localhost ip6-loopback\n"
            + "fe00::\tip6-localnet\n"
            + "ff00::\tip6-mcastprefix\n"
            + "ff02::1\tip6-allnodes\n"
            + "ff02::2\tip6-allrouters\n");
        AppendHosts(text, extraHosts);
        var names = string.IsNullOrEmpty(domainname) ? hostname : $"{hostname}.{domainname} {hostname}";
        foreach (var address in addresses)
        {
            text.Append(address).Append('\t').Append(names).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>/etc/hosts of a container on the host's network: the host's own and the user's extra hosts.</summary>
    public static string BuildHostsOfHostNetwork(string hostsOfHost, IEnumerable<(string Name, IPAddress Address)> extraHosts)
    {
        var text = new StringBuilder(hostsOfHost);
        if (hostsOfHost.Length > 0 && hostsOfHost[^1] != '\n')
        {
            text.Append('\n');
        }

        AppendHosts(text, extraHosts);
        return text.ToString();
    }

    /// <summary>Reads <c>--add-host</c> values, <c>NAME:ADDRESS</c>; IPv6 addresses with or without brackets.</summary>
    /// <param name="values">As the API carries them.</param>
    /// <param name="hostGateway">What <see cref="HostGateway"/> stands for: the default bridge's addresses, or the daemon's
    /// settings.</param>
    /// <exception cref="NetworkException">InvalidParameter, in Docker's words.</exception>
    public static IReadOnlyList<(string Name, IPAddress Address)> ParseExtraHosts(
        IEnumerable<string> values, IReadOnlyList<IPAddress> hostGateway)
    {
        var hosts = new List<(string, IPAddress)>();
        foreach (var value in values)
        {
            var colon = value.IndexOf(':', StringComparison.Ordinal);
            var name = colon > 0 ? value[..colon] : throw Invalid($"bad format for add-host: \"{value}\"");
            var target = value[(colon + 1)..];
            if (name.AsSpan().IndexOfAny(" \t\n#") >= 0)
            {
                throw Invalid($"bad format for add-host: \"{value}\"");
            }

            if (target == HostGateway)
            {
                hosts.AddRange(hostGateway.Count > 0 ? hostGateway.Select(address => (name, address))
                    : throw Invalid("unable to derive the IP value for host-gateway"));
                continue;
            }

            var plain = target is ['[', .., ']'] ? target[1..^1] : target;
            hosts.Add(TryParseAddress(plain, out var address) ? (name, address) : throw Invalid($"invalid IP address in add-host: \"{target}\""));
        }

        return hosts;
    }

    /// <summary>
    /// /etc/resolv.conf for a container on the default bridge: the host's, without the servers that only the host itself can reach, and
    /// public ones when none remains; what the user said replaces the host's part.
    /// </summary>
    /// <param name="resolvConfOfHost">The host's file, see <see cref="ReadHostResolvConf"/>.</param>
    /// <param name="overrides">What the user said.</param>
    /// <param name="ipv6">Whether the network has IPv6; otherwise such servers are left out too.</param>
    public static string BuildResolvConf(string resolvConfOfHost, DnsOverrides overrides, bool ipv6 = false)
    {
        var host = Parse(resolvConfOfHost);
        IEnumerable<string> servers = overrides.Nameservers;
        if (overrides.Nameservers.Count == 0)
        {
            var reachable = host.Servers.Where(server => IsReachable(server, ipv6)).ToList();
            servers = reachable.Count > 0 ? reachable : DefaultNameservers;
        }

        return Format(
            servers,
            overrides.Search.Count > 0 ? overrides.Search : host.Search,
            overrides.Options.Count > 0 ? overrides.Options : host.Options);
    }

    /// <summary>
    /// /etc/resolv.conf of a container on a network that has names: the resolver is its one server, and asks the others for it.
    /// <c>ndots:0</c>, unless the user says otherwise, has names of neighbours looked up as they are before domains are searched.
    /// </summary>
    public static string BuildResolvConfOfUserNetwork(string resolvConfOfHost, DnsOverrides overrides)
    {
        var host = Parse(resolvConfOfHost);
        var options = overrides.Options.Count > 0 ? overrides.Options : host.Options;
        return Format(
            [Names.ResolverSockets.Address.ToString()],
            overrides.Search.Count > 0 ? overrides.Search : host.Search,
            options.Any(o => o.StartsWith("ndots:", StringComparison.Ordinal)) ? options : [.. options.Where(o => o.Length > 0), "ndots:0"]);
    }

    /// <summary>
    /// /etc/resolv.conf of a container on the host's network, or on none: the host's servers as they are, unless the user said others.
    /// </summary>
    public static string BuildResolvConfOfHostNetwork(string resolvConfOfHost, DnsOverrides overrides)
    {
        var host = Parse(resolvConfOfHost);
        return Format(
            overrides.Nameservers.Count > 0 ? overrides.Nameservers : host.Servers,
            overrides.Search.Count > 0 ? overrides.Search : host.Search,
            overrides.Options.Count > 0 ? overrides.Options : host.Options);
    }

    /// <summary>The name servers of a resolv.conf that are addresses.</summary>
    public static IReadOnlyList<IPAddress> Nameservers(string resolvConf) =>
        [.. Parse(resolvConf).Servers.Select(ServerAddress).OfType<IPAddress>()];

    /// <summary>
    /// The host's resolv.conf, empty when it has none. Where it only names systemd-resolved's stub, the file with the servers behind the
    /// stub: the stub listens on loopback, where no container reaches it.
    /// </summary>
    public static string ReadHostResolvConf(string path = "/etc/resolv.conf", string behindStub = "/run/systemd/resolve/resolv.conf")
    {
        var text = File.Exists(path) ? File.ReadAllText(path) : "";
        return Parse(text).Servers is [SystemdStub] && File.Exists(behindStub) ? File.ReadAllText(behindStub) : text;
    }

    private static (List<string> Servers, List<string> Search, List<string> Options) Parse(string text)
    {
        var (servers, search, options) = (new List<string>(), new List<string>(), new List<string>());
        foreach (var line in text.Split('\n'))
        {
            var words = line.Split(['#', ';'], 2)[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            switch (words)
            {
                case ["nameserver", var server, ..]: servers.Add(server); break;
                case ["domain" or "search", .. var domains]: search = [.. domains]; break; // resolv.conf(5): the last one wins
                case ["options", .. var words2]: options.AddRange(words2); break;
            }
        }

        return (servers, search, options);
    }

    private static string Format(IEnumerable<string> servers, IReadOnlyList<string> search, IReadOnlyList<string> options)
    {
        var text = new StringBuilder("# Generated by Sampan; it leaves the file alone once it has been changed.\n\n");
        foreach (var server in servers)
        {
            text.Append("nameserver ").Append(server).Append('\n');
        }

        if (search is not ([] or ["."]))
        {
            text.Append("search ").AppendJoin(' ', search).Append('\n');
        }

        if (options is not ([] or [""]))
        {
            text.Append("options ").AppendJoin(' ', options).Append('\n');
        }

        return text.ToString();
    }

    private static void AppendHosts(StringBuilder text, IEnumerable<(string Name, IPAddress Address)> hosts)
    {
        foreach (var (name, address) in hosts)
        {
            text.Append(address).Append('\t').Append(name).Append('\n');
        }
    }

    /// <summary>IPAddress.TryParse also takes <c>1</c> and <c>0x7f.1</c>; those are mistakes here.</summary>
    private static bool TryParseAddress(string text, out IPAddress address) => IPAddress.TryParse(text, out address!)
        && (address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == text);

    /// <summary>The address of a server as resolv.conf(5) names it, without its zone; null when it is none.</summary>
    private static IPAddress? ServerAddress(string server) => TryParseAddress(server.Split('%')[0], out var address) ? address : null;

    private static bool IsReachable(string server, bool ipv6) => ServerAddress(server) is { } address && !IPAddress.IsLoopback(address)
        && (ipv6 || address.AddressFamily == AddressFamily.InterNetwork);

    private static NetworkException Invalid(string message) => new(NetworkErrorKind.InvalidParameter, message);
}
