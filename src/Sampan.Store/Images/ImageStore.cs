using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>Images and their names. Thread-safe; each method is one transaction, durable when it returns.</summary>
public sealed partial class ImageStore
{
    private readonly Database _database;
    private readonly BlobStore _blobs;
    private readonly LayerStore _layers;

    /// <summary>Held from the look at a configuration's blob to the row that names it, so that no removal takes the blob in between.</summary>
    private readonly Lock _putting = new();
    private readonly ConcurrentDictionary<Digest, (ImageConfig Config, byte[] Json)> _configs = new();

    internal ImageStore(Database database, BlobStore blobs, LayerStore layers) => (_database, _blobs, _layers) = (database, blobs, layers);

    /// <summary>Content that others keep beside the images; asked with no lock of theirs held.</summary>
    public Func<IReadOnlyCollection<Digest>> KeptBlobs { get; set; } = () => [];

    /// <summary>Stores an image whose layers are here; one that is here already is found again. Pending layers become durable.</summary>
    /// <param name="parent">The image it was built on.</param>
    /// <exception cref="StoreException">A layer is not here.</exception>
    public ImageRecord Put(ImageConfig config, Digest? parent = null) => Put(ImageJson.Serialize(config), parent);

    /// <summary>As <see cref="Put(ImageConfig, Digest?)"/> for a configuration from outside, whose bytes are kept.</summary>
    /// <exception cref="StoreException">It is not a configuration, or a layer is not here.</exception>
    public ImageRecord Put(ReadOnlyMemory<byte> configJson, Digest? parent = null)
    {
        // One that is here needs no sync of the file system: it is as durable as it can be.
        var id = Digest.OfSha256(configJson.Span);
        if (Get(id) is { } known && (known.Parent is not null || parent is null) && (known.ChainId is not { } chain || _layers.Get(chain) is not null))
        {
            return known;
        }

        PutAll([new NewImage(configJson, parent, [])], out _);
        return Get(id) ?? throw StoreException.NotFound($"image {id} was removed meanwhile");
    }

    /// <summary>An image by its full ID; null when it is not here.</summary>
    public ImageRecord? Get(Digest id)
    {
        var row = _database.Query("SELECT parent, last_tagged FROM images WHERE id = $1",
            r => (Parent: r.IsDBNull(0) ? null : r.GetString(0), Tagged: r.IsDBNull(1) ? null : r.GetString(1)), id.ToString());
        return row.Count == 0 ? null : Record(id, row[0].Parent, row[0].Tagged);
    }

    /// <summary>An image by name, name@digest, ID, or unambiguous beginning of its ID, in Docker's order.</summary>
    /// <exception cref="StoreException">There is none (NotFound), several (InvalidInput), or the name is not one (InvalidInput).</exception>
    public ImageRecord Resolve(string nameOrId) =>
        Find(nameOrId, out var reference) ?? throw StoreException.NotFound($"No such image: {reference?.FamiliarString ?? nameOrId}");

    /// <summary>True for an ID, or the beginning of one, of an image that is here: nothing a registry could be asked for.</summary>
    public bool IsId(string text) => Digest.TryParse(text, out _) || (text.Length == 64 && FindByPrefix(text) is not null);

    /// <summary>All images, newest first.</summary>
    public IReadOnlyList<ImageRecord> List() =>
        [.. Ids().Select(Get).OfType<ImageRecord>().OrderByDescending(i => i.Config.Created ?? default).ThenBy(i => i.Id.Hex, StringComparer.Ordinal)];

    /// <summary>What of each image's size is layers that others have, too.</summary>
    public IReadOnlyDictionary<Digest, long> SharedSizes()
    {
        var stacks = List().ToDictionary(i => i.Id, i => LayersOf(i.Config).ToList());
        var uses = stacks.Values.SelectMany(layers => layers).CountBy(l => l.ChainId).ToDictionary();
        return stacks.ToDictionary(s => s.Key, s => s.Value.Where(l => uses[l.ChainId] > 1).Sum(l => l.Size));
    }

    /// <summary>The images built directly on this one.</summary>
    public IReadOnlyList<ImageRecord> Children(Digest id) => [.. ChildIds(id).Select(Get).OfType<ImageRecord>()];

    /// <summary>Gives an image a name, taking it from another that had it; gives that one's ID.</summary>
    /// <exception cref="StoreException">There is no such image.</exception>
    public Digest? Tag(Digest id, ImageReference reference) => _database.Transaction(() =>
    {
        if (_database.Query("SELECT 1 FROM images WHERE id = $1", _ => true, id.ToString()).Count == 0)
        {
            throw StoreException.NotFound($"No such image: {id}");
        }

        return SetName(reference.ToString(), id);
    });

