using Sampan.Build.Files;
using Sampan.Oci;

namespace Sampan.Build.Stages;

/// <summary><c>--squash</c>: one layer in place of all that the build put on its base image.</summary>
internal static class Squasher
{
    /// <summary>The state with one layer on its base image. The history keeps the steps, as ones that made no layer.</summary>
    public static async Task<StageState> SquashAsync(Store.Store store, StageState state, CancellationToken cancel)
    {
        var image = state.BaseImage is { } id ? store.Images.Get(id)?.Config : null;
        var kept = image?.RootFs.DiffIds ?? [];
        var added = state.DiffIds.Count - kept.Count;
        if (added == 0)
        {
            return state;
        }

        var parent = ChainId.Of(kept);
        var below = new MergedView(parent is { } chain ? store.Layers.LowerDirs(chain) : []).Root;
        using var work = TempDirectory.Create(store.DataRoot, "squash");
        var upper = work.Make("upper", 0x1ED);
        foreach (var layer in store.Layers.Stack(state.Chain!.Value).Take(added).Reverse())
        {
            cancel.ThrowIfCancellationRequested();
            LayerMerger.Add(layer.DiffPath, upper, below);
        }

        var merged = await store.Layers.CommitAsync(upper, parent, new() { Move = false, TimestampClamp = state.TimeSeconds }, cancel);
        var before = image?.History?.Count ?? 0;
        return state with
        {
            DiffIds = [.. kept, merged.DiffId],
            Chain = merged.ChainId,
            History =
            [
                .. state.History.Take(before), .. state.History.Skip(before).Select(entry => entry with { EmptyLayer = true }),
                new() { Created = state.Time, Comment = $"merge of {added} layers" },
            ],
        };
    }
}
