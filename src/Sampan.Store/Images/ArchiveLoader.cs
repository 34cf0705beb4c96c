using System.Security.Cryptography;
using System.Text;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>
/// Reads an image archive as it comes, layers being unpacked while it is read, since an archive says only at its end what its layers are.
/// Afterwards <see cref="ResolveAsync"/> puts them together and checks every digest. What is not used is removed.
/// </summary>
internal sealed partial class ArchiveLoader(LayerStore layers, LoadOptions options, CancellationToken cancel) : IDisposable
{
    private const int FileBytes = 16 * 1024 * 1024, KeptLimit = 128 * 1024 * 1024, LinkLimit = 16, StartBytes = 512;

    private readonly Dictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _links = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LayerSource> _layers = new(StringComparer.Ordinal);
    private readonly ApplyLimits _limits = options.Limits ?? layers.Limits;
    private long _keptBytes;

    /// <summary>Reads the archive to its end.</summary>
    public void Read(Stream archive)
    {
        using var feed = new TarFeed(archive, hashing: false, progress: null, cancel);
        var reader = new TarReader(feed.Pipe, options.Limits ?? ApplyLimits.Default);
        while (reader.Next() is { } entry)
        {
            cancel.ThrowIfCancellationRequested();
            var path = EntryPath.Clean(entry.Name) ?? throw reader.Error("the name leads outside of the archive's root");
            var name = Bytes.ToText(path);
            switch (entry.Kind)
            {
                case TarEntryKind.Regular:
                    ReadFile(reader, entry, name);
                    break;
                case TarEntryKind.Symlink:
                    // The archives of Docker before 25 link layers that images share.
                    Keep(reader, path.Length + entry.LinkName.Length);
                    _links[name] = Target([.. EntryPath.Split(path).Parent, (byte)'/', .. entry.LinkName]);
                    break;
                case TarEntryKind.HardLink:
                    Keep(reader, path.Length + entry.LinkName.Length);
                    _links[name] = Target(entry.LinkName);
                    break;
            }
        }

        reader.Drain();
    }

    public void Dispose()
    {
        foreach (var source in _layers.Values)
        {
            if (source.Take() is { } unused)
            {
                LayerStore.Discard(unused);
            }
        }
    }

    private static string Target(ReadOnlySpan<byte> name) => Bytes.ToText(EntryPath.Clean(name) ?? []);

    private void ReadFile(TarReader reader, TarEntry entry, string name)
    {
        var start = new byte[(int)Math.Min(StartBytes, entry.StoredSize)];
        for (var have = 0; have < start.Length;)
        {
            var bytes = reader.TakeContent(start.Length - have);
            bytes.CopyTo(start.AsSpan(have));
            have += bytes.Length;
        }

        if (entry.Sparse is not null)
        {
            throw reader.Error("a file of an image archive is sparse");
        }

        if (IsLayer(start))
        {
            ReadLayer(reader, entry, name, start);
        }
        else if (name.EndsWith(".tar", StringComparison.Ordinal) && entry.StoredSize >= StartBytes)
        {
            throw reader.Error("the layer is not a tar archive, compressed or not");
        }
        else
        {
            ReadText(reader, entry, name, start);
        }
    }

    /// <summary>A manifest, a configuration, or something small that nobody asks for.</summary>
    private void ReadText(TarReader reader, TarEntry entry, string name, byte[] start)
    {
        if (entry.StoredSize > FileBytes)
        {
            throw reader.Error($"the file has {entry.StoredSize} bytes, more than the limit of {FileBytes} for what is not a layer");
        }

        Keep(reader, entry.StoredSize + name.Length);
        var content = new MemoryStream();
        content.Write(start);
        for (var bytes = reader.TakeContent(); !bytes.IsEmpty; bytes = reader.TakeContent())
        {
            content.Write(bytes);
        }

        _files[name] = content.ToArray();
    }

    /// <summary>Counts what is kept in memory until the archive's end: small files, links, and the names of both and of layers.</summary>
    private void Keep(TarReader reader, long bytes)
    {
        _keptBytes += bytes + 64;
        if (_keptBytes > KeptLimit)
        {
            throw reader.Error($"the files that are not layers, the links and their names have more than {KeptLimit} bytes together");
        }
    }

