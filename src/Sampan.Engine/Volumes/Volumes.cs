using Sampan.Api;

namespace Sampan.Engine;

/// <summary>Volumes in the API.</summary>
public sealed partial class EngineService
{
    public Task<VolumeListResponse> ListVolumesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "name", "label", "driver", "dangling");
        var dangling = filter.Bool("dangling");
        return Task.FromResult(new VolumeListResponse
        {
            Volumes = [.. _volumes.List().Where(v => filter.MatchPattern("name", v.Name) && filter.MatchLabels(v.Labels)
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
}
