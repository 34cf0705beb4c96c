using Sampan.Api;
using Sampan.Store;

namespace Sampan.Engine;

public sealed partial class EngineService
{
    /// <summary>
    /// <c>builder prune</c>: what was used longest ago goes first, until so much is left as is to stay. Without <c>all</c> entries stay whose
    /// layers belong to an image, as removing those frees nothing.
    /// </summary>
    public Task<BuildPruneResponse> PruneBuildCacheAsync(BuildPruneOptions options, CancellationToken cancel)
    {
        var filters = new Filters(options.Filters, "until", "unused-for", "id");
        var before = Age(filters, "until") ?? Age(filters, "unused-for") ?? DateTimeOffset.MaxValue;
        var shared = SharedLayers();
        var entries = _store.BuildCache.List();
        var kept = 0L;
        var goes = entries.Where(entry =>
        {
            // A room that is reserved is filled with the newest.
            var fits = options.ReservedSpace > 0 && (kept += entry.Size) <= options.ReservedSpace;
            return !fits && entry.LastUsed < before && filters.Match("id", id => entry.Key.ToString().Contains(id, StringComparison.Ordinal))
                && (options.All || entry.Layer is not { } layer || !shared.Contains(layer));
        }).Select(entry => entry.Key).ToHashSet();
        var size = _store.Layers.List().Sum(layer => layer.Size);
        var pruned = _store.BuildCache.Prune(entry => goes.Contains(entry.Key));
        if (options.All && options.Filters.Count == 0 && options.ReservedSpace == 0)
        {
            _store.FileMemo.Clear();
        }

        return Task.FromResult(new BuildPruneResponse
        {
            CachesDeleted = [.. pruned.Select(e => e.Key.ToString())],
            SpaceReclaimed = size - _store.Layers.List().Sum(layer => layer.Size),
        });
    }

    /// <summary>The layers of all images.</summary>
    private HashSet<Oci.ChainId> SharedLayers() =>
        [.. _store.Images.List().SelectMany(image => image.ChainId is { } chain ? _store.Layers.Stack(chain) : []).Select(layer => layer.ChainId)];

    private Api.BuildCache Describe(CacheEntry entry, HashSet<Oci.ChainId> shared) => new()
    {
        ID = entry.Key.ToString(),
        Description = entry.Description,
        Size = entry.Size,
        Shared = entry.Layer is { } layer && shared.Contains(layer),
        CreatedAt = GoTime.Format(entry.Created),
        LastUsedAt = GoTime.Format(entry.LastUsed),
        UsageCount = (int)entry.Uses,
    };

    /// <summary>A time as RFC 3339, or so long ago as a duration says.</summary>
    private DateTimeOffset? Age(Filters filters, string name)
    {
        if (!filters.Has(name))
        {
            return null;
        }

        var text = filters.Get(name)[0];
        try
        {
            return GoTime.Parse(text) ?? _time.GetUtcNow() - Dockerfile.Instructions.GoDuration.Parse(text);
        }
        catch (FormatException)
        {
            throw EngineException.Invalid($"invalid filter '{name}={text}': neither a duration, as 24h, nor a time");
        }
    }
}
