using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Options;

/// <summary>One published port: container port with protocol, and where on the host.</summary>
internal readonly record struct PublishedPort(string ContainerPort, string HostIp, string HostPort);

/// <summary>Reads <c>-p</c> and <c>--expose</c>.</summary>
internal static class PortSpec
{
    private const int MaxPort = 65535;

    /// <summary>Reads <c>[[ip:]hostPort:]containerPort[/proto]</c> with ranges, or the long form <c>published=80,target=8080</c>.</summary>
    /// <exception cref="CliException">The text is none of these.</exception>
    public static List<PublishedPort> ParsePublish(string spec)
    {
        var text = spec.Contains('=') ? LongForm(spec) : spec;
        var slash = text.IndexOf('/');
        var protocol = slash < 0 ? "tcp" : text[(slash + 1)..].ToLowerInvariant();
        // Docker looks at the first word after the slash only.
        if (protocol.IndexOf('/') is > 0 and var more) protocol = protocol[..more];
        var (ip, host, container) = Split(slash < 0 ? text : text[..slash]);
        if (ip.StartsWith('[') && ip.EndsWith(']')) ip = ip[1..^1];
        if (ip.Length > 0 && !IsAddress(ip)) throw new CliException($"invalid IP address: {ip}");
        if (container.Length == 0) throw new CliException($"no port specified: {spec}<empty>");
        var (first, last) = Range(container) ?? throw new CliException($"invalid containerPort: {container}");
        var published = new List<PublishedPort>();
        (int First, int Last)? hosts = null;
        if (host.Length > 0)
        {
            hosts = Range(host) ?? throw new CliException($"invalid hostPort: {host}");
            if (hosts.Value.Last - hosts.Value.First != last - first && first != last)
            {
                throw new CliException($"invalid ranges specified for container and host Ports: {container} and {host}");
            }
        }

        if (protocol is not ("tcp" or "udp" or "sctp")) throw new CliException($"invalid proto: {protocol}");
        for (var port = first; port <= last; port++)
        {
            var hostPort = hosts is not { } range ? ""
                : first == last && range.First != range.Last ? $"{range.First}-{range.Last}"
                : (range.First + port - first).ToString(CultureInfo.InvariantCulture);
            published.Add(new PublishedPort($"{port}/{protocol}", ip, hostPort));
        }

        return published;
    }

    /// <summary>Reads <c>port[-port][/proto]</c> of <c>--expose</c>.</summary>
    public static List<string> ParseExpose(string spec)
    {
        if (spec.Contains(':')) throw new CliException($"invalid port format for --expose: {spec}");
        var slash = spec.IndexOf('/');
        var protocol = slash < 0 ? "tcp" : spec[(slash + 1)..].ToLowerInvariant();
        var range = slash < 0 ? spec : spec[..slash];
        var dash = range.IndexOf('-');
        try
        {
            int first = FlagValues.UInt16(dash < 0 ? range : range[..dash]);
            int last = dash < 0 ? first : FlagValues.UInt16(range[(dash + 1)..]);
            if (last < first) throw new FlagValueException($"invalid range specified for port: {range}");
            var ports = new List<string>();
            for (var port = first; port <= last; port++) ports.Add($"{port}/{protocol}");
            return ports;
        }
        catch (FlagValueException e)
        {
            throw new CliException($"invalid range format for --expose: {spec}, error: {e.Message}");
        }
    }

    /// <summary>The API's PortBindings.</summary>
    public static JsonObject Bindings(IEnumerable<PublishedPort> ports)
    {
        var bindings = new JsonObject();
        foreach (var port in ports)
        {
            if (bindings[port.ContainerPort] is not JsonArray list) bindings[port.ContainerPort] = list = [];
            list.Add((JsonNode)new JsonObject { ["HostIp"] = port.HostIp, ["HostPort"] = port.HostPort });
        }

        return bindings;
    }

    private static bool IsAddress(string text)
    {
        // .NET reads "1.2.3" as an address, as inet_aton does; nobody means that here.
        if (!IPAddress.TryParse(text, out var address)) return false;
        return address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork || text.AsSpan().Count('.') == 3;
    }

    private static (string Ip, string Host, string Container) Split(string text)
    {
        var last = text.LastIndexOf(':');
        if (last < 0) return ("", "", text);
        var before = text[..last];
        var middle = before.LastIndexOf(':');
        return middle < 0 ? ("", before, text[(last + 1)..]) : (before[..middle], before[(middle + 1)..], text[(last + 1)..]);
    }

    private static (int First, int Last)? Range(string text)
    {
        var dash = text.IndexOf('-');
        if (dash < 0) return Port(text) is { } one ? (one, one) : null;
        return Port(text[..dash]) is { } first && Port(text[(dash + 1)..]) is { } last && first <= last ? (first, last) : null;
    }

    private static int? Port(string text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= MaxPort ? port : null;

    private static string LongForm(string spec)
    {
        string target = "", published = "", protocol = "tcp";
        foreach (var field in spec.Split(','))
        {
            var equals = field.IndexOf('=');
            if (equals <= 0) throw new CliException($"invalid field {field}");
            var value = field[(equals + 1)..];
            switch (field[..equals].ToLowerInvariant())
            {
                case "target": target = value; break;
                case "published": published = value; break;
                case "protocol": protocol = value.ToLowerInvariant(); break;
                case "mode" when value is "ingress" or "host": break;
                case "mode": throw new CliException($"invalid publish mode value ({value}): must be 'ingress' or 'host'");
                default: throw new CliException($"invalid field key {field[..equals]}");
            }
        }

        if (target.Length == 0) throw new CliException($"missing mandatory field 'target'");
        return published.Length == 0 ? $"{target}/{protocol}" : $"{published}:{target}/{protocol}";
    }
}