    /// <summary>Takes a name away; false when nothing had it.</summary>
    public bool Untag(ImageReference reference) => _database.Execute("DELETE FROM names WHERE name = $1", reference.ToString()) > 0;

    /// <summary>Makes an image of one layer from a tar of a root file system.</summary>
    public async Task<ImageRecord> ImportAsync(Stream tar, ImportOptions options, CancellationToken cancel = default)
    {
        using var lease = _layers.Lease();
        var layer = await _layers.ApplyAsync(tar, parent: null, expectedDiffId: null, options.Limits, options.Progress, cancel);
        var created = options.Created ?? DateTimeOffset.UtcNow;
        var message = options.Message.Length > 0 ? options.Message : $"Imported from {options.Source ?? "-"}";
        var config = new ImageConfig
        {
            Architecture = options.Platform.Architecture,
            Os = options.Platform.Os,
            Variant = options.Platform.Variant,
            Comment = message,
            Config = options.Config,
            Created = created,
            RootFs = new RootFs { DiffIds = [layer.DiffId] },
            History = [new HistoryEntry { Created = created, Comment = message }],
        };
        var id = PutAll([new NewImage(ImageJson.Serialize(config), null, options.Reference is { } name ? [name] : [])], out _)[0];
        return Get(id) ?? throw StoreException.NotFound($"image {id} was removed meanwhile");
    }

    /// <summary>The topmost layers of all images.</summary>
    internal IEnumerable<ChainId> LayerRoots() => Ids().Select(id => TryConfig(id)?.Config.ChainId).OfType<ChainId>();

    /// <summary>Makes images and their names visible together.</summary>
    public IReadOnlyList<Digest> PutAll(IReadOnlyList<NewImage> images, out IReadOnlyList<(string Tag, Digest Previous)> replaced)
    {
        lock (_putting)
        {
            return PutLocked(images, out replaced);
        }
    }

    private List<Digest> PutLocked(IReadOnlyList<NewImage> images, out IReadOnlyList<(string Tag, Digest Previous)> replaced)
    {
        var ids = new List<Digest>();
        foreach (var image in images)
        {
            var config = ParseConfig(image.ConfigJson.Span);
            if (config.ChainId is { } chain && _layers.Get(chain) is null)
            {
                throw StoreException.NotFound($"layer {chain} does not exist");
            }

            ids.Add(_blobs.Put(image.ConfigJson.Span));
            _configs[ids[^1]] = (config, image.ConfigJson.ToArray());
        }

        var moved = new List<(string Tag, Digest Previous)>();
        _layers.Flush(() =>
        {
            foreach (var (image, id) in images.Zip(ids))
            {
                _database.Execute("INSERT INTO images VALUES ($1, $2, NULL) ON CONFLICT DO UPDATE SET parent = COALESCE(parent, excluded.parent)",
                    id.ToString(), image.Parent?.ToString());
                foreach (var name in image.Names)
                {
                    if (SetName(name.ToString(), id) is { } previous && previous != id)
                    {
                        moved.Add((name.FamiliarString, previous));
                    }
                }
            }
        });
        replaced = moved;
        return ids;
    }

    /// <summary>The IDs of the images that a name may mean: for "name" without tag and digest, all its tags.</summary>
    public IReadOnlyList<(ImageReference? Name, ImageRecord Image)> ResolveAll(string nameOrId)
    {
        if (ImageReference.TryParse(nameOrId, out _) && ImageReference.ParseName(nameOrId) is { Tag: null, Digest: null } repository)
        {
            var all = _database.Query("SELECT name FROM names WHERE name LIKE $1 ESCAPE '\\' ORDER BY name", r => r.GetString(0),
                    repository.Name.Replace("_", "\\_", StringComparison.Ordinal) + ":%")
                .Select(ImageReference.ParseName).Where(r => r.Name == repository.Name && r.Tag is not null).ToList();
            if (all.Count > 0)
            {
                return [.. all.Select(n => ((ImageReference?)n, Resolve(n.ToString())))];
            }
        }

        var image = Find(nameOrId, out var reference) ?? throw StoreException.NotFound($"No such image: {reference?.FamiliarString ?? nameOrId}");
        return [(reference?.Tag is not null && NameOwner(reference.ToString()) == image.Id ? reference : null, image)];
    }

