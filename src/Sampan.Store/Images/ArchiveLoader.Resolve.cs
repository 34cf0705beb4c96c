using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>From the files of an archive to images: Docker's manifest.json when it is there, else the OCI index.</summary>
internal sealed partial class ArchiveLoader
{
    private const int IndexDepth = 4, IndexEntries = 10_000;

    private readonly Dictionary<Digest, ImageIndex> _indexes = [];
    private readonly Dictionary<Digest, Manifest> _manifests = [];

    /// <summary>The images of the archive with all their layers in the store, still without a reference to them.</summary>
    public async Task<IReadOnlyList<NewImage>> ResolveAsync()
    {
        var found = FileAt("manifest.json") is { } docker ? FromDocker(docker)
            : FileAt("index.json") is { } index ? FromIndex(index)
            : FileAt("repositories") is { } repositories ? FromRepositories(repositories)
            : throw StoreException.Invalid("not an image archive: it has neither manifest.json nor index.json nor repositories");
        var images = new List<NewImage>();
        var owners = new Dictionary<ImageReference, (byte[] ConfigJson, bool IsOurs)>();
        foreach (var (configJson, sources, names) in found)
        {
            var config = Config(configJson);
            if (options.Platform is { } wanted && !config.Platform.Satisfies(wanted))
            {
                continue;
            }

            if (config.RootFs.DiffIds.Count != sources.Count)
            {
                throw StoreException.Invalid($"image {Digest.OfSha256(configJson)} has {sources.Count} layers, its configuration {config.RootFs.DiffIds.Count}");
            }

            ChainId? chain = null;
            foreach (var (diffId, (path, source)) in config.RootFs.DiffIds.Zip(sources))
            {
                chain = await PlaceAsync(path, source, diffId, chain);
            }

            foreach (var name in names)
            {
                // Images of several platforms under one name: it is given to this machine's.
                var isOurs = config.Platform.Satisfies(Platform.Current);
                if (isOurs || !owners.TryGetValue(name, out var owner) || !owner.IsOurs)
                {
                    owners[name] = (configJson, isOurs);
                }
            }

            var same = images.FindIndex(i => i.ConfigJson.Span.SequenceEqual(configJson));
            if (same >= 0)
            {
                images[same] = images[same] with { Names = [.. images[same].Names, .. names] };
            }
            else
            {
                images.Add(new NewImage(configJson, null, names));
            }
        }

        return images.Count > 0 || options.Platform is null
            ? [.. images.Select(i => i with { Names = [.. i.Names.Where(n => i.ConfigJson.Span.SequenceEqual(owners[n].ConfigJson))] })]
            : throw StoreException.NotFound($"the archive has no image for platform {options.Platform}");
    }

    private async Task<ChainId> PlaceAsync(string path, LayerSource source, Digest diffId, ChainId? parent)
    {
        if (source.DiffId != diffId)
        {
            throw StoreException.Mismatch($"layer \"{path}\" has diff ID {source.DiffId}, the image's configuration says {diffId}");
        }

        var chain = ChainId.Extend(parent, diffId);
        if (layers.Get(chain) is not null)
        {
            return chain;
        }

        if (source.Take() is { } unpacked)
        {
            source.Known = layers.Register(unpacked, parent, diffId);
            return chain;
        }

        // The same content on another parent: made again from the one that is here.
        await layers.CopyAsync(source.Known!, parent, cancel);
        return chain;
    }

    private IEnumerable<(byte[] Config, List<(string, LayerSource)> Layers, List<ImageReference> Names)> FromDocker(byte[] manifest)
    {
        foreach (var image in Parse(manifest, ImageJson.Compact.ArchiveImages, "manifest.json"))
        {
            var config = FileAt(image.Config) ?? throw StoreException.Invalid($"the archive has no \"{image.Config}\", which manifest.json names");
            var stated = image.Config.EndsWith(".json", StringComparison.Ordinal) ? image.Config[..^5] : image.Config[(image.Config.LastIndexOf('/') + 1)..];
            if (Digest.TryParse($"sha256:{stated}", out var digest))
            {
                RequireDigest(config, digest, image.Config);
            }

            yield return (config, [.. image.Layers.Select(l => (l, RequireLayer(l)))], [.. (image.RepoTags ?? []).Select(ParseName)]);
        }
    }

