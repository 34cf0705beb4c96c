using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Oci;
using Sampan.Runtime;
using Sampan.Store;

namespace Sampan.Engine;

/// <summary>A container's files: what changed, and making an image of it.</summary>
public sealed partial class EngineService
{
    public Task<List<FilesystemChange>> ChangesAsync(string name, CancellationToken cancel)
    {
        var overlay = Overlay(_containers.Get(name).Record);
        return Task.FromResult(_store.Layers.Changes(overlay.Upper!, overlay.Lower).Select(c => new FilesystemChange { Kind = (int)c.Kind, Path = c.Path }).ToList());
    }

    public async Task<IdResponse> CommitAsync(Api.CommitOptions options, CancellationToken cancel)
    {
        var container = _containers.Get(options.Container);
        var record = container.Record;
        var reference = string.IsNullOrEmpty(options.Repo) ? null : ImageReference.Parse(string.IsNullOrEmpty(options.Tag) ? options.Repo : $"{options.Repo}:{options.Tag}");
        // Frozen while its files are read, so that the image is of one moment.
        var freeze = options.Pause && record.Status == ContainerStatus.Running;
        var cgroup = Cgroup.Open(CgroupPath(record));
        Layer layer;
        using var lease = _store.Lease();
        try
        {
            if (freeze)
            {
                cgroup.Freeze(true);
            }

            layer = await _store.Layers.CommitAsync(Path.Combine(DataDirectory(record.Id), "upper"), record.ChainId is { } c ? ChainId.Parse(c) : null, new Store.CommitOptions(), cancel);
        }
        finally
        {
            if (freeze)
            {
                cgroup.Freeze(false);
            }
        }

        var parent = _store.Images.Resolve(record.ImageId).Config;
        var (now, isEmpty) = (_time.GetUtcNow(), layer.DiffId == Layer.EmptyDiffId);
        var image = _store.Images.Put(parent with
        {
            Created = now,
            Author = options.Author ?? "",
            Comment = options.Comment,
            Container = record.Id,
            Config = Build.Stages.ConfigChanges.Apply(ConfigMerger.ImageOf(options.Config, record.Config), options.Changes, parent.Platform),
            RootFs = isEmpty ? parent.RootFs : parent.RootFs with { DiffIds = [.. parent.RootFs.DiffIds, layer.DiffId] },
            History = [.. parent.History ?? [], new HistoryEntry
            {
                Created = now,
                CreatedBy = string.Join(' ', record.Config.Cmd ?? []),
                Author = options.Author,
                Comment = options.Comment,
                EmptyLayer = isEmpty ? true : null,
            }],
        }, Digest.Parse(record.ImageId));
        if (reference is not null)
        {
            _store.Images.Tag(image.Id, reference);
        }

        Publish(container, "commit", ("imageID", image.Id.ToString()));
        return new IdResponse { Id = image.Id.ToString() };
    }
}
