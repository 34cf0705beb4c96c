using System.Text.Json;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Registry;

/// <summary>A compressed form of a layer that a registry has or had.</summary>
/// <param name="Repository">Where it was seen, with domain: <c>docker.io/library/debian</c>.</param>
internal sealed record KnownBlob(string Digest, long Size, string MediaType, string Repository);

/// <summary>
/// By a layer's content (its DiffID), the compressed blobs it came as or was sent as, so that it need not be compressed and sent again.
/// Newest first, and only a hint: a registry is asked before it is relied on.
/// </summary>
internal sealed class KnownBlobs(IDocuments documents)
{
    private const int Kept = 50;

    private readonly Lock _gate = new();

    public IReadOnlyList<KnownBlob> Of(Digest diffId) =>
        documents.Get(diffId.ToString()) is { } json ? JsonSerializer.Deserialize(json, RegistryJson.Default.ListKnownBlob) ?? [] : [];

    public void Add(Digest diffId, Descriptor blob, ImageReference repository)
    {
        var known = new KnownBlob(blob.Digest.ToString(), blob.Size, blob.MediaType, repository.Name);
        lock (_gate)
        {
            var all = Of(diffId);
            if (all.FirstOrDefault() != known)
            {
                List<KnownBlob> kept = [known, .. all.Where(k => (k.Digest, k.Repository) != (known.Digest, known.Repository))
                    .Take(Kept - 1)];
                documents.Put(diffId.ToString(), JsonSerializer.Serialize(kept, RegistryJson.Default.ListKnownBlob));
            }
        }
    }
}
