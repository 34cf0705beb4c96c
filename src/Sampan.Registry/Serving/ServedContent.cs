using System.Text.Json;
using Sampan.Oci;
using Sampan.Store;
using DataRoot = Sampan.Store.Store;

namespace Sampan.Registry.Serving;

/// <summary>A manifest that was pushed.</summary>
/// <param name="Subject">The manifest it is attached to, by digest; null when none.</param>
/// <param name="Blobs">The blobs it needs, by digest.</param>
internal sealed record ServedManifest(string MediaType, long Size, string? Subject, string? ArtifactType,
    SortedDictionary<string, string>? Annotations, List<string> Blobs)
{
    /// <summary>The manifests of an index, by digest.</summary>
    public List<string> Manifests { get; init; } = [];

    public DateTimeOffset Pushed { get; init; }
}

/// <summary>A blob in a repository.</summary>
internal sealed record ServedBlob(long Size, DateTimeOffset Pushed);

/// <summary>
/// What was pushed: bytes in the store's content, where an image's configuration is once whoever put it there, and which repository has what
/// as documents. A repository is there as long as something is in it.
/// </summary>
public sealed class ServedContent
{
    /// <summary>A blob that no manifest names, or a manifest that no tag leads to, is kept so long: what names it comes last.</summary>
    private static readonly TimeSpan LooseContentStays = TimeSpan.FromDays(1);

    private readonly DataRoot _store;
    private readonly TimeProvider _time;
    private readonly IDocuments _blobs, _manifests, _tags;

    /// <param name="time">Null takes the system's.</param>
    public ServedContent(DataRoot store, TimeProvider? time = null)
    {
        (_store, _time) = (store, time ?? TimeProvider.System);
        _blobs = store.Database.Documents("registry-blobs");
        _manifests = store.Database.Documents("registry-manifests");
        _tags = store.Database.Documents("registry-tags");
    }

    /// <summary>The digests of all content that is kept; blobs that were pushed long ago and never used are forgotten first.</summary>
    public IReadOnlyList<Digest> Keep()
    {
        var manifests = _manifests.List().Select(d => (d.Id, Manifest: Parse(d.Json))).ToList();
        var used = manifests.SelectMany(m => m.Manifest.Blobs.Select(b => $"{m.Id[..m.Id.IndexOf('@')]}@{b}")).ToHashSet();
        var keep = manifests.Select(m => DigestOf(m.Id)).ToHashSet();
        foreach (var document in _blobs.List())
        {
            var blob = JsonSerializer.Deserialize(document.Json, RegistryJson.Default.ServedBlob)!;
            if (!used.Contains(document.Id) && _time.GetUtcNow() - blob.Pushed > LooseContentStays)
            {
                _blobs.Delete(document.Id);
                continue;
            }

            keep.Add(DigestOf(document.Id));
        }

        return [.. keep];
    }

    /// <summary>
    /// Forgets manifests that no tag leads to: neither their own, nor that of an index they are in, nor that of a manifest they are attached to.
    /// Young ones stay, as an index comes after its manifests. Their blobs go with them.
    /// </summary>
    /// <returns>Bytes that were freed.</returns>
    public long Prune()
    {
        var manifests = _manifests.List().ToDictionary(d => d.Id, d => Parse(d.Json));
        var stays = _tags.List().Select(t => $"{t.Id[..t.Id.LastIndexOf(':')]}@{t.Json}").ToHashSet();
        stays.UnionWith(manifests.Where(m => _time.GetUtcNow() - m.Value.Pushed < LooseContentStays).Select(m => m.Key));
        for (var before = -1; before != stays.Count;)
        {
            before = stays.Count;
            foreach (var (id, manifest) in manifests)
            {
                var repository = id[..(id.IndexOf('@') + 1)];
                if (stays.Contains(id))
                {
                    stays.UnionWith(manifest.Manifests.Select(m => repository + m));
                }
                else if (manifest.Subject is { } subject && stays.Contains(repository + subject))
                {
                    stays.Add(id);
                }
            }
        }

        foreach (var (id, manifest) in manifests.Where(m => !stays.Contains(m.Key)))
        {
            _manifests.Delete(id);
            var repository = id[..(id.IndexOf('@') + 1)];
            var used = manifests.Where(m => stays.Contains(m.Key) && m.Key.StartsWith(repository, StringComparison.Ordinal))
                .SelectMany(m => m.Value.Blobs).ToHashSet();
            manifest.Blobs.Where(b => !used.Contains(b)).ToList().ForEach(b => _blobs.Delete(repository + b));
        }

        return _store.SweepBlobs();
    }

    /// <summary>The size of a blob that is whole; null when a repository has none, or a power cut took some of it.</summary>
    internal long? BlobSize(string repository, Digest digest)
    {
        var size = _blobs.Get($"{repository}@{digest}") is { } json
            ? JsonSerializer.Deserialize(json, RegistryJson.Default.ServedBlob)!.Size : (long?)null;
        var file = new FileInfo(_store.Blobs.PathOf(digest));
        return file.Exists && file.Length == size ? size : null;
    }

