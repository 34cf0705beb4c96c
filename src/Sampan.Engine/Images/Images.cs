using Sampan.Api;
using Sampan.Dockerfile.Ignore;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Engine;

/// <summary>Images in the API.</summary>
public sealed partial class EngineService
{
    public Task<List<ImageSummary>> ListImagesAsync(bool all, Dictionary<string, List<string>> filters, bool sharedSize, bool digests, CancellationToken cancel)
    {
        var filter = new Filters(filters, "reference", "label", "dangling", "before", "since", "until");
        var before = filter.Get("before") is [var b, ..] ? _store.Images.Resolve(b).Config.Created : null;
        var since = filter.Get("since") is [var s, ..] ? _store.Images.Resolve(s).Config.Created : null;
        var until = filter.Time("until", _time.GetUtcNow());
        var dangling = filter.Bool("dangling");
        var shared = sharedSize ? _store.Images.SharedSizes() : null;
        return Task.FromResult(_store.Images.List().Where(i => (dangling is null || i.IsDangling == dangling)
            && !(i.Config.Created >= before) && !(i.Config.Created <= since) && !(i.Config.Created >= until)
            && (all || !i.IsDangling || _store.Images.Children(i.Id).Count == 0)
            && filter.MatchLabels(i.Config.Config?.Labels))
            .OrderByDescending(i => i.Config.Created).Select(i => Summarize(i, filter, shared)).OfType<ImageSummary>().ToList());
    }

    public Task<Api.ImageInspect> InspectImageAsync(string name, string? platform, CancellationToken cancel)
    {
        var image = _store.Images.Resolve(name);
        var config = image.Config;
        var runtime = config.Config;
        return Task.FromResult(new Api.ImageInspect
        {
            Id = image.Id.ToString(),
            RepoTags = [.. image.RepoTags],
            RepoDigests = [.. image.RepoDigests],
            Comment = config.Comment is { Length: > 0 } comment ? comment : config.History is [.., var last] ? last.Comment ?? "" : "",
            Created = GoTime.Format(config.Created),
            Author = config.Author ?? "",
            Architecture = config.Architecture,
            Variant = config.Variant,
            Os = config.Os,
            Size = image.Size,
            Config = new Api.ImageConfig
            {
                User = runtime?.User,
                ExposedPorts = runtime?.ExposedPorts?.ToDictionary(p => p, _ => (Empty?)new Empty()),
                Env = runtime?.Env?.ToList(),
                Entrypoint = runtime?.Entrypoint?.ToList(),
                Cmd = runtime?.Cmd?.ToList(),
                Volumes = runtime?.Volumes?.ToDictionary(p => p, _ => (Empty?)new Empty()),
                WorkingDir = runtime?.WorkingDir,
                Labels = runtime?.Labels is { } labels ? new Dictionary<string, string>(labels) : null,
                StopSignal = runtime?.StopSignal,
                OnBuild = runtime?.OnBuild?.ToList(),
                Shell = runtime?.Shell?.ToList(),
                Healthcheck = runtime?.Healthcheck is not { } health ? null : new Api.HealthConfig
                {
                    Test = health.Test?.ToList(),
                    Interval = health.IntervalNanoseconds ?? 0,
                    Timeout = health.TimeoutNanoseconds ?? 0,
                    StartPeriod = health.StartPeriodNanoseconds ?? 0,
                    StartInterval = health.StartIntervalNanoseconds ?? 0,
                    Retries = health.Retries ?? 0,
                },
            },
            RootFS = new RootFS { Layers = [.. config.RootFs.DiffIds.Select(d => d.ToString())] },
            Metadata = new ImageMetadata { LastTagTime = GoTime.Format(image.LastTagged) },
        });
    }

    public Task<List<ImageHistoryItem>> HistoryAsync(string name, string? platform, CancellationToken cancel)
    {
        var image = _store.Images.Resolve(name);
        var sizes = new Queue<long>((image.ChainId is { } chain ? _store.Layers.Stack(chain).Reverse() : []).Select(l => l.Size));
        var history = new List<ImageHistoryItem>();
        foreach (var entry in image.Config.History ?? [])
        {
            history.Add(new ImageHistoryItem
            {
                Comment = entry.Comment ?? "",
                Created = entry.Created?.ToUnixTimeSeconds() ?? 0,
                CreatedBy = entry.CreatedBy ?? "",
                Size = entry.EmptyLayer == true || !sizes.TryDequeue(out var size) ? 0 : size,
            });
        }

        history.Reverse();

        // An entry that ended an image which is here has that one's ID and names.
        for (ImageRecord? ended = image; ended is not null; ended = ended.Parent is { } parent ? _store.Images.Get(parent) : null)
        {
            var at = history.Count - (ended.Config.History?.Count ?? 0);
            if (at >= 0 && at < history.Count)
            {
                (history[at].Id, history[at].Tags) = (ended.Id.ToString(), ended.RepoTags.Count > 0 ? [.. ended.RepoTags] : null);
            }
        }

        return Task.FromResult(history);
    }

