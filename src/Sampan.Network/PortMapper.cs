using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Sampan.Linux;
using static Sampan.Network.NftJson;

namespace Sampan.Network;

/// <summary>
/// Publishes ports by elements of nftables maps: one transaction for any number, the same cost however many there are already. The client's
/// address reaches the container, except from 127.0.0.0/8, through a <see cref="PortRelay"/>, and from containers of the same bridge, whose
/// answers would otherwise not come back by way of the host: those appear as the bridge's address.
/// </summary>
public static class PortMapper
{
    /// <summary>Publishes ports; all or none. Publishing what is published is no error, so this also restores after a flush.</summary>
    /// <param name="bridge">The bridge of the containers; it must have been ensured.</param>
    /// <param name="ports">The ports; those that are relayed are left out.</param>
    /// <exception cref="NetworkException">A port leads elsewhere already (Conflict).</exception>
    public static void Publish(string bridge, IReadOnlyCollection<PublishedPort> ports)
    {
        Validate(ports);
        ports = Led(ports);
        if (ports.Count == 0)
        {
            return;
        }

        if (ports.Any(p => IsIPv4(p) && !p.IsRouted) && !Sysctl.Write($"net/ipv4/conf/{bridge}/route_localnet", "1"))
        {
            throw new NetlinkException("RTM_GETLINK", $"bridge '{bridge}'", Errno.ENODEV, null);
        }

        try
        {
            Firewall.Current.Run([.. Elements("add", ports)]);
            ForgetFlows(ports);
        }
        catch (NftablesException e) when (e.IsExists)
        {
            throw new NetworkException(NetworkErrorKind.Conflict, ports.Count == 1 && ports.First() is var one
                ? $"Bind for {one.HostEnd} failed: port is already allocated"
                : $"Bind for one of {ports.Count} ports from {ports.First().HostEnd} failed: port is already allocated");
        }
    }

    /// <summary>
    /// Takes ports back. Those that are not published, or whose table is gone, are no error; connections that stand are not cut.
    /// </summary>
    public static void Unpublish(IReadOnlyCollection<PublishedPort> ports)
    {
        ports = Led(ports);
        if (ports.Count > 0 && !TryDelete(ports) && ports.Count > 1)
        {
            foreach (var port in ports)
            {
                TryDelete([port]);
            }
        }

        ForgetFlows(ports);
    }

    /// <summary>
    /// Reserves a port of the host, so that neither another program nor another container takes it: a socket that nobody reads.
    /// Give port 0 for one that is free. Dispose the socket to let it go. Null where the kernel has no SCTP: then no program of the host can
    /// take such a port either.
    /// </summary>
    /// <exception cref="NetworkException">The port is taken, or the address is not the host's (Conflict).</exception>
    public static Socket? Reserve(PortProtocol protocol, IPAddress address, int port)
    {
        var (type, number) = protocol switch
        {
            PortProtocol.Tcp => (SocketType.Stream, ProtocolType.Tcp),
            PortProtocol.Udp => (SocketType.Dgram, ProtocolType.Udp),
            _ => (SocketType.Stream, (ProtocolType)132),
        };
        Socket? socket = null;
        try
        {
            socket = new Socket(address.AddressFamily, type, number);
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            socket.Bind(new IPEndPoint(address, port));
            if (type == SocketType.Stream)
            {
                // .NET sets SO_REUSEADDR, by which sockets share a port as long as none of them listens.
                socket.Listen(0);
            }

            return socket;
        }
        catch (SocketException) when (protocol == PortProtocol.Sctp && socket is null && port != 0)
        {
            return null;
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            throw new NetworkException(NetworkErrorKind.Conflict, e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? $"Bind for {new IPEndPoint(address, port)} failed: port is already allocated"
                : $"Bind for {new IPEndPoint(address, port)} failed: {SyscallException.Describe(e.NativeErrorCode)}");
        }
    }

    /// <summary>
    /// The lowest port of a range at which a program of the host listens, or null. The range is not held: a program that comes later can
    /// take a port of it, but no client from elsewhere reaches it.
    /// </summary>
    public static int? FirstTaken(PublishedPort range)
    {
        var properties = IPGlobalProperties.GetIPGlobalProperties();
        var ends = range.Protocol == PortProtocol.Tcp ? properties.GetActiveTcpListeners() : properties.GetActiveUdpListeners();
        return ends.Where(end => end.Port >= range.HostPort && end.Port <= range.LastHostPort && (end.Address.Equals(range.HostAddress)
                || (end.AddressFamily == range.HostAddress.AddressFamily && range.IsAnyAddress)
                || end.Address.Equals(IPAddress.IPv6Any) || (end.Address.Equals(IPAddress.Any) && IsIPv4(range))))
            .Select(end => (int?)end.Port).Min();
    }

