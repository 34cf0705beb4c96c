using Sampan.Api;
using Sampan.Engine.Builds;

namespace Sampan.Engine;

/// <summary>Room that builds take, and how it is given back: on request, and by rules after each build.</summary>
public sealed partial class EngineService
{
    private readonly Lock _collectingGate = new();
    private Task _collecting = Task.CompletedTask;

    /// <summary><c>builder prune</c>; see <see cref="PruneChoice"/>.</summary>
    public Task<BuildPruneResponse> PruneBuildCacheAsync(BuildPruneOptions options, CancellationToken cancel)
    {
        var response = PruneBuildCache(options);
        if (options is { All: true, Filters.Count: 0, ReservedSpace: 0, MaxUsedSpace: 0, MinFreeSpace: 0 })
        {
            _store.FileMemo.Clear();
        }

        return Task.FromResult(response);
    }

    private BuildPruneResponse PruneBuildCache(BuildPruneOptions options)
    {
        var goes = PruneChoice.Of(CacheRecords(), options, new DriveInfo(_options.DataRoot).AvailableFreeSpace, _time.GetUtcNow());
        if (goes.Count == 0)
        {
            return new BuildPruneResponse { CachesDeleted = [] };
        }

        var directories = goes.Where(record => (record.Type == CacheRecord.Mount && _store.CacheMounts.Remove(record.Id))
            || (record.Type == CacheRecord.Context && _store.ContextCopies.Remove(record.Id))).ToList();
        var steps = goes.Where(record => record.Type == CacheRecord.Step).Select(record => record.Id).ToHashSet();
        var size = _store.Layers.List().Sum(layer => layer.Size);
        var pruned = _store.BuildCache.Prune(entry => steps.Contains(entry.Key.ToString()));
        return new BuildPruneResponse
        {
            CachesDeleted = [.. pruned.Select(entry => entry.Key.ToString()), .. directories.Select(mount => mount.Id)],
            SpaceReclaimed = size - _store.Layers.List().Sum(layer => layer.Size) + directories.Sum(mount => mount.Size),
        };
    }

    /// <summary>Applies the rules of daemon.json's <c>builder.gc</c> in the background; what a running build works with stays.</summary>
    private void CollectBuildCache()
    {
        if (!_options.BuildGc.Enabled)
        {
            return;
        }

        lock (_collectingGate)
        {
            _collecting = _collecting.ContinueWith(_ => Collect(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        void Collect()
        {
            foreach (var rule in _options.BuildGc.RulesFor(new DriveInfo(_options.DataRoot).TotalSize))
            {
                if (_stopping.IsCancellationRequested)
                {
                    return;
                }

                try
                {
                    PruneBuildCache(rule);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or Store.StoreException)
                {
                    // Nobody waits for this, and the next build brings the next try.
                    Console.Error.WriteLine($"sampan: collecting the build cache: {e.Message}");
                    return;
                }
            }
        }
    }

    /// <summary>All that the build cache keeps.</summary>
    private List<CacheRecord> CacheRecords()
    {
        var shared = SharedLayers();
        return
        [
            .. _store.BuildCache.List().Select(entry => CacheRecord.Of(entry, entry.Layer is { } layer && shared.Contains(layer))),
            .. _store.CacheMounts.List().Select(CacheRecord.Of),
            .. _store.ContextCopies.List().Select(CacheRecord.Of),
        ];
    }

    /// <summary>The layers of all images.</summary>
    private HashSet<Oci.ChainId> SharedLayers() =>
        [.. _store.Images.List().SelectMany(image => image.ChainId is { } chain ? _store.Layers.Stack(chain) : []).Select(layer => layer.ChainId)];
}
