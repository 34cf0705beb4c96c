using Sampan.Api;

namespace Sampan.Engine;

/// <summary>Volumes and the predefined networks in the API.</summary>
public sealed partial class EngineService
{
    private static readonly string[] PredefinedNetworks = ["bridge", "host", "none"];

    public Task<VolumeListResponse> ListVolumesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "name", "label", "driver", "dangling");
        var dangling = filter.Bool("dangling");
        return Task.FromResult(new VolumeListResponse
        {
            Volumes = [.. _volumes.List().Where(v => filter.Match("name", n => v.Name.Contains(n, StringComparison.Ordinal)) && filter.MatchLabels(v.Labels)
                && filter.Match("driver", d => d == "local") && (dangling is null || dangling == (_volumes.Users(v.Name).Count == 0))).Select(_volumes.Describe)],
        });
    }

    public Task<Volume> InspectVolumeAsync(string name, CancellationToken cancel) => Task.FromResult(_volumes.Describe(_volumes.Get(name)));

    public Task<Volume> CreateVolumeAsync(VolumeCreateRequest request, CancellationToken cancel) => request.Driver is "" or "local"
        ? Task.FromResult(_volumes.Describe(_volumes.Ensure(request.Name, request.Labels, request.DriverOpts).Volume))
        : throw EngineException.NotFound($"error looking up volume plugin {request.Driver}: plugin \"{request.Driver}\" not found");

    public Task RemoveVolumeAsync(string name, bool force, CancellationToken cancel)
    {
        _volumes.Remove(name, force);
        return Task.CompletedTask;
    }

    public Task<VolumesPruneResponse> PruneVolumesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "label", "label!", "all");
        var everything = filter.Bool("all") == true;
        var removed = new List<string>();
        var reclaimed = 0L;
        foreach (var volume in _volumes.List().Where(v => (everything || v.Anonymous) && _volumes.Users(v.Name).Count == 0 && filter.MatchLabels(v.Labels)))
        {
            reclaimed += DirectorySize.Of(_volumes.DataPath(volume.Name));
            _volumes.Remove(volume.Name, force: false);
            removed.Add(volume.Name);
        }

        return Task.FromResult(new VolumesPruneResponse { VolumesDeleted = removed, SpaceReclaimed = reclaimed });
    }

    public Task<List<Api.Network>> ListNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "name", "id", "driver", "type", "scope", "label", "dangling");
        return Task.FromResult(PredefinedNetworks.Select(n => DescribeNetwork(n, false)).Where(n => filter.Match("name", v => n.Name.Contains(v, StringComparison.Ordinal))
            && filter.Match("id", v => n.Id.StartsWith(v, StringComparison.Ordinal)) && filter.Match("driver", v => n.Driver == v)
            && filter.Match("scope", v => v == "local") && filter.Match("type", v => v == "builtin")).ToList());
    }

    public Task<Api.Network> InspectNetworkAsync(string name, string? scope, CancellationToken cancel) =>
        Array.Find(PredefinedNetworks, n => n == name || (name.Length >= 3 && NetworkId(n).StartsWith(name, StringComparison.Ordinal))) is { } found
            ? Task.FromResult(DescribeNetwork(found, true))
            : throw EngineException.NotFound($"network {name} not found");

    public Task<NetworkCreateResponse> CreateNetworkAsync(NetworkCreateRequest request, CancellationToken cancel) => throw NoUserNetworks();

    public Task RemoveNetworkAsync(string name, CancellationToken cancel) => throw (PredefinedNetworks.Contains(name)
        ? new EngineException(ErrorKind.Forbidden, $"{name} is a pre-defined network and cannot be removed")
        : EngineException.NotFound($"network {name} not found"));

    public Task ConnectNetworkAsync(string name, NetworkConnectRequest request, CancellationToken cancel) => throw NoUserNetworks();

    public Task DisconnectNetworkAsync(string name, NetworkDisconnectRequest request, CancellationToken cancel) => throw NoUserNetworks();

    public Task<NetworksPruneResponse> PruneNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel) => Task.FromResult(new NetworksPruneResponse());

    private static EngineException NoUserNetworks() => new(ErrorKind.NotImplemented, "user-defined networks are not supported yet; there are bridge, host and none");

    /// <summary>The predefined networks keep their ids over restarts.</summary>
    private string NetworkId(string name) => name == "bridge"
        ? _bridge.Id
        : Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name + _bridge.Id)));

    private Api.Network DescribeNetwork(string name, bool containers) => new()
    {
        Name = name,
        Id = NetworkId(name),
        Driver = name == "none" ? "null" : name,
        IPAM = new IPAM { Config = name == "bridge" ? [new IPAMConfig { Subnet = _bridge.Subnet.ToString(), Gateway = _bridge.Config.Gateway.ToString() }] : [] },
        Options = name == "bridge" ? new() { ["com.docker.network.bridge.name"] = _bridge.Config.Name } : [],
        Containers = containers
            ? _containers.List().Where(c => c.Record.IsRunning && c.Record.HostConfig.NetworkMode == name).ToDictionary(c => c.Id, c => new EndpointResource
            {
                Name = c.Record.Name,
                EndpointID = c.Id,
                IPv4Address = c.Record.Address is { } a ? $"{a}/{_bridge.Config.PrefixLength}" : "",
            })
            : [],
    };
}