    /// <summary>
    /// Takes back what leads into these subnets and is not of these ports: what containers had that ended while no daemon was there.
    /// </summary>
    public static void Retain(IReadOnlyCollection<IPNetwork> subnets, IReadOnlyCollection<PublishedPort> ports)
    {
        var routed = ports.Where(p => p.IsRouted).Select(p => (p.ProtocolName, p.ContainerAddress.ToString(), p.ContainerPort, p.ContainerPort + p.Count - 1)).ToHashSet();
        foreach (var set in FirewallRules.RoutedPorts)
        {
            var stale = Firewall.Current.Members(set).FindAll(key => RoutedEnd(key) is var end && subnets.Any(s => s.Contains(IPAddress.Parse(end.Item2))) && !routed.Contains(end));
            if (stale.Count > 0)
            {
                Firewall.Current.Run(FirewallRules.Elements("delete", set, stale.Select(key => key.DeepClone())));
            }
        }

        var wanted = Led(ports).Where(p => !p.IsRouted).Select(p => (p.ProtocolName, p.HostAddress.ToString(), p.HostPort, p.LastHostPort)).ToHashSet();
        foreach (var map in (IEnumerable<string>)[.. FirewallRules.PortMaps, .. FirewallRules.RangeMaps])
        {
            var any = map.Contains('4', StringComparison.Ordinal) ? IPAddress.Any : IPAddress.IPv6Any;
            var parts = PartsOf(map);
            var stale = Firewall.Current.Elements(parts[0]).Where(e => IPAddress.TryParse((string?)e.Value, out var to)
                && subnets.Any(s => s.Contains(to)) && !wanted.Contains(Where(e.Key, any))).Select(e => e.Key).ToList();
            if (stale.Count > 0)
            {
                Firewall.Current.Run([.. parts.Select(part => FirewallRules.Elements("delete", part, stale.Select(key => key.DeepClone())))]);
            }
        }
    }

    /// <summary>
    /// A client that sends UDP to a port from before it was published, or to the container that had it, would go on to be led to where its
    /// first packet went: addresses are translated by what is remembered of a flow. So such flows are forgotten.
    /// </summary>
    private static void ForgetFlows(IEnumerable<PublishedPort> ports)
    {
        var udp = ports.Where(p => p.Protocol == PortProtocol.Udp && !p.IsRouted).ToList();
        var published = udp.Where(p => p.Count == 1).Select(p => (p.IsAnyAddress ? null : p.HostAddress, p.HostPort)).ToHashSet();
        var ranges = udp.FindAll(p => p.Count > 1);
        if (udp.Count == 0)
        {
            return;
        }

        using var routes = new RouteSocket();
        var own = routes.ListAddresses().Select(a => a.Address).ToHashSet();
        using var flows = new Conntrack();
        try
        {
            bool IsPublished(IPAddress? address, int port) => published.Contains((address, port)) || ranges.Exists(r =>
                port >= r.HostPort && port <= r.LastHostPort && (address is null ? r.IsAnyAddress : r.HostAddress.Equals(address)));
            flows.Forget(17, (address, port) =>
                IsPublished(address, port) || (IsPublished(null, port) && (own.Contains(address) || IPAddress.IsLoopback(address))));
        }
        catch (NetlinkException e) when (e.Errno is Errno.EINVAL or Errno.EOPNOTSUPP)
        {
            // A kernel without nf_conntrack_netlink: flows that stand last until they have been silent for half a minute.
        }
    }

    /// <summary>True when the kernel has what leads a port to its container.</summary>
    public static bool IsLed(PublishedPort port)
    {
        if (port.IsRouted)
        {
            return Firewall.Current.Members(FirewallRules.RoutedPortsOf(IsIPv4(port))).Exists(key => RoutedEnd(key) is var (name, to, begin, end)
                && name == port.ProtocolName && to == port.ContainerAddress.ToString() && port.ContainerPort >= begin && port.ContainerPort <= end);
        }

        var any = IsIPv4(port) ? IPAddress.Any : IPAddress.IPv6Any;
        return ((int[])[1, 2]).Any(count => Firewall.Current.Elements(PartsOf(MapOf(port with { Count = count }))[0]).Exists(e =>
            Where(e.Key, any) is var (protocol, address, first, last) && protocol == port.ProtocolName && address == port.HostAddress.ToString()
            && port.HostPort >= first && port.HostPort <= last && (string?)e.Value == port.ContainerAddress.ToString()));
    }

