using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Engine.Networks;
using Sampan.Network;
using Sampan.Network.Names;

namespace Sampan.Engine;

/// <summary>What containers are called, for the resolver.</summary>
public sealed partial class EngineService
{
    /// <summary>After a container's networks have changed.</summary>
    private void PublishNames(Container container)
    {
        if (NamedContainerOf(container.Record) is { } named)
        {
            _names.Put(named, () => SandboxOf(container));
        }
        else
        {
            _names.Remove(container.Id);
        }
    }

    /// <summary>A container's names, and whom it asks for others; null where no network has names.</summary>
    private NamedContainer? NamedContainerOf(ContainerRecord record)
    {
        var endpoints = record.Endpoints.FindAll(HasNames);
        return endpoints.Count == 0 ? null : new NamedContainer
        {
            Id = record.Id,
            Endpoints = [.. endpoints.Select(e => NamedEndpointOf(record, e))],
            Servers = [.. DnsOf(record.HostConfig).Nameservers],
            Forwards = WayOutOf(record) is not null,
            KeepsSingleLabels = DnsOf(record.HostConfig).Options.Any(o => o.StartsWith("ndots:", StringComparison.Ordinal) && o != "ndots:0"),
        };
    }

    private bool HasNames(EndpointRecord endpoint) => _networks.Find(endpoint.NetworkId)?.HasNames == true;

    private NamedEndpoint NamedEndpointOf(ContainerRecord record, EndpointRecord endpoint)
    {
        var asked = record.Networks.GetValueOrDefault(endpoint.Network) ?? new EndpointSettings();
        var links = (asked.Links ?? []).Concat(record.HostConfig.NetworkMode == endpoint.Network ? record.HostConfig.Links ?? [] : []);
        return new NamedEndpoint
        {
            NetworkId = endpoint.NetworkId,
            Network = endpoint.Network,
            Address = endpoint.Address,
            Address6 = endpoint.Address6 is { Length: > 0 } six ? six : null,
            Names = DnsNames(record, asked),
            Links = links.Select(SplitLink).DistinctBy(l => l.Alias.ToLowerInvariant())
                .ToDictionary(l => l.Alias.ToLowerInvariant(), l => _containers.TryGet(l.Name)?.Id[..12] ?? l.Name.ToLowerInvariant()),
        };
    }

    /// <summary>What the user said of name servers, to the container or else to the daemon.</summary>
    private DnsOverrides DnsOf(HostConfig host) => new(
        host.Dns is { Count: > 0 } servers ? servers : _options.Dns,
        host.DnsSearch is { Count: > 0 } search ? search : _options.DnsSearch,
        host.DnsOptions is { Count: > 0 } options ? options : _options.DnsOptions);
}
