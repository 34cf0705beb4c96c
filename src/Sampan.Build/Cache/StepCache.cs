using System.Globalization;
using Sampan.Build.Planning;
using Sampan.Build.Progress;
using Sampan.Dockerfile.Ignore;
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

/// <summary>A step of this build and what it left, made or found.</summary>
internal sealed record StepOutcome(Digest Key, StepResult Result, string Description);

/// <summary>
/// The build cache as the steps of one build see it: keys of named parts, and for a miss the parts that differ from the last build of the
/// same origin. Thread-safe.
/// </summary>
internal sealed class StepCache(Store.Store store, BuildRequest request, BuildPlan plan, IgnoreMatcher ignore, string? ignoreDigest)
{
    private readonly Lock _gate = new();
    private readonly BuildRecord? _last = store.BuildRecords.Get(request.Origin);
    private readonly HashSet<StepRecord> _matched = [];
    private readonly List<(string StepId, StepRecord Record, IReadOnlyList<CacheKeyPart> Parts)> _steps = [];
    private readonly List<Digest> _used = [];
    private readonly List<CacheEntry> _added = [];
    private readonly Dictionary<Digest, StepResult> _results = [];

    /// <summary>Looks a step up.</summary>
    /// <param name="parentChangedAt">The line at which what it stands on became different in this build, when it did.</param>
    /// <param name="result">What it left; null for a miss.</param>
    /// <param name="inHistory">Looks where the cache has nothing: among the images that the request names.</param>
    public CacheOutcome Find(BuildStep step, StepKey key, int? parentChangedAt, Func<StepResult?> inHistory, out StepResult? result)
    {
        result = null;
        if (request.NoCache || IsOff(step))
        {
            return Note(step, key, new(false, [request.NoCache ? "the cache is switched off" : $"the cache is switched off for stage {step.StageName}"]));
        }

        if (store.BuildCache.Get(key.Digest) is not { } entry)
        {
            if (inHistory() is { } found)
            {
                result = found;
                Record(key, found, found.Layer?.Size ?? 0, step.Text);
                return Note(step, key, CacheOutcome.Hit);
            }

            return Note(step, key, new(false, Explain(step, key, Before(step, key), parentChangedAt)));
        }

        result = new(entry.Layer is { } chain ? store.Layers.Get(chain) : null, long.Parse(entry.State ?? "0", CultureInfo.InvariantCulture));
        lock (_gate)
        {
            _results[key.Digest] = result;
        }

        return Note(step, key, CacheOutcome.Hit);
    }

    /// <summary>What the steps left, in their order.</summary>
    public IReadOnlyList<StepOutcome> Outcomes()
    {
        lock (_gate)
        {
            return [.. _steps.OrderBy(s => s.StepId, StepOrder.Instance).Select(s => (Key: Digest.Parse(s.Record.Key), s.Record.Text))
                .Where(s => _results.ContainsKey(s.Key)).DistinctBy(s => s.Key).Select(s => new StepOutcome(s.Key, _results[s.Key], s.Text))];
        }
    }

    /// <summary>Notes what a stage begins with; true when it was something else the last time.</summary>
    public bool NoteBase(BuildStep step, StepKey key)
    {
        var before = Before(step, key);
        var changed = before is not null && before.Key != key.Digest.ToString();
        Note(step, key, changed ? new(false, Explain(step, key, before, null)) : CacheOutcome.Hit);
        return changed;
    }

    /// <summary>Keeps what a step left. Layers at once, as other builds may want them; the rest with <see cref="Finish"/>.</summary>
    public void Record(StepKey key, StepResult result, long sizeBytes, string description)
    {
        lock (_gate)
        {
            _results[key.Digest] = result;
        }

        var entry = new CacheEntry
        {
            Key = key.Digest,
            Layer = result.Layer?.ChainId,
            State = result.TimeSeconds.ToString(CultureInfo.InvariantCulture),
            Description = description,
            Created = DateTimeOffset.UtcNow,
            Size = sizeBytes,
        };
        if (entry.Layer is not null)
        {
            store.BuildCache.Put(entry);
            return;
        }

        lock (_gate)
        {
            _added.Add(entry);
        }
    }

