using System.Formats.Tar;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Oci;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>Images on their way between archives, as the store reads and writes them, and OCI layouts at the client.</summary>
internal static class ClientLayout
{
    private const string Blobs = "blobs/sha256/";
    private const int MaxManifestBytes = 4 << 20;
    private const int MaxIndexDepth = 8;

    /// <summary>An image of a layout as an archive that can be loaded. Dispose the stream to end the transfer.</summary>
    /// <param name="root">Its manifest, or an index that has one for the platform.</param>
    public static Stream Open(ContentStore store, Digest root, Platform platform, CancellationToken cancel) => new Transfer(async (output, stop) =>
    {
        var (digest, json) = await ManifestAsync(store, root, platform, stop);
        var manifest = Parse(json, ImageJson.Compact.Manifest, digest);
        var archive = new ArchiveWriter(output);
        async Task FileAsync(string name, long size, Func<Func<ReadOnlyMemory<byte>, Task>, Task> read)
        {
            var (entry, got) = (new FileEntry(name) { Mode = 0x1A4, Size = size }, 0L);
            await archive.BeginAsync(entry, isHardLink: false, stop);
            await read(data => (got += data.Length) <= size ? archive.DataAsync(data, stop) : Task.CompletedTask);
            await (got == size ? archive.EndAsync(entry, stop)
                : throw new GrpcException(GrpcCode.InvalidArgument, $"{name} has {got} bytes and not {size}, as its descriptor says"));
        }

        Task BytesAsync(string name, byte[] bytes) => FileAsync(name, bytes.Length, take => take(bytes));
        await BytesAsync("oci-layout", JsonSerializer.SerializeToUtf8Bytes(new ImageLayout(), ImageJson.Compact.ImageLayout));
        await BytesAsync("index.json", JsonSerializer.SerializeToUtf8Bytes(
            new ImageIndex { Manifests = [new() { MediaType = MediaTypes.OciManifest, Digest = digest, Size = json.Length }] }, ImageJson.Compact.ImageIndex));
        await BytesAsync(Blobs + digest.Hex, json);
        foreach (var blob in manifest.Layers.Prepend(manifest.Config).DistinctBy(blob => blob.Digest))
        {
            await FileAsync(Blobs + blob.Digest.Hex, blob.Size, take => store.CopyAsync(blob.Digest, take, stop));
        }

        await archive.FinishAsync(stop);
    }, cancel);

    /// <summary>Puts the one image of an archive into a layout, whose index the client writes.</summary>
    /// <param name="write">Writes the archive.</param>
    /// <returns>The image's manifest.</returns>
    public static async Task<Descriptor> SendAsync(ContentStore store, Func<Stream, CancellationToken, Task> write, CancellationToken cancel)
    {
        Descriptor? manifest = null;
        await using var archive = new Transfer(write, cancel);
        await using var reader = new TarReader(archive, leaveOpen: true);
        while (await reader.GetNextEntryAsync(copyData: false, cancel) is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile && entry.Name.StartsWith(Blobs, StringComparison.Ordinal))
            {
                await store.WriteAsync(Digest.Parse($"sha256:{entry.Name[Blobs.Length..]}"), entry.Length, entry.DataStream ?? Stream.Null, cancel);
            }
            else if (entry is { Name: "index.json", DataStream: { } data })
            {
                manifest = (await JsonSerializer.DeserializeAsync(data, ImageJson.Compact.ImageIndex, cancel))!.Manifests[0] with { Annotations = null };
            }
        }

        return manifest ?? throw new InvalidOperationException("an archive without an index");
    }

    private static async Task<(Digest Digest, byte[] Json)> ManifestAsync(ContentStore store, Digest digest, Platform platform, CancellationToken cancel)
    {
        for (var i = 0; i < MaxIndexDepth; i++)
        {
            var json = await store.ReadAsync(digest, MaxManifestBytes, cancel);
            var index = Parse(json, ImageJson.Compact.ImageIndex, digest).Manifests;
            if (index.Count == 0)
            {
                return (digest, json);
            }

            digest = (index.FirstOrDefault(one => one.Platform?.Satisfies(platform) == true) ?? index.FirstOrDefault(one => one.Platform is null))?.Digest
                ?? throw new GrpcException(GrpcCode.NotFound, $"the OCI layout has no image for {platform}");
        }

        throw new GrpcException(GrpcCode.InvalidArgument, $"the OCI layout's index nests deeper than {MaxIndexDepth}");
    }

    private static T Parse<T>(byte[] json, JsonTypeInfo<T> type, Digest digest)
        where T : class
    {
        try
        {
            return ImageJson.Parse(json, type);
        }
        catch (JsonException e)
        {
            throw new GrpcException(GrpcCode.InvalidArgument, $"blob {digest} is not the manifest of an image: {e.Message}");
        }
    }
}