    private static List<PublishedPort> Led(IEnumerable<PublishedPort> ports) => [.. ports.Where(p => !p.IsRelayed)];

    private static string MapOf(PublishedPort port) =>
        (port.Count > 1 ? "ranges" : "ports") + (IsIPv4(port) ? "4" : "6") + (port.IsAnyAddress ? "_any" : "");

    /// <summary>The maps of nftables that make up a map of ours.</summary>
    private static string[] PartsOf(string map) => FirewallRules.RangeMaps.Contains(map) ? [map] : [map + "_address", map + "_port"];

    private static (string, string, int, int) Where(JsonNode key, IPAddress any) => key["concat"]?.AsArray() switch
    {
        [var protocol, var port] => ((string)protocol!, any.ToString(), Ends(port!).First, Ends(port!).Last),
        [var protocol, var address, var port] => ((string)protocol!, (string)address!, Ends(port!).First, Ends(port!).Last),
        _ => throw new NftablesException($"unexpected key of a map: {key.ToJsonString()}"),
    };

    private static (string Protocol, string Address, int First, int Last) RoutedEnd(JsonNode key) => key["concat"]?.AsArray() is [var address, var protocol, var port]
        ? ((string)protocol!, (string)address!, Ends(port!).First, Ends(port!).Last)
        : throw new NftablesException($"unexpected element of a set: {key.ToJsonString()}");

    private static (int First, int Last) Ends(JsonNode port) => port is JsonObject range && range["range"] is JsonArray { Count: 2 } ends
        ? ((int)ends[0]!, (int)ends[1]!)
        : ((int)port, (int)port);

    /// <summary>False when one of the ports was not there (flushed by somebody, or never published); then none was deleted.</summary>
    private static bool TryDelete(IReadOnlyCollection<PublishedPort> ports)
    {
        try
        {
            Firewall.Current.Run([.. Elements("delete", ports)]);
            return true;
        }
        catch (NftablesException e) when (e.IsMissing)
        {
            return false;
        }
    }

    /// <summary>One command for each map, whatever the number of ports: a command costs more than its elements.</summary>
    private static IEnumerable<JsonObject> Elements(string verb, IReadOnlyCollection<PublishedPort> ports)
    {
        foreach (var group in ports.Where(p => p.IsRouted).GroupBy(p => FirewallRules.RoutedPortsOf(IsIPv4(p))))
        {
            // Two ports of the host may lead to one of the container.
            yield return FirewallRules.Elements(verb, group.Key, group.DistinctBy(p => (p.Protocol, p.ContainerAddress, p.ContainerPort)).Select(p => Concat(
                p.ContainerAddress.ToString(), p.ProtocolName, p.Count > 1 ? Range(p.ContainerPort, p.ContainerPort + p.Count - 1) : p.ContainerPort)));
        }

        foreach (var group in ports.Where(p => !p.IsRouted).GroupBy(MapOf))
        {
            JsonNode Port(PublishedPort port) => port.Count > 1 ? Range(port.HostPort, port.LastHostPort) : port.HostPort;
            JsonNode Key(PublishedPort port) => port.IsAnyAddress ? Concat(port.ProtocolName, Port(port))
                : Concat(port.ProtocolName, port.HostAddress.ToString(), Port(port));
            var parts = PartsOf(group.Key);
            yield return FirewallRules.Elements(verb, parts[0], group.Select(port => new JsonArray(Key(port), port.ContainerAddress.ToString())));
            if (parts.Length > 1)
            {
                yield return FirewallRules.Elements(verb, parts[1], group.Select(port => new JsonArray(Key(port), port.ContainerPort)));
            }
        }
    }

    private static void Validate(IEnumerable<PublishedPort> ports)
    {
        foreach (var port in ports)
        {
            if (port.Count > 1 && !port.IsRouted && port.HostPort != port.ContainerPort)
            {
                throw new NetworkException(
                    NetworkErrorKind.InvalidParameter, $"invalid range of ports from {port.HostEnd}: it leads to the same numbers of the container");
            }

            if (Math.Min(port.IsRouted ? 1 : port.HostPort, port.ContainerPort) < 1 || Math.Max(port.HostPort, port.ContainerPort) + port.Count - 1 > 65535)
            {
                throw new NetworkException(
                    NetworkErrorKind.InvalidParameter,
                    $"invalid port {(port.HostPort is < 1 or > 65535 ? port.HostPort : port.ContainerPort)}: 1 to 65535");
            }
        }
    }

    private static bool IsIPv4(PublishedPort port) => port.HostAddress.AddressFamily == AddressFamily.InterNetwork;
}
