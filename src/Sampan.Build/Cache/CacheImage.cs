using System.Globalization;
using Sampan.Build.Stages;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build.Cache;

/// <summary>
/// Build cache that travels as an image: its layers are those that steps left, and its configuration says which step each belongs to
/// (<see cref="ImageConfig.CachedSteps"/>). Keys are made of content alone, so that they hold on any machine.
/// </summary>
internal static class CacheImage
{
    /// <summary>What an image says of its own layers: the steps of its last stage.</summary>
    public static IReadOnlyList<CachedStep> InlineSteps(Store.Store store, StageState state, StepCache cache) =>
        [.. StepsOf(store, cache).Where(step => IsPrefix(step.Stack, state.DiffIds)).Select(step => Describe(step, state.DiffIds))];

    /// <summary>Makes an image of the cache of one build. Nothing refers to it but its ID.</summary>
    /// <param name="all">All stages (<c>mode=max</c>); else only what the result is made of.</param>
    public static async Task<ImageRecord> ExportAsync(Store.Store store, StageState state, StepCache cache, bool all, CancellationToken cancel)
    {
        var steps = StepsOf(store, cache).Where(step => all || IsPrefix(step.Stack, state.DiffIds)).ToList();
        var layers = state.DiffIds.ToList();
        var top = state.Chain;
        foreach (var diffId in steps.Where(step => !IsPrefix(step.Stack, state.DiffIds)).SelectMany(step => step.Stack).Distinct().Except(state.DiffIds).ToList())
        {
            // An image is one stack: layers of other stages are put on top, and where they belong stands with their steps.
            top = (await store.Layers.CopyAsync(store.Layers.FindByDiffId(diffId)!, top, cancel)).ChainId;
            layers.Add(diffId);
        }

        return store.Images.Put(new ImageConfig
        {
            Architecture = state.Platform.Architecture,
            Os = state.Platform.Os,
            Variant = state.Platform.Variant,
            Created = state.Time,
            Config = new(),
            RootFs = new() { DiffIds = layers },
            CachedSteps = [.. steps.Select(step => Describe(step, layers))],
        });
    }

    /// <summary>Puts the steps that an image tells of into the cache. Hold a <see cref="Lease"/>.</summary>
    /// <exception cref="BuildException">What the image says makes no sense.</exception>
    public static async Task ImportAsync(Store.Store store, ImageRecord image, CancellationToken cancel)
    {
        var entries = new List<CacheEntry>();
        foreach (var step in image.Config.CachedSteps ?? [])
        {
            if (!Digest.TryParse(step.Key, out var key) || step.Layers?.Any(at => at < 0 || at >= image.Config.RootFs.DiffIds.Count) == true)
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"image {image.Id} holds no valid build cache: step '{step.Key}'");
            }

            if (store.BuildCache.Get(key) is null)
            {
                var layer = await StackAsync(store, (step.Layers ?? []).Select(at => image.Config.RootFs.DiffIds[at]), cancel);
                entries.Add(new()
                {
                    Key = key,
                    Layer = layer?.ChainId,
                    State = step.TimeSeconds.ToString(CultureInfo.InvariantCulture),
                    Description = step.Description,
                    Created = DateTimeOffset.UtcNow,
                    Size = layer?.Size ?? 0,
                });
            }
        }

        store.BuildCache.Update([], entries);
    }

    /// <summary>A stack of layers that are here, perhaps on other parents.</summary>
    private static async Task<Layer?> StackAsync(Store.Store store, IEnumerable<Digest> diffIds, CancellationToken cancel)
    {
        Layer? layer = null;
        foreach (var diffId in diffIds)
        {
            layer = store.Layers.Get(ChainId.Extend(layer?.ChainId, diffId))
                ?? await store.Layers.CopyAsync(store.Layers.FindByDiffId(diffId)!, layer?.ChainId, cancel);
        }

        return layer;
    }

    private static List<(StepOutcome Step, List<Digest> Stack)> StepsOf(Store.Store store, StepCache cache) =>
    [
        .. cache.Outcomes().Select(step => (step, step.Result.Layer is { } layer
            ? store.Layers.Stack(layer.ChainId).Reverse().Select(l => l.DiffId).ToList() : [])),
    ];

    private static bool IsPrefix(List<Digest> stack, IReadOnlyList<Digest> layers) => stack.SequenceEqual(layers.Take(stack.Count));

    private static CachedStep Describe((StepOutcome Step, List<Digest> Stack) of, IReadOnlyList<Digest> layers) => new()
    {
        Key = of.Step.Key.ToString(),
        Layers = of.Stack.Count == 0 ? null
            : [.. IsPrefix(of.Stack, layers) ? Enumerable.Range(0, of.Stack.Count) : of.Stack.Select(diffId => layers.ToList().IndexOf(diffId))],
        TimeSeconds = of.Step.Result.TimeSeconds,
        Description = of.Step.Description,
    };
}