    public Task TagImageAsync(string name, string repo, string? tag, CancellationToken cancel)
    {
        var image = _store.Images.Resolve(name);
        var reference = ImageReference.Parse(string.IsNullOrEmpty(tag) ? repo : $"{repo}:{tag}");
        _store.Images.Tag(image.Id, reference);
        _events.Publish("image", "tag", image.Id.ToString(), new Dictionary<string, string> { ["name"] = reference.ToString()! });
        return Task.CompletedTask;
    }

    public Task<List<ImageDeleteItem>> RemoveImageAsync(string name, bool force, bool noPrune, CancellationToken cancel)
    {
        var removed = _store.Images.Remove(name, new RemoveOptions
        {
            Force = force,
            NoPrune = noPrune,
            Containers = UsersOf,
        });
        return Task.FromResult(removed.Select(Report).ToList());
    }

    public Task<ImagesPruneResponse> PruneImagesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "dangling", "label", "label!", "until");
        var before = filter.Time("until", _time.GetUtcNow()) ?? DateTimeOffset.MaxValue;
        var (removed, reclaimed) = _store.Images.Prune(all: filter.Bool("dangling") == false,
            image => (image.Config.Created ?? default) < before && filter.MatchLabelsToPrune(image.Config.Config?.Labels), UsersOf);

        // What was pushed to the served registry has neither the labels nor the dates that are filtered by.
        reclaimed += filter.Has("until") || filter.Has("label") || filter.Has("label!") ? 0 : _served.Prune();
        return Task.FromResult(new ImagesPruneResponse { ImagesDeleted = [.. removed.Select(Report)], SpaceReclaimed = reclaimed });
    }

    /// <summary>The containers that use an image.</summary>
    private IReadOnlyList<ImageUser> UsersOf(Digest image) =>
        [.. _containers.List().Where(c => c.Record.ImageId == image.ToString()).Select(c => new ImageUser(c.Id, c.Record.IsRunning))];

    private ImageDeleteItem Report(RemovedImage removed)
    {
        var (action, id) = removed.Deleted is { } deleted ? ("delete", deleted) : ("untag", removed.Untagged!);
        _events.Publish("image", action, id);
        return new ImageDeleteItem { Deleted = removed.Deleted, Untagged = removed.Untagged };
    }

    /// <summary>With the names that the filter asks for; null when it asks for others.</summary>
    private static ImageSummary? Summarize(ImageRecord image, Filters filter, IReadOnlyDictionary<Digest, long>? shared)
    {
        List<string> Wanted(IEnumerable<string> names) => [.. names.Where(n => filter.Match("reference", pattern => ReferencePattern.Matches(n, pattern)))];
        var (tags, digests) = (Wanted(image.RepoTags), Wanted(image.RepoDigests));
        return filter.Has("reference") && tags.Count + digests.Count == 0 ? null : new()
        {
            Id = image.Id.ToString(),
            ParentId = image.Parent?.ToString() ?? "",
            Created = image.Config.Created?.ToUnixTimeSeconds() ?? 0,
            Labels = image.Config.Config?.Labels is { } labels ? new Dictionary<string, string>(labels) : null,
            RepoTags = tags,
            RepoDigests = digests,
            Size = image.Size,
            SharedSize = shared?.GetValueOrDefault(image.Id) ?? -1,
        };
    }
}

/// <summary>The <c>reference</c> filter: a glob over a name as it is shown, with its tag or digest or without.</summary>
internal static class ReferencePattern
{
    /// <summary>As Go's path.Match, by which '*' does not go over a slash.</summary>
    /// <exception cref="FormatException">The pattern is malformed.</exception>
    public static bool Matches(string name, string pattern)
    {
        var end = name.IndexOf('@') is > 0 and var at ? at : name.LastIndexOf(':');
        var glob = PathPattern.ParseSource(pattern);
        return glob.IsMatch(name) || glob.IsMatch(name[..end]);
    }
}