    /// <summary>Writes down how the build went, for the next one and for whoever asks.</summary>
    /// <param name="image">What it gave; null when it failed.</param>
    public void Finish(Digest? image)
    {
        lock (_gate)
        {
            store.BuildCache.Update(_used, _added);
            var known = _last?.Steps.Select(s => s.Key).ToHashSet() ?? [];
            var steps = _steps.OrderBy(s => s.StepId, StepOrder.Instance).ToList();
            var stages = plan.Stages.Select(s => s.DisplayName).ToHashSet();
            var older = (_last?.Steps ?? []).Where(s => !_matched.Contains(s) && (image is null || !stages.Contains(s.Stage))
                && !steps.Exists(now => now.Record.Slot == s.Slot)).Select(s => s with { IsReached = false });
            var record = new BuildRecord
            {
                Origin = request.Origin,
                Finished = DateTimeOffset.UtcNow,
                Image = image?.ToString(),
                IgnoreDigest = ignoreDigest,
                Steps = [.. steps.Select(s => s.Record), .. older],
            };
            store.BuildRecords.Put(record, steps.Where(s => !known.Contains(s.Record.Key)).DistinctBy(s => s.Record.Key).ToDictionary(s => s.Record.Key, s => s.Parts));
        }
    }

    private bool IsOff(BuildStep step) => request.NoCacheStages.Any(stage => stage.Equals(step.StageName, StringComparison.OrdinalIgnoreCase)
        || stage == step.Stage.ToString(CultureInfo.InvariantCulture));

    private CacheOutcome Note(BuildStep step, StepKey key, CacheOutcome outcome)
    {
        lock (_gate)
        {
            _steps.Add((step.Id, new(key.Slot, step.StageName, step.Lines.Start, step.Text, key.Digest.ToString(), outcome.IsHit, outcome.Reasons), key.Parts));
            if (outcome.IsHit)
            {
                _used.Add(key.Digest);
            }
        }

        return outcome;
    }

    private IReadOnlyList<string> Explain(BuildStep step, StepKey key, StepRecord? before, int? parentChangedAt)
    {
        if (_last is null || _last.Steps.Count == 0)
        {
            return ["it was not built before"];
        }

        if (before is null || store.BuildRecords.Parts(request.Origin, before.Key) is not { } parts)
        {
            return ["the instruction is new"];
        }

        return new MissReasons(parts, key.Parts)
        {
            Texts = before.Text == step.Text ? null : (before.Text, step.Text),
            ParentChangedAt = parentChangedAt,
            Ignore = ignore,
            IgnoreChanged = _last.IgnoreDigest != ignoreDigest,
        }.List();
    }

    /// <summary>The step of the last build that this one is: of the same text, or else at the same place with a text that is gone.</summary>
    private StepRecord? Before(BuildStep step, StepKey key)
    {
        lock (_gate)
        {
            var open = (_last?.Steps ?? []).Where(s => s.Stage == step.StageName && !_matched.Contains(s)).ToList();
            var texts = plan.Find(step.Stage)?.Stage is { } stage ? stage.Instructions.Select(i => i.Node.Original).Append(stage.From.Node.Original).ToHashSet() : [];
            var found = open.Where(s => s.Text == step.Text).MinBy(s => s.Slot == key.Slot ? 0 : 1)
                ?? open.Find(s => s.Slot == key.Slot && Keyword(s.Text) == Keyword(step.Text) && !texts.Contains(s.Text));
            if (found is not null)
            {
                _matched.Add(found);
            }

            return found;
        }
    }

    private static string Keyword(string text) => text.Split(' ', 2)[0].ToUpperInvariant();

    /// <summary><c>0.10</c> after <c>0.9</c>.</summary>
    private sealed class StepOrder : IComparer<string>
    {
        public static StepOrder Instance { get; } = new();

        public int Compare(string? x, string? y) => Version.Parse(x!).CompareTo(Version.Parse(y!));
    }
}
