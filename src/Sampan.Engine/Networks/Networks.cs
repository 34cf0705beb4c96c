using System.Net;
using System.Net.Sockets;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Engine.Networks;
using Sampan.Network;

namespace Sampan.Engine;

/// <summary>Networks in the API.</summary>
public sealed partial class EngineService
{
    public Task<List<Api.Network>> ListNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "name", "id", "driver", "type", "scope", "label", "dangling");
        foreach (var type in filter.Get("type"))
        {
            _ = type is "custom" or "builtin" ? type : throw EngineException.Invalid($"invalid filter: 'type'='{type}'");
        }

        var dangling = filter.Bool("dangling");
        return Task.FromResult(_networks.List().Where(n => filter.MatchPattern("name", n.Name)
            && filter.MatchPattern("id", n.Id)
            && filter.Match("driver", v => n.Driver == v)
            && filter.Match("scope", v => v == "local")
            && filter.Match("type", v => v == (n.Predefined ? "builtin" : "custom"))
            && filter.MatchLabels(n.Labels)
            && (dangling is null || dangling == (!n.Predefined && UsersOf(n).Count == 0))).Select(n => Describe(n, containers: false)).ToList());
    }

    public Task<Api.Network> InspectNetworkAsync(string name, string? scope, CancellationToken cancel) =>
        scope is null or "" or "local" ? Task.FromResult(Describe(_networks.Get(name), containers: true)) : throw EngineException.NotFound($"network {name} not found");

    public Task<NetworkCreateResponse> CreateNetworkAsync(NetworkCreateRequest request, CancellationToken cancel)
    {
        var network = _networks.Create(request);
        PublishNetwork(network, "create");
        var ignored = request.EnableIPv6 == true ? [] : request.IPAM?.Config?.FindAll(NetworkRequest.IsIPv6Subnet) ?? [];
        return Task.FromResult(new NetworkCreateResponse
        {
            Id = network.Id,
            Warning = ignored.Count > 0 ? $"subnet {ignored[0].Subnet} is without effect: IPv6 has not been enabled for this network (--ipv6)" : "",
        });
    }

    public Task RemoveNetworkAsync(string name, CancellationToken cancel)
    {
        var network = _networks.Get(name);
        if (network.Predefined)
        {
            throw new EngineException(ErrorKind.Forbidden, $"{network.Name} is a pre-defined network and cannot be removed");
        }

        if (UsersOf(network) is { Count: > 0 } users)
        {
            var names = users.Select(u => $"name:\"{u.Container.Record.Name}\" id:\"{u.Endpoint.Id[..12]}\"");
            throw new EngineException(ErrorKind.Forbidden,
                $"error while removing network: network {network.Name} has active endpoints ({string.Join(", ", names)})");
        }

        _networks.Remove(network);
        PublishNetwork(network, "destroy");
        return Task.CompletedTask;
    }

    public async Task<NetworksPruneResponse> PruneNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "label", "label!", "until");
        var until = filter.Time("until", _time.GetUtcNow()) ?? DateTimeOffset.MaxValue;
        var removed = new List<string>();
        foreach (var network in _networks.List().Where(n => !n.Predefined && UsersOf(n).Count == 0 && n.Created < until
            && filter.MatchLabels(n.Labels) && (!filter.Has("label!") || !filter.MatchLabels(n.Labels, "label!"))))
        {
            await RemoveNetworkAsync(network.Id, cancel);
            removed.Add(network.Name);
        }

        return new NetworksPruneResponse { NetworksDeleted = removed };
    }

    public Task ConnectNetworkAsync(string name, NetworkConnectRequest request, CancellationToken cancel)
    {
        var network = _networks.Get(name);
        var container = _containers.Get(request.Container);
        return GatedAsync(container, cancel, () =>
        {
            Connect(container, network, request.EndpointConfig ?? new EndpointSettings());
            return Task.CompletedTask;
        });
    }

    public Task DisconnectNetworkAsync(string name, NetworkDisconnectRequest request, CancellationToken cancel)
    {
        var network = _networks.Get(name);
        if (request.Force && _containers.TryGet(request.Container) is null)
        {
            throw EngineException.NotFound($"endpoint {request.Container} not found"); // it may be one whose container is gone; we keep none
        }

        var container = _containers.Get(request.Container);
        return GatedAsync(container, cancel, () =>
        {
            Disconnect(container, network);
            return Task.CompletedTask;
        });
    }

    private void Connect(Container container, NetworkRecord network, EndpointSettings settings)
    {
        var record = container.Record;
        RefuseShared(record, network);
        CheckEndpoint(network, settings);
        if (record.Networks.ContainsKey(network.Name) || record.Endpoints.Exists(e => e.NetworkId == network.Id))
        {
            throw new EngineException(ErrorKind.Forbidden, $"endpoint with name {record.Name} already exists in network {network.Name}");
        }

        if (record.IsRunning)
        {
            var former = PublishedAt(record);
            var resolvConf = ResolvConf(record);
            SandboxOf(container);
            var endpoint = AttachEndpoint(container, network, settings);
            try
            {
                record.Networks = new(record.Networks) { [network.Name] = settings };
                FollowGateway(container, former);
                PublishNames(container);
                ChangeHosts(record, endpoint.Addresses, present: true);
                ChangeResolvConf(record, resolvConf);
            }
            catch
            {
                record.Networks.Remove(network.Name);
                DetachEndpoint(container, network, endpoint);
                FollowGateway(container, []);
                PublishNames(container);
                throw;
            }
        }

        record.Networks = new(record.Networks) { [network.Name] = settings };
        if (record.HostConfig.NetworkMode == "none")
        {
            record.HostConfig.NetworkMode = network.Name; // it was disconnected from none, and is to have this network at the next start, too
        }

        _containers.Save(container);
    }

    private void Disconnect(Container container, NetworkRecord network)
    {
        var record = container.Record;
        if (network.Driver == "host" && record.HostConfig.NetworkMode == "host")
        {
            throw EngineException.Invalid("cannot disconnect container from host network - container was created in host network mode");
        }

        var endpoint = record.Endpoints.Find(e => e.NetworkId == network.Id);
        if (endpoint is null && !AskedNetworks(record).Any(n => n.Key == network.Name))
        {
            throw new EngineException(ErrorKind.System, $"container {container.Id} is not connected to network {network.Name}");
        }

        var former = PublishedAt(record);
        var resolvConf = ResolvConf(record);
        if (endpoint is not null)
        {
            DetachEndpoint(container, network, endpoint);
            ChangeHosts(record, endpoint.Addresses, present: false);
        }

        record.Networks = new(AskedNetworks(record).Where(n => n.Key != network.Name));
        if (record.HostConfig.NetworkMode == network.Name)
        {
            // Otherwise the next start would join it again. Without any other it does, as with Docker, unless one is connected before.
            record.HostConfig.NetworkMode = record.Networks.Keys.FirstOrDefault(network.Name);
        }

        if (record.IsRunning)
        {
            FollowGateway(container, former);
            PublishNames(container);
            ChangeResolvConf(record, resolvConf);
        }

        _containers.Save(container);
    }

    private void DetachEndpoint(Container container, NetworkRecord network, EndpointRecord endpoint)
    {
        _networks.Network(network.Id).Detach(() => SandboxOf(container), endpoint);
        container.Record.Endpoints = [.. container.Record.Endpoints.Where(e => e != endpoint)];
        _networks.Network(network.Id).Release(endpoint.Addresses);
        PublishNetwork(network, "disconnect", container);
    }

    private static void RefuseShared(ContainerRecord record, NetworkRecord network)
    {
        var mode = record.HostConfig.NetworkMode;
        if (mode == "host" || mode.StartsWith(ContainerMode, StringComparison.Ordinal))
        {
            throw EngineException.Invalid("container sharing network namespace with another container or host cannot be connected to any other network");
        }

        if (network.Driver == "host")
        {
            throw EngineException.Invalid("cannot connect container to host network - container must be created in host network mode");
        }

        if (record.Networks.ContainsKey("none") || network.Driver == "null")
        {
            throw EngineException.Invalid("container cannot be connected to multiple networks with one of the networks in private (none) mode");
        }
    }

    /// <summary>What was asked of a place in a network must be possible there.</summary>
    private void CheckEndpoint(NetworkRecord network, EndpointSettings settings)
    {
        var problems = new List<string>();
        if (!network.HasNames && settings.Aliases is { Count: > 0 })
        {
            problems.Add("network-scoped alias is supported only for containers in user defined networks");
        }

        CheckAddress(settings.IPAMConfig?.IPv4Address, AddressFamily.InterNetwork);
        CheckAddress(settings.IPAMConfig?.IPv6Address, AddressFamily.InterNetworkV6);

        problems.AddRange(EndpointOptions.Problems(settings));
        if (settings.MacAddress is { Length: > 0 } mac && !(mac.Split(':') is { Length: 6 } parts && parts.All(p => p.Length == 2 && p.All(char.IsAsciiHexDigit))))
        {
            problems.Add($"invalid MAC address: {mac}");
        }

        if (problems.Count > 0)
        {
            throw EngineException.Invalid($"invalid config for network {network.Name}: invalid endpoint settings:\n{string.Join('\n', problems)}");
        }

        void CheckAddress(string? text, AddressFamily family)
        {
            if (string.IsNullOrEmpty(text))
            {
                return;
            }

            if (!IPAddress.TryParse(text, out var address) || address.AddressFamily != family)
            {
                problems.Add($"invalid {(family == AddressFamily.InterNetwork ? "IPv4" : "IPv6")} address: {text}");
            }
            else if (!network.HasNames)
            {
                problems.Add("user specified IP address is supported on user defined networks only");
            }
            else if (network.Pools.Where(p => !p.IsChosen).Select(p => IPNetwork.Parse(p.Subnet!)).Where(s => s.BaseAddress.AddressFamily == family).ToList() is not { Count: > 0 } own)
            {
                problems.Add("user specified IP address is supported only when connecting to networks with user configured subnets");
            }
            else if (!own.Exists(s => s.Contains(address)))
            {
                problems.Add($"no configured subnet or ip-range contain the IP address {text}");
            }
        }
    }

    private List<(Container Container, EndpointRecord Endpoint)> UsersOf(NetworkRecord network) =>
    [
        .. from container in _containers.List()
           from endpoint in container.Record.Endpoints
           where endpoint.NetworkId == network.Id
           select (container, endpoint),
    ];

    private Api.Network Describe(NetworkRecord network, bool containers)
    {
        var hasAddresses = network.HasAddresses && _networks.Network(network.Id).Subnets.Count > 0; // settles those of the predefined bridge
        return new Api.Network
        {
            Name = network.Name,
            Id = network.Id,
            Created = GoTime.Format(network.Created),
            Driver = network.Driver,
            EnableIPv4 = !network.IPv6Only,
            EnableIPv6 = network.IPv6 is not null,
            Internal = network.Internal,
            Attachable = network.Attachable,
            IPAM = new IPAM
            {
                Options = network.IpamOptions,
                Config = !hasAddresses ? [] : [.. network.Pools.Select(pool => new IPAMConfig
                {
                    Subnet = pool.Subnet,
                    IPRange = pool.IPRange,
                    Gateway = pool.Gateway,
                    AuxiliaryAddresses = pool.AuxiliaryAddresses,
                })],
            },
            Options = network.IsDefaultBridge ? DefaultOptions(_networks.DefaultBridge.Config) : network.Options,
            Labels = network.Labels,
            Containers = containers
                ? hasAddresses
                    ? UsersOf(network).ToDictionary(u => u.Container.Id, u => new EndpointResource
                    {
                        Name = u.Container.Record.Name,
                        EndpointID = u.Endpoint.Id,
                        MacAddress = u.Endpoint.Mac,
                        IPv4Address = u.Endpoint.Address.Length > 0 ? $"{u.Endpoint.Address}/{u.Endpoint.PrefixLength}" : "",
                        IPv6Address = u.Endpoint.Address6.Length > 0 ? $"{u.Endpoint.Address6}/{u.Endpoint.PrefixLength6}" : "",
                    })
                    : _containers.List().Where(c => c.Record.IsRunning && c.Record.HostConfig.NetworkMode == network.Name)
                        .ToDictionary(c => c.Id, c => new EndpointResource { Name = c.Record.Name, EndpointID = c.Id })
                : [],
        };
    }

    private static Dictionary<string, string> DefaultOptions(BridgeConfig config) => new()
    {
        ["com.docker.network.bridge.default_bridge"] = "true",
        [NetworkRequest.IccOption] = config.Icc ? "true" : "false",
        [NetworkRequest.MasqueradeOption] = config.Masquerade ? "true" : "false",
        [NetworkRequest.HostBindingOption] = IPAddress.Any.ToString(),
        [NetworkRequest.NameOption] = config.Name,
        ["com.docker.network.driver.mtu"] = config.Mtu.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}