    private void ReadLayer(TarReader reader, TarEntry entry, string name, byte[] start)
    {
        Keep(reader, name.Length);
        var isBlob = name.StartsWith("blobs/sha256/", StringComparison.Ordinal);
        var isCompressed = Decompressor.Detect(start) is not null;
        var known = isBlob && !isCompressed && Digest.TryParse("sha256:" + name["blobs/sha256/".Length..], out var digest) ? layers.FindByDiffId(digest) : null;
        using var hash = (isBlob && isCompressed) || known is not null ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
        using var content = new EntryStream(reader, start, hash);
        UnpackedLayer? unpacked = null;
        if (known is null)
        {
            try
            {
                var progress = options.Progress is { } report ? new LayerReport(report, ShortName(name), entry.StoredSize) : null;
                unpacked = layers.UnpackAsync(content, _limits, progress, cancel).GetAwaiter().GetResult();
            }
            catch (TarException e)
            {
                // The inner archive's position says little without the layer's name.
                throw content.Failure is not null ? StoreException.Invalid(content.Failure.Message, e) : StoreException.Invalid($"layer \"{TarEntry.Display(entry.Name)}\": {e.Message}", e);
            }
        }

        var source = new LayerSource(unpacked, known);
        try
        {
            content.Drain();
            source.BlobDigest = hash is null ? source.DiffId : Digest.FromSha256(hash.GetHashAndReset());
            if (known is not null && source.BlobDigest != known.DiffId)
            {
                throw StoreException.Mismatch($"layer \"{name}\" has digest {source.BlobDigest}");
            }
        }
        catch
        {
            _ = source.Take() is { } failed && Discarded(failed);
            throw;
        }

        if (_layers.TryGetValue(name, out var earlier) && earlier.Take() is { } replaced)
        {
            LayerStore.Discard(replaced);
        }

        _layers[name] = source;
    }

    private static bool Discarded(UnpackedLayer layer)
    {
        LayerStore.Discard(layer);
        return true;
    }

    private static bool IsLayer(ReadOnlySpan<byte> start) =>
        Decompressor.Detect(start) is not null
        || (start.Length == StartBytes && (start.Slice(257, 5).SequenceEqual("ustar"u8) || !start.ContainsAnyExcept((byte)0) || HasTarSum(start)));

    /// <summary>A header of the oldest kind has no magic, but its sum.</summary>
    private static bool HasTarSum(ReadOnlySpan<byte> start)
    {
        var sum = 8L * ' ';
        for (var i = 0; i < StartBytes; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : start[i];
        }

        return TarNumbers.TryReadField(start.Slice(148, 8), out var expected) && expected == sum;
    }

    /// <summary>Twelve letters of a digest or of an old archive's folder.</summary>
    private static string ShortName(string name)
    {
        var part = name.StartsWith("blobs/", StringComparison.Ordinal) ? name[(name.LastIndexOf('/') + 1)..] : name.Split('/')[0];
        return part.Length > 12 ? part[..12] : part;
    }

    /// <summary>Follows links to where a file or layer really is.</summary>
    private string Real(string path)
    {
        for (var i = 0; i < LinkLimit && _links.TryGetValue(path, out var target); i++)
        {
            path = target;
        }

        return path;
    }

    private byte[]? FileAt(string path) => _files.GetValueOrDefault(Real(Target(Encoding.UTF8.GetBytes(path))));

    private LayerSource? LayerAt(string path) => _layers.GetValueOrDefault(Real(Target(Encoding.UTF8.GetBytes(path))));

    /// <summary>A layer of the archive: unpacked now, or in the store before.</summary>
    private sealed class LayerSource(UnpackedLayer? unpacked, Layer? known)
    {
        private UnpackedLayer? _unpacked = unpacked;

        public Digest DiffId { get; } = unpacked?.DiffId ?? known!.DiffId;

        /// <summary>Of the bytes in the archive, compressed or not.</summary>
        public Digest BlobDigest { get; set; }

        /// <summary>A layer of this content in the store, on whatever parent.</summary>
        public Layer? Known { get; set; } = known;

        /// <summary>The unpacked layer, once.</summary>
        public UnpackedLayer? Take() => Interlocked.Exchange(ref _unpacked, null);
    }

    private sealed class LayerReport(IProgress<LayerProgress> report, string layer, long total) : IProgress<long>
    {
        public void Report(long value) => report.Report(new LayerProgress(layer, value, total));
    }
}
