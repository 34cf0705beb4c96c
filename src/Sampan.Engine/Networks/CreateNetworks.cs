using Sampan.Api;

namespace Sampan.Engine;

/// <summary>What a new container asks of networks: checked, and brought to one form. Errors are dockerd's.</summary>
public sealed partial class EngineService
{
    /// <summary>The endpoint settings by the networks' names; the network mode becomes such a name too.</summary>
    private Dictionary<string, EndpointSettings> ReadNetworks(CreateContainerRequest request, HostConfig host)
    {
        var isDefault = host.NetworkMode is "" or "default";
        host.NetworkMode = isDefault ? _networks.DefaultName : host.NetworkMode;
        if (host.NetworkMode.StartsWith(ContainerMode, StringComparison.Ordinal))
        {
            if (host.NetworkMode == ContainerMode)
            {
                throw EngineException.Invalid("invalid container format container:<name|id>");
            }

            RefuseWithSharedNetwork(request, host);

            // Not found as the answer to a create means the image to clients, which then pull it: one that is not there is told at the start.
            var holder = host.NetworkMode[ContainerMode.Length..];
            host.NetworkMode = ContainerMode + (_containers.TryGet(holder)?.Id ?? holder);
            return [];
        }

        if (host.NetworkMode == "host" && host.Links is { Count: > 0 })
        {
            throw EngineException.Invalid("conflicting options: host type networking can't be used with links. This would result in undefined behavior");
        }

        host.NetworkMode = _networks.Find(host.NetworkMode)?.Name ?? host.NetworkMode;
        var networks = new Dictionary<string, EndpointSettings>();
        foreach (var (key, settings) in request.NetworkingConfig?.EndpointsConfig ?? [])
        {
            var network = _networks.Find(key == "default" ? _networks.DefaultName : key);
            var endpoint = settings ?? new EndpointSettings();
            networks[network?.Name ?? key] = endpoint;
            if (network is not null)
            {
                CheckEndpoint(network, endpoint);
            }
        }

        if (networks.Keys.Append(host.NetworkMode).Distinct().ToList() is { Count: > 1 } several && several.Intersect(["host", "none"]).Any())
        {
            throw EngineException.Invalid(several.Contains("host")
                ? "container sharing network namespace with another container or host cannot be connected to any other network"
                : "container cannot be connected to multiple networks with one of the networks in private (none) mode");
        }

        if (host.NetworkMode is "host" or "none" && networks.Values.Any(endpoint => endpoint.MacAddress is { Length: > 0 }))
        {
            throw EngineException.Invalid("conflicting options: mac-address and the network mode");
        }

        networks.TryAdd(host.NetworkMode, new EndpointSettings());
        return networks;
    }

    private static void RefuseWithSharedNetwork(CreateContainerRequest request, HostConfig host)
    {
        var conflict = request.Hostname.Length > 0 ? "hostname and the network mode"
            : host.Links is { Count: > 0 } ? "container type network can't be used with links. This would result in undefined behavior"
            : host.Dns is { Count: > 0 } ? "dns and the network mode"
            : host.ExtraHosts is { Count: > 0 } ? "custom host-to-IP mapping and the network mode"
            : request.MacAddress is { Length: > 0 } || request.NetworkingConfig?.EndpointsConfig?.Values.Any(e => e?.MacAddress is { Length: > 0 }) == true
            ? "mac-address and the network mode"
            : host.PortBindings is { Count: > 0 } || host.PublishAllPorts ? "port publishing and the container type network mode"
            : request.ExposedPorts is { Count: > 0 } ? "port exposing and the container type network mode"
            : null;
        if (conflict is not null)
        {
            throw EngineException.Invalid($"conflicting options: {conflict}");
        }
    }

    private string HostNameOf(HostConfig host, string id) => host.NetworkMode switch
    {
        "host" => Environment.MachineName,
        var mode when mode.StartsWith(ContainerMode, StringComparison.Ordinal) =>
            _containers.TryGet(mode[ContainerMode.Length..])?.Record.Config.Hostname ?? "",
        _ => id[..12],
    };

    /// <summary>Links as inspect shows them, <c>/target:/container/alias</c>; the targets must be there.</summary>
    private List<string>? ReadLinks(HostConfig host, string name) => host.Links?.ConvertAll(link =>
    {
        var (target, alias) = SplitLink(link);
        try
        {
            return $"/{_containers.Get(target).Record.Name}:/{name}/{alias}";
        }
        catch (EngineException e) when (e.Kind == ErrorKind.NotFound)
        {
            throw EngineException.Invalid($"could not get container for {target}: {e.Message}");
        }
    });

    private static IEnumerable<string> NetworkWarnings(HostConfig host)
    {
        if (host.NetworkMode == "host" && (host.PortBindings is { Count: > 0 } || host.PublishAllPorts))
        {
            yield return "Published ports are discarded when using host network mode";
        }
    }
}
