using System.Net;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Engine.Networks;
using Sampan.Network;

namespace Sampan.Engine;

/// <summary>What becomes of a packet that another machine sends to a port of the host.</summary>
public sealed partial class EngineService
{
    public Task<PortExplanation> ExplainPortAsync(string? ip, int port, string? protocol, CancellationToken cancel)
    {
        var (kind, number) = PortRequests.ReadKey($"{port}/{protocol ?? "tcp"}");
        var address = ip is null ? null : IPAddress.TryParse(ip, out var given) ? given : throw EngineException.Invalid($"invalid IP address: {ip}");
        List<(Container Container, PortRecord Port)> found =
        [
            .. from container in _containers.List()
               from record in container.Record.Ports
               let offset = number - record.HostPort
               where offset >= 0 && offset < record.Count && record.Key.EndsWith("/" + kind.ToString().ToLowerInvariant(), StringComparison.Ordinal)
                   && (address is null || Covers(IPAddress.Parse(record.HostIp), address))
               select (container, record with { ContainerPort = record.ContainerPort + offset, HostPort = number, Count = 1 }),
        ];
        return Task.FromResult(new PortExplanation
        {
            Ways = found.Count > 0
                ? found.ConvertAll(f => ExplainPublished(f.Container.Record, f.Port, kind, address))
                : [ExplainOwn(address ?? IPAddress.Any, number, kind)],
        });
    }

    private PortWay ExplainPublished(ContainerRecord record, PortRecord port, PortProtocol kind, IPAddress? asked)
    {
        var host = IPAddress.Parse(port.HostIp);
        var targets = PublishedAt(record);
        var target = PortTable.For(host, targets).Address;
        var published = new PublishedPort(kind, host, port.HostPort, target, port.ContainerPort) { ObeysHostFirewall = _options.ObeysHostFirewall };
        var isRelayed = published.IsRelayed || IPAddress.IPv6Loopback.Equals(asked);
        var way = new PortWay
        {
            Port = $"{published.HostEnd}/{published.ProtocolName}",
            Container = record.Name,
            Steps =
            [
                isRelayed
                    ? "input: the packet is the host's own until its rules for incoming packets have let it pass"
                    : $"prerouting: table inet sampan, chain publish: to {new IPEndPoint(target, port.ContainerPort)}",
            ],
        };
        var interfaceName = _networks.Find(WayOutOf(record)!.NetworkId)?.Interface;
        var packet = isRelayed ? new Packet(kind, asked ?? host, port.HostPort, null, IsTranslated: false)
            : new Packet(kind, target, port.ContainerPort, interfaceName, IsTranslated: true);
        if (Refuse(way, isRelayed ? "input" : "forward", packet))
        {
            return way;
        }

        if (!isRelayed && !PortMapper.IsLed(published))
        {
            way.Result = "not led: the rule is missing, somebody removed it; the daemon puts it back within a second";
            return way;
        }

        way.Steps.Add(isRelayed ? $"the daemon relays to {new IPEndPoint(target, port.ContainerPort)}; the container sees the bridge's address as the client's"
            : "forward: table inet sampan, chain forward: ct status dnat accept");
        way.Result = $"reaches container {record.Name} at {new IPEndPoint(target, port.ContainerPort)}";
        return way;
    }

    private static PortWay ExplainOwn(IPAddress address, int port, PortProtocol kind)
    {
        var way = new PortWay { Port = $"{new IPEndPoint(address, port)}/{kind.ToString().ToLowerInvariant()}", Steps = ["no container publishes this port: the packet is the host's own"] };
        if (!Refuse(way, "input", new Packet(kind, address, port, null, IsTranslated: false)))
        {
            way.Result = "goes to the host's programs, if one listens";
        }

        return way;
    }

    /// <summary>Adds what others' firewalls say; true when they drop the packet.</summary>
    private static bool Refuse(PortWay way, string hook, Packet packet)
    {
        foreach (var refusal in PacketPath.Refusals(hook, packet))
        {
            if (refusal.IsCertain)
            {
                way.Steps.Add($"{hook}: {refusal.Rule}");
                way.Result = $"dropped by the host's rule: {refusal.Rule}";
                return true;
            }

            way.Steps.Add($"{hook}: may be dropped, which depends on more than address and port: {refusal.Rule}");
        }

        return false;
    }

    private static bool Covers(IPAddress published, IPAddress asked) => published.Equals(asked)
        || (published.AddressFamily == asked.AddressFamily && (published.Equals(IPAddress.Any) || published.Equals(IPAddress.IPv6Any)));
}
