using System.Globalization;
using Sampan.Build.Progress;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build.Cache;

/// <summary>What a step's key is made of, and the place it has in its Dockerfile.</summary>
/// <param name="Slot">Tells the step from all others, so that its key can be compared with the one of the last build.</param>
internal sealed record StepKey(string Slot, IReadOnlyList<CacheKeyPart> Parts)
{
    public Digest Digest { get; } = BuildCache.KeyOf(Parts);
}

/// <summary>What a step left: the topmost layer after it, and the newest time in its input.</summary>
internal sealed record StepResult(Layer? Layer, long TimeSeconds);

/// <summary>The build cache as steps see it: keys of named parts, and for a miss the parts that differ from the last time.</summary>
internal sealed class StepCache(Store.Store store, bool ignoreEntries, string origin)
{
    private const int MaxReasons = 10;
    private const int MaxValueChars = 80;

    /// <summary>Looks a step up.</summary>
    /// <param name="result">What it left; null for a miss.</param>
    public CacheOutcome Find(StepKey key, out StepResult? result)
    {
        result = null;
        if (ignoreEntries)
        {
            return new(false, ["the cache is switched off"]);
        }

        if (store.BuildCache.Get(key.Digest) is not { } entry)
        {
            return new(false, Explain(key));
        }

        result = new(entry.Layer is { } chain ? store.Layers.Get(chain) : null, long.Parse(entry.State ?? "0", CultureInfo.InvariantCulture));
        return CacheOutcome.Hit;
    }

    /// <summary>Keeps what a step left.</summary>
    public void Record(StepKey key, StepResult result, long sizeBytes, string description)
    {
        var now = DateTimeOffset.UtcNow;
        store.BuildCache.Put(new()
        {
            Key = key.Digest,
            Parts = key.Parts,
            Layer = result.Layer?.ChainId,
            State = result.TimeSeconds.ToString(CultureInfo.InvariantCulture),
            Description = description,
            Created = now,
            Size = sizeBytes,
        });
        var slot = SlotParts(key.Slot);
        store.BuildCache.Put(new()
        {
            Key = BuildCache.KeyOf(slot),
            Parts = slot,
            State = key.Digest.ToString(),
            Description = "last key of a step",
            Created = now,
        });
    }

    private List<string> Explain(StepKey key)
    {
        var last = store.BuildCache.Get(BuildCache.KeyOf(SlotParts(key.Slot)));
        var before = Digest.TryParse(last?.State, out var digest) ? store.BuildCache.Get(digest) : null;
        return before is null ? ["it was not built before"] : Differences(before.Parts, key.Parts);
    }

    /// <summary>What became different, in words, by part.</summary>
    internal static List<string> Differences(IReadOnlyList<CacheKeyPart> before, IReadOnlyList<CacheKeyPart> now)
    {
        var old = before.GroupBy(p => p.Name).ToDictionary(g => g.Key, g => string.Join(' ', g.Select(p => p.Value)));
        var current = now.GroupBy(p => p.Name).ToDictionary(g => g.Key, g => string.Join(' ', g.Select(p => p.Value)));
        List<string> reasons =
        [
            .. current.Where(p => old.TryGetValue(p.Key, out var value) && value != p.Value)
                .Select(p => $"{p.Key} changed ({Clip(old[p.Key])} to {Clip(p.Value)})"),
            .. current.Where(p => !old.ContainsKey(p.Key)).Select(p => $"{p.Key} is new"),
            .. old.Where(p => !current.ContainsKey(p.Key)).Select(p => $"{p.Key} is gone"),
        ];
        if (reasons.Count == 0)
        {
            return ["what it left is no longer in the store"];
        }

        return reasons.Count <= MaxReasons ? reasons : [.. reasons.Take(MaxReasons), $"and {reasons.Count - MaxReasons} more"];
    }

    private static string Clip(string text) => text.Length <= MaxValueChars ? text : text[..MaxValueChars] + "…";

    private List<CacheKeyPart> SlotParts(string slot) => [new("slot", slot), new("origin", origin)];
}