    /// <summary>Finds an image; the reference is set when the text can be a name.</summary>
    private ImageRecord? Find(string nameOrId, out ImageReference? reference)
    {
        reference = null;
        var isFullId = Digest.TryParse(nameOrId.Length == 64 ? $"sha256:{nameOrId}" : nameOrId, out var id);
        if (isFullId)
        {
            return Get(id);
        }

        try
        {
            reference = ImageReference.Parse(nameOrId);
        }
        catch (FormatException e)
        {
            throw new StoreException(StoreErrorKind.InvalidInput, e.Message, e);
        }

        // With a digest the tag only says what it was called when it was looked up.
        var name = reference.Digest is { } digest ? reference.WithDigest(digest) : reference;
        return NameOwner(name.ToString()) is { } owner ? Get(owner) : FindByPrefix(nameOrId);
    }

    private ImageRecord? FindByPrefix(string text)
    {
        var prefix = text.StartsWith("sha256:", StringComparison.Ordinal) ? text["sha256:".Length..] : text;
        if (prefix.Length == 0 || prefix.AsSpan().ContainsAnyExcept("0123456789abcdef"))
        {
            return null;
        }

        var matches = _database.Query("SELECT id FROM images WHERE id >= $1 AND id < $2 LIMIT 2", r => Digest.Parse(r.GetString(0)), $"sha256:{prefix}", $"sha256:{prefix}g");
        return matches.Count switch
        {
            0 => null,
            1 => Get(matches[0]),
            _ => throw StoreException.Invalid($"image ID \"{text}\" is ambiguous: several images begin with it"),
        };
    }

    private Digest? NameOwner(string name)
    {
        var rows = _database.Query("SELECT image FROM names WHERE name = $1", r => Digest.Parse(r.GetString(0)), name);
        return rows.Count > 0 ? rows[0] : null;
    }

    private Digest? SetName(string name, Digest id)
    {
        var previous = NameOwner(name);
        _database.Execute("INSERT INTO names VALUES ($1, $2) ON CONFLICT DO UPDATE SET image = excluded.image", name, id.ToString());
        _database.Execute("UPDATE images SET last_tagged = $2 WHERE id = $1", id.ToString(), DateTimeOffset.UtcNow.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
        return previous;
    }

    private List<ImageReference> NamesOf(Digest id) =>
        _database.Query("SELECT name FROM names WHERE image = $1 ORDER BY name", r => ImageReference.ParseName(r.GetString(0)), id.ToString());

    internal List<Digest> Ids() => _database.Query("SELECT id FROM images", r => Digest.Parse(r.GetString(0)));

    private List<Digest> ChildIds(Digest id) => _database.Query("SELECT id FROM images WHERE parent = $1 ORDER BY id", r => Digest.Parse(r.GetString(0)), id.ToString());

    private (ImageConfig Config, byte[] Json) Config(Digest id) => _configs.GetOrAdd(id, static (key, store) =>
    {
        var json = store._blobs.Read(key);
        return (ParseConfig(json), json);
    }, this);

    /// <summary>As <see cref="Config"/>; null for an image that was removed between the look at its row and this.</summary>
    private (ImageConfig Config, byte[] Json)? TryConfig(Digest id)
    {
        try
        {
            return Config(id);
        }
        catch (Exception e) when (e is StoreException or FileNotFoundException && !Contains(id))
        {
            return null;
        }
    }

    private static ImageConfig ParseConfig(ReadOnlySpan<byte> json)
    {
        try
        {
            return ImageJson.ParseConfig(json);
        }
        catch (JsonException e)
        {
            throw StoreException.Invalid($"invalid image configuration: {e.Message}", e);
        }
    }

    private IEnumerable<Layer> LayersOf(ImageConfig config)
    {
        for (var chain = config.ChainId; chain is { } next && _layers.Peek(next) is { } layer; chain = layer.Parent)
        {
            yield return layer;
        }
    }

    private ImageRecord? Record(Digest id, string? parent, string? lastTagged)
    {
        if (TryConfig(id) is not (var config, var json))
        {
            return null;
        }

        var names = NamesOf(id);
        return new ImageRecord
        {
            Id = id,
            Config = config,
            ConfigJson = json,
            Parent = parent is null ? null : Digest.Parse(parent),
            RepoTags = [.. names.Where(n => n.Tag is not null).Select(n => n.FamiliarString)],
            RepoDigests = [.. names.Where(n => n.Digest is not null).Select(n => n.FamiliarString)],
            Size = LayersOf(config).Sum(l => l.Size),
            LastTagged = lastTagged is null ? null : DateTimeOffset.Parse(lastTagged, CultureInfo.InvariantCulture),
        };
    }
}

/// <summary>An image to be stored, with the names it gets.</summary>
public sealed record NewImage(ReadOnlyMemory<byte> ConfigJson, Digest? Parent, IReadOnlyList<ImageReference> Names);