    private IEnumerable<(byte[] Config, List<(string, LayerSource)> Layers, List<ImageReference> Names)> FromIndex(byte[] json)
    {
        var pending = new Stack<(Descriptor Descriptor, List<ImageReference> Names, int Depth)>();
        foreach (var descriptor in Parse(json, ImageJson.Compact.ImageIndex, "index.json").Manifests.Reverse())
        {
            pending.Push((descriptor, NamesOf(descriptor), 0));
        }

        for (var count = 0; pending.TryPop(out var next); count++)
        {
            if (next.Depth > IndexDepth || count > IndexEntries || pending.Count > IndexEntries)
            {
                throw StoreException.Invalid($"index.json nests deeper than {IndexDepth} or lists more than {IndexEntries} manifests");
            }

            var path = BlobPath(next.Descriptor.Digest);
            if (FileAt(path) is not { } blob || next.Descriptor.Annotations?.GetValueOrDefault("vnd.docker.reference.type") is not null)
            {
                // Platforms that were not saved, and attestations.
                continue;
            }

            if (MediaTypes.IsIndex(next.Descriptor.MediaType))
            {
                foreach (var inner in ParseOnce(_indexes, blob, next.Descriptor.Digest, ImageJson.Compact.ImageIndex).Manifests.Reverse())
                {
                    pending.Push((inner, next.Names, next.Depth + 1));
                }

                continue;
            }

            var manifest = ParseOnce(_manifests, blob, next.Descriptor.Digest, ImageJson.Compact.Manifest);
            if (FileAt(BlobPath(manifest.Config.Digest)) is not { } config || manifest.Layers.Any(l => LayerAt(BlobPath(l.Digest)) is null))
            {
                if (next.Depth == 0)
                {
                    throw StoreException.Invalid($"manifest {next.Descriptor.Digest} is incomplete: its configuration or a layer is not in the archive");
                }

                continue;
            }

            RequireDigest(config, manifest.Config.Digest, BlobPath(manifest.Config.Digest));
            yield return (config, [.. manifest.Layers.Select(RequireBlob)], next.Names);
        }
    }

    /// <summary>What many entries name is checked and read once: a small archive must not mean endless work.</summary>
    private static T ParseOnce<T>(Dictionary<Digest, T> known, byte[] blob, Digest digest, JsonTypeInfo<T> type)
        where T : class
    {
        if (!known.TryGetValue(digest, out var value))
        {
            RequireDigest(blob, digest, BlobPath(digest));
            known[digest] = value = Parse(blob, type, BlobPath(digest));
        }

        return value;
    }

    private (string, LayerSource) RequireBlob(Descriptor layer)
    {
        var path = BlobPath(layer.Digest);
        var source = RequireLayer(path);
        return source.BlobDigest == layer.Digest ? (path, source) : throw StoreException.Mismatch($"layer \"{path}\" has digest {source.BlobDigest}");
    }

    private LayerSource RequireLayer(string path) => LayerAt(path) ?? throw StoreException.Invalid($"the archive has no layer \"{path}\", which its manifest names");

    private static void RequireDigest(byte[] content, Digest expected, string path)
    {
        var actual = Digest.OfSha256(content);
        if (actual != expected)
        {
            throw StoreException.Mismatch($"\"{path}\" has digest {actual}, expected {expected}");
        }
    }

    /// <summary>containerd's annotation has the whole name; the spec's may have only the tag, which names nothing.</summary>
    private static List<ImageReference> NamesOf(Descriptor descriptor)
    {
        var text = descriptor.Annotations?.GetValueOrDefault("io.containerd.image.name") ?? descriptor.Annotations?.GetValueOrDefault("org.opencontainers.image.ref.name");
        return text is not null && text.AsSpan().ContainsAny(':', '/') && ImageReference.TryParse(text, out var name) && name.Tag is not null ? [name] : [];
    }

    private static ImageReference ParseName(string text) =>
        ImageReference.TryParse(text, out var name) && name.Tag is not null ? name : throw StoreException.Invalid($"manifest.json: invalid tag \"{text}\"");

    private static string BlobPath(Digest digest) => $"blobs/{digest.Algorithm}/{digest.Hex}";

    private static ImageConfig Config(byte[] json) => Parse(json, ImageJson.Compact.ImageConfig, "image configuration");

    private static T Parse<T>(byte[] json, JsonTypeInfo<T> type, string what)
        where T : class
    {
        try
        {
            return ImageJson.Parse(json, type);
        }
        catch (JsonException e)
        {
            throw StoreException.Invalid($"{what}: {e.Message}", e);
        }
    }
}
