using Sampan.Build.Cache;
using Sampan.Build.Files;
using Sampan.Build.Planning;
using Sampan.Build.Progress;
using Sampan.Build.Stages;
using Sampan.Dockerfile.Instructions;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build.Steps;

/// <summary>Files of another stage or an image.</summary>
internal sealed record FileSource(ChainId? Chain, IReadOnlyList<string> Layers);

/// <summary>What a step works with.</summary>
/// <param name="Slot">Its place, see <see cref="StepKey"/>.</param>
/// <param name="Sources">Where <c>--from</c> and <c>from=</c> lead.</param>
internal sealed record StepContext(
    BuildSession Session, PlannedStage Planned, BuildStep Step, StageState State, string Slot, IReadOnlyDictionary<string, FileSource> Sources)
{
    /// <summary>The stage's layers so far, topmost first.</summary>
    public IReadOnlyList<string> LowerDirs { get; } = State.Chain is { } chain ? Session.Store.Layers.LowerDirs(chain) : [];

    /// <summary>The stage's files so far.</summary>
    public MergedView View => field ??= new(LowerDirs);

    public Func<string, string> Expand(Instruction instruction) =>
        word => Scope.Expand(Session.Plan.Model, instruction, word, State.Lookup);

    public Func<string, IReadOnlyList<string>> ExpandToWords(Instruction instruction) =>
        word => Scope.ExpandToWords(Session.Plan.Model, instruction, word, State.Lookup);

    /// <summary>Key parts that every step has.</summary>
    public IEnumerable<CacheKeyPart> ParentParts()
    {
        yield return new("platform", State.Platform.ToString());
        yield return new("parent", State.Chain?.ToString() ?? "scratch");
        if (Session.Epoch is { } epoch)
        {
            yield return new("SOURCE_DATE_EPOCH", epoch.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Asks the cache and tells the user; null for a miss.</summary>
    /// <param name="createdBy">What the history of an image says of such a step; null for one that history alone does not prove.</param>
    public StepResult? Find(StepKey key, string? createdBy = null)
    {
        var outcome = Session.Cache.Find(Step, key, State.ChangedAtLine, () => createdBy is null ? null : InHistory(createdBy), out var result);
        Session.ReportCache(Step, outcome);
        return result;
    }

    /// <summary>
    /// The layer that this command left in an image that the request names: one that has all that this stage has so far, files and history,
    /// and then this very command.
    /// </summary>
    private StepResult? InHistory(string createdBy)
    {
        foreach (var image in Session.Request.CacheFrom)
        {
            var (history, layers) = (image.Config.History ?? [], image.Config.RootFs.DiffIds);
            var next = history.ElementAtOrDefault(State.History.Count);
            if (next is { EmptyLayer: not true } && next.CreatedBy == createdBy && layers.Count > State.DiffIds.Count
                && layers.Take(State.DiffIds.Count).SequenceEqual(State.DiffIds)
                && State.History.Zip(history).All(pair => pair.First.CreatedBy == pair.Second.CreatedBy && pair.First.EmptyLayer == pair.Second.EmptyLayer)
                && Session.Store.Layers.Get(ChainId.Extend(State.Chain, layers[State.DiffIds.Count])) is { } layer)
            {
                return new(layer, Session.Epoch ?? next.Created?.ToUnixTimeSeconds() ?? State.TimeSeconds);
            }
        }

        return null;
    }

    /// <summary>Asks the cache about a step that leaves no files, and keeps its key for the next build.</summary>
    public void Remember(StepKey key)
    {
        if (Find(key) is null)
        {
            Session.Cache.Record(key, new(null, 0), 0, Step.Text);
        }
    }

    /// <summary>
    /// Makes a layer of what was written and records it.
    /// </summary>
    /// <param name="timeSeconds">The newest time in the step's input; files that are newer get the stage's time.</param>
    public async Task<StageState> CommitAsync(StepKey key, string upper, string createdBy, long timeSeconds, CancellationToken cancel)
    {
        var time = Session.Epoch ?? Math.Max(State.TimeSeconds, timeSeconds);
        var layer = await Session.Store.Layers.CommitAsync(upper, State.Chain, new() { Move = true, TimestampClamp = time }, cancel);
        Session.Cache.Record(key, new(layer, time), layer.Size, createdBy);
        return State.WithLayer(layer.DiffId, layer.ChainId, createdBy, time) with { ChangedAtLine = State.ChangedAtLine ?? Step.Lines.Start };
    }

    /// <summary>The state after a step whose layer the cache has.</summary>
    public StageState Reuse(StepResult result, string createdBy) => result.Layer is { } layer
        ? State.WithLayer(layer.DiffId, layer.ChainId, createdBy, result.TimeSeconds) : State.WithHistory(createdBy, emptyLayer: true);
}
