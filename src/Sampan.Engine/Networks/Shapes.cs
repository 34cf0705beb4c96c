using System.Globalization;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Engine.Networks;

namespace Sampan.Engine;

/// <summary>A container's networks and ports as the API shows them.</summary>
public sealed partial class EngineService
{
    private Dictionary<string, EndpointSettings> Endpoints(ContainerRecord record) =>
        AskedNetworks(record).ToDictionary(asked => asked.Key, asked => EndpointOf(record, asked.Key, asked.Value));

    private EndpointSettings EndpointOf(ContainerRecord record, string name, EndpointSettings asked)
    {
        var network = _networks.Find(name);
        var shown = new EndpointSettings
        {
            IPAMConfig = asked.IPAMConfig,
            Links = asked.Links,
            Aliases = asked.Aliases,
            MacAddress = asked.MacAddress,
            DriverOpts = asked.DriverOpts,
            GwPriority = asked.GwPriority,
            NetworkID = network?.Id ?? "",
            DNSNames = network?.HasNames == true ? DnsNames(record, asked) : null,
        };
        if (record.Endpoints.Find(e => e.Network == name) is { } endpoint)
        {
            shown.EndpointID = endpoint.Id;
            shown.Gateway = endpoint.Gateway;
            shown.IPAddress = endpoint.Address;
            shown.IPPrefixLen = endpoint.PrefixLength;
            shown.MacAddress = endpoint.Mac;
            shown.IPv6Gateway = endpoint.Gateway6;
            shown.GlobalIPv6Address = endpoint.Address6;
            shown.GlobalIPv6PrefixLen = endpoint.PrefixLength6;
        }

        return shown;
    }

    /// <summary>The names under which the others of a network find a container: its name, aliases, short id and host name.</summary>
    private static List<string> DnsNames(ContainerRecord record, EndpointSettings asked) =>
        [.. ((List<string>)[record.Name, .. asked.Aliases ?? [], record.Id[..12], record.Config.Hostname]).Where(n => n.Length > 0).Distinct()];

    private static Dictionary<string, List<PortBinding>?> PortMap(ContainerRecord record)
    {
        var ports = new Dictionary<string, List<PortBinding>?>();
        if (!record.Endpoints.Exists(e => e.HostInterface.Length > 0))
        {
            return ports;
        }

        foreach (var exposed in record.Config.ExposedPorts?.Keys ?? Enumerable.Empty<string>())
        {
            ports[exposed] = null;
        }

        foreach (var published in record.Ports.SelectMany(p => p.Each()).GroupBy(p => p.Key))
        {
            ports[published.Key] = [.. published.Select(p => new PortBinding { HostIp = p.HostIp, HostPort = p.HostPort == 0 ? "" : p.HostPort.ToString(CultureInfo.InvariantCulture) })];
        }

        return new(ports.OrderBy(p => p.Key, StringComparer.Ordinal));
    }

    /// <summary>Without an object for each port but what is shown: a container may have published tens of thousands.</summary>
    private static List<PortSummary> PortList(ContainerRecord record)
    {
        var ports = new List<PortSummary>(record.Ports.Sum(p => p.Count));
        foreach (var published in record.Ports)
        {
            for (var i = 0; i < published.Count; i++)
            {
                ports.Add(new PortSummary
                {
                    IP = published.HostIp,
                    PrivatePort = published.ContainerPort + i,
                    PublicPort = published.HostPort == 0 ? 0 : published.HostPort + i,
                    Type = published.Protocol,
                });
            }
        }

        var single = record.Ports.Where(p => p.Count == 1).Select(p => (p.Protocol, p.ContainerPort)).ToHashSet();
        var ranges = record.Ports.FindAll(p => p.Count > 1);
        foreach (var key in record.Endpoints.Exists(e => e.HostInterface.Length > 0) ? record.Config.ExposedPorts?.Keys ?? Enumerable.Empty<string>() : [])
        {
            var (kind, port) = PortRequests.ReadKey(key);
            var protocol = kind.ToString().ToLowerInvariant();
            if (!single.Contains((protocol, port)) && !ranges.Exists(r => r.Protocol == protocol && port >= r.ContainerPort && port < r.ContainerPort + r.Count))
            {
                ports.Add(new PortSummary { PrivatePort = port, Type = protocol });
            }
        }

        return [.. ports.OrderBy(p => p.PrivatePort).ThenBy(p => p.Type, StringComparer.Ordinal).ThenBy(p => p.PublicPort)];
    }

    private bool MatchesNetwork(ContainerRecord record, string value) => AskedNetworks(record).Any(n => n.Key == value)
        || (_networks.Find(value) is { } network && AskedNetworks(record).Any(n => n.Key == network.Name));

    /// <summary>A value of the filters <c>publish</c> and <c>expose</c>: a port or a range of ports, with or without protocol.</summary>
    private static bool MatchesPort(string value, List<string> ports)
    {
        var slash = value.IndexOf('/');
        var protocol = slash < 0 ? "tcp" : value[(slash + 1)..];
        var range = (slash < 0 ? value : value[..slash]).Split('-');
        var first = PortRequests.ReadKey($"{range[0]}/{protocol}").Port;
        var last = PortRequests.ReadKey($"{range[^1]}/{protocol}").Port;
        return ports.Exists(p => PortRequests.ReadKey(p) is var (type, port) && port >= first && port <= last && type.ToString().Equals(protocol, StringComparison.OrdinalIgnoreCase));
    }
}
