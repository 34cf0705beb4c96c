using System.Globalization;
using System.Net;
using Sampan.Api;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>A port to publish, before a port of the host is taken for it.</summary>
/// <param name="Protocol">The protocol.</param>
/// <param name="ContainerPort">1 to 65535.</param>
/// <param name="HostIp">The address the user chose; null for the network's own choice.</param>
/// <param name="First">The first port of the host that will do; 0 for any that is free.</param>
/// <param name="Last">The last.</param>
internal sealed record PortRequest(PortProtocol Protocol, int ContainerPort, IPAddress? HostIp, int First, int Last)
{
    /// <summary>How many ports, from both numbers on; see <see cref="PortRequests.Join"/>.</summary>
    public int Count { get; init; } = 1;

    /// <summary>A choice is made among several: those that have none go first.</summary>
    public bool HasChoice => First != Last || First == 0;
}

/// <summary>Reads the API's port maps. Errors are dockerd's.</summary>
internal static class PortRequests
{
    /// <summary>From here on a range is led as one, without holding each of its ports.</summary>
    public const int ShortestRange = 128;

    /// <summary>What is to be published: the bindings, and with <c>-P</c> every exposed port that has none.</summary>
    /// <exception cref="EngineException">InvalidParameter.</exception>
    public static List<PortRequest> Read(HostConfig host, ContainerConfig config)
    {
        var requests = new List<PortRequest>();
        foreach (var (key, bindings) in host.PortBindings ?? [])
        {
            var (protocol, port) = ReadKey(key);
            foreach (var binding in bindings is { Count: > 0 } given ? given : [new PortBinding()])
            {
                var (first, last) = ReadRange(binding.HostPort);
                requests.Add(new PortRequest(protocol, port, ReadAddress(binding.HostIp), first, last));
            }
        }

        var bound = requests.Select(r => (r.Protocol, r.ContainerPort)).ToHashSet();
        foreach (var key in host.PublishAllPorts ? config.ExposedPorts?.Keys ?? Enumerable.Empty<string>() : [])
        {
            var (protocol, port) = ReadKey(key);
            if (!bound.Contains((protocol, port)))
            {
                requests.Add(new PortRequest(protocol, port, null, 0, 0));
            }
        }

        return [.. requests.OrderBy(r => r.HasChoice).ThenBy(r => r.ContainerPort).ThenBy(r => r.Protocol)];
    }

    /// <summary>
    /// Long runs of ports with the same number on both sides become a request each, whose <see cref="PortRequest.Count"/> says how long
    /// they are; the rest stays as it is.
    /// </summary>
    public static List<PortRequest> Join(IReadOnlyList<PortRequest> requests)
    {
        var joined = new List<PortRequest>();
        foreach (var group in requests.GroupBy(r => (r.Protocol, r.HostIp, IsStraight: !r.HasChoice && r.First == r.ContainerPort)))
        {
            List<PortRequest> sorted = group.Key.IsStraight ? [.. group.DistinctBy(r => r.First).OrderBy(r => r.First)] : [.. group];
            for (var (start, end) = (0, 0); start < sorted.Count; start = end)
            {
                for (end = start + 1; end < sorted.Count && sorted[end].First == sorted[end - 1].First + 1; end++)
                {
                }

                if (group.Key is { IsStraight: true, Protocol: not PortProtocol.Sctp } && end - start >= ShortestRange)
                {
                    joined.Add(sorted[start] with { Count = end - start });
                }
                else
                {
                    joined.AddRange(sorted[start..end]);
                }
            }
        }

        return [.. joined.OrderBy(r => r.HasChoice).ThenBy(r => r.ContainerPort).ThenBy(r => r.Protocol)];
    }

    /// <summary>Reads <c>80/tcp</c>; without a protocol it is TCP.</summary>
    public static (PortProtocol Protocol, int Port) ReadKey(string key)
    {
        var slash = key.IndexOf('/');
        var number = slash < 0 ? key : key[..slash];
        PortProtocol protocol = (slash < 0 ? "tcp" : key[(slash + 1)..].ToLowerInvariant()) switch
        {
            "tcp" => PortProtocol.Tcp,
            "udp" => PortProtocol.Udp,
            "sctp" => PortProtocol.Sctp,
            var other => throw EngineException.Invalid($"invalid port specification: \"{key}\": invalid proto: {other}"),
        };
        return ReadPort(number) is > 0 and var port ? (protocol, port) : throw Invalid(number);
    }

    private static (int First, int Last) ReadRange(string text)
    {
        if (text.Length == 0)
        {
            return (0, 0);
        }

        var dash = text.IndexOf('-');
        var first = ReadPort(dash < 0 ? text : text[..dash]) ?? throw Invalid(text);
        var last = dash < 0 ? first : ReadPort(text[(dash + 1)..]) ?? throw Invalid(text);
        return first <= last ? (first, last) : throw Invalid(text);
    }

    private static int? ReadPort(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= IPEndPoint.MaxPort ? port : null;

    private static IPAddress? ReadAddress(string text) => text.Length == 0 ? null
        : IPAddress.TryParse(text, out var address) ? address
        : throw EngineException.Invalid($"invalid host address of a port: \"{text}\"");

    private static EngineException Invalid(string text) => EngineException.Invalid($"invalid port specification: \"{text}\"");
}
