using Sampan.Api;
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
        var dangling = filter.Bool("dangling");
        return Task.FromResult(_store.Images.List().Where(i => (dangling is null || i.IsDangling == dangling)
            && !(i.Config.Created >= before) && !(i.Config.Created <= since)
            && (all || !i.IsDangling || _store.Images.Children(i.Id).Count == 0)
            && filter.MatchLabels(i.Config.Config?.Labels)
            && filter.Match("reference", pattern => i.RepoTags.Any(t => ReferencePattern.Matches(t, pattern))))
            .OrderByDescending(i => i.Config.Created).Select(Summarize).ToList());
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
            Comment = config.Comment ?? "",
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
        if (history.Count > 0)
        {
            (history[0].Id, history[0].Tags) = (image.Id.ToString(), image.RepoTags.Count > 0 ? [.. image.RepoTags] : null);
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
            Containers = id => [.. _containers.List().Where(c => c.Record.ImageId == id.ToString()).Select(c => new ImageUser(c.Id, c.Record.IsRunning))],
        });
        return Task.FromResult(removed.Select(Report).ToList());
    }

    public async Task<string> ImportImageAsync(Api.ImportOptions options, Stream archive, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        var reference = string.IsNullOrEmpty(options.Repo) ? null : ImageReference.Parse(string.IsNullOrEmpty(options.Tag) ? options.Repo : $"{options.Repo}:{options.Tag}");
        var platform = string.IsNullOrEmpty(options.Platform) ? Platform.Current : Platform.Parse(options.Platform);
        var image = await _store.Images.ImportAsync(archive, new Store.ImportOptions
        {
            Reference = reference,
            Message = options.Message ?? "",
            Source = options.Source,
            Platform = platform,
            Config = Build.Stages.ConfigChanges.Apply(new ImageRuntimeConfig(), options.Changes, platform),
        }, cancel);
        _events.Publish("image", "import", image.Id.ToString(), new Dictionary<string, string> { ["name"] = reference?.ToString() ?? image.Id.ToString() });
        await progress(new JsonMessage { Status = image.Id.ToString() });
        return image.Id.ToString();
    }

    public async Task LoadImagesAsync(Stream archive, bool quiet, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        var loaded = await _store.Images.LoadAsync(archive, new LoadOptions(), cancel);
        foreach (var tag in loaded.Tags)
        {
            await progress(new JsonMessage { Stream = $"Loaded image: {tag}\n" });
        }

        foreach (var id in loaded.Untagged)
        {
            await progress(new JsonMessage { Stream = $"Loaded image ID: {id}\n" });
        }
    }

    public Task<Func<Stream, CancellationToken, Task>> SaveImagesAsync(IReadOnlyList<string> names, string? platform, CancellationToken cancel)
    {
        // Named here, before the answer begins: an unknown image must still be able to give a status.
        foreach (var name in names)
        {
            _store.Images.Resolve(name);
        }

        return Task.FromResult<Func<Stream, CancellationToken, Task>>((output, stop) => _store.Images.SaveAsync(names, output, stop));
    }

    public Task<ImagesPruneResponse> PruneImagesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "dangling", "label", "label!", "until");
        var onlyDangling = filter.Bool("dangling") ?? true;
        var used = _containers.List().Select(c => c.Record.ImageId).ToHashSet();
        var deleted = new List<ImageDeleteItem>();
        var reclaimed = 0L;
        foreach (var image in _store.Images.List().Where(i => (i.IsDangling || !onlyDangling) && !used.Contains(i.Id.ToString()) && filter.MatchLabels(i.Config.Config?.Labels)))
        {
            reclaimed += image.Size;
            deleted.AddRange(_store.Images.Remove(image.Id.ToString(), new RemoveOptions { Force = true }).Select(Report));
        }

        return Task.FromResult(new ImagesPruneResponse { ImagesDeleted = deleted, SpaceReclaimed = reclaimed });
    }

    private ImageDeleteItem Report(RemovedImage removed)
    {
        var (action, id) = removed.Deleted is { } deleted ? ("delete", deleted) : ("untag", removed.Untagged!);
        _events.Publish("image", action, id);
        return new ImageDeleteItem { Deleted = removed.Deleted, Untagged = removed.Untagged };
    }

    private static ImageSummary Summarize(ImageRecord image) => new()
    {
        Id = image.Id.ToString(),
        ParentId = image.Parent?.ToString() ?? "",
        Created = image.Config.Created?.ToUnixTimeSeconds() ?? 0,
        Labels = image.Config.Config?.Labels is { } labels ? new Dictionary<string, string>(labels) : null,
        RepoTags = [.. image.RepoTags],
        RepoDigests = [.. image.RepoDigests],
        Size = image.Size,
    };
}

/// <summary>The <c>reference</c> filter: a glob over a name, with or without its tag.</summary>
internal static class ReferencePattern
{
    public static bool Matches(string tag, string pattern)
    {
        var name = tag[..tag.LastIndexOf(':')];
        return System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, pattern.Contains(':') ? tag : name, ignoreCase: false);
    }
}