    /// <summary>A repository that has the blob; null when none has.</summary>
    internal string? RepositoryOf(Digest digest) =>
        _blobs.List().FirstOrDefault(d => d.Id.EndsWith($"@{digest}", StringComparison.Ordinal)) is { } document
            ? document.Id[..document.Id.IndexOf('@')] : null;

    internal FileStream OpenBlob(Digest digest) => new(
        _store.Blobs.PathOf(digest), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 128 * 1024, useAsync: true);

    /// <summary>Takes a verified file as a blob of a repository.</summary>
    internal void PutBlob(string repository, Digest digest, string path, long size) => _store.WithoutSweep(() =>
    {
        LinkBlob(repository, digest, size);
        File.Move(path, _store.Blobs.PathOf(digest), overwrite: true);
        return true;
    });

    /// <summary>Gives a repository a blob of another; false when that has none.</summary>
    internal bool MountBlob(string from, string repository, Digest digest) => _store.WithoutSweep(() =>
    {
        if (BlobSize(from, digest) is not { } size)
        {
            return false;
        }

        LinkBlob(repository, digest, size);
        return true;
    });

    private void LinkBlob(string repository, Digest digest, long size) => _blobs.Put($"{repository}@{digest}",
        JsonSerializer.Serialize(new ServedBlob(size, _time.GetUtcNow()), RegistryJson.Default.ServedBlob), durable: false);

    internal bool DeleteBlob(string repository, Digest digest)
    {
        var was = _blobs.Delete($"{repository}@{digest}");
        _store.SweepBlobs();
        return was;
    }

    internal ServedManifest? Manifest(string repository, Digest digest) => _manifests.Get($"{repository}@{digest}") is { } json ? Parse(json) : null;

    internal byte[] ReadManifest(Digest digest) => _store.Blobs.Read(digest);

    internal Digest? Tag(string repository, string tag) => _tags.Get($"{repository}:{tag}") is { } text ? Digest.Parse(text) : null;

    /// <summary>Stores a manifest, and its blobs with it, durably; then the tag stands for it.</summary>
    internal void PutManifest(string repository, Digest digest, byte[] content, ServedManifest manifest, string? tag) =>
        _store.WithoutSweep(() =>
    {
        _manifests.Put($"{repository}@{digest}", JsonSerializer.Serialize(manifest with { Pushed = _time.GetUtcNow() }, RegistryJson.Default.ServedManifest), durable: false);
        _store.Blobs.Put(content);
        _store.Flush(() =>
        {
            if (tag is not null)
            {
                _tags.Put($"{repository}:{tag}", digest.ToString());
            }
        });
        return true;
    });

    internal bool DeleteTag(string repository, string tag) => _tags.Delete($"{repository}:{tag}");

    /// <summary>Deletes a manifest and the tags that stand for it.</summary>
    internal bool DeleteManifest(string repository, Digest digest)
    {
        foreach (var tag in _tags.List().Where(t => t.Json == digest.ToString() && t.Id.StartsWith($"{repository}:", StringComparison.Ordinal)).ToList())
        {
            _tags.Delete(tag.Id);
        }

        var was = _manifests.Delete($"{repository}@{digest}");
        _store.SweepBlobs();
        return was;
    }

    internal IEnumerable<string> Tags(string repository) =>
        _tags.List().Where(t => t.Id.StartsWith($"{repository}:", StringComparison.Ordinal)).Select(t => t.Id[(repository.Length + 1)..]);

    /// <summary>The manifests attached to another, as descriptors.</summary>
    internal IEnumerable<Descriptor> Referrers(string repository, Digest subject) =>
        from document in _manifests.List()
        where document.Id.StartsWith($"{repository}@", StringComparison.Ordinal)
        let manifest = Parse(document.Json)
        where manifest.Subject == subject.ToString()
        select new Descriptor
        {
            MediaType = manifest.MediaType,
            Digest = DigestOf(document.Id),
            Size = manifest.Size,
            ArtifactType = manifest.ArtifactType,
            Annotations = manifest.Annotations,
        };

    internal IEnumerable<string> Repositories() => _manifests.List().Select(d => d.Id[..d.Id.IndexOf('@')]).Distinct();

    internal bool HasRepository(string repository) =>
        _manifests.List().Concat(_blobs.List()).Any(d => d.Id.StartsWith($"{repository}@", StringComparison.Ordinal));

    private static Digest DigestOf(string id) => Digest.Parse(id[(id.IndexOf('@') + 1)..]);

    private static ServedManifest Parse(string json) => JsonSerializer.Deserialize(json, RegistryJson.Default.ServedManifest)!;
}
