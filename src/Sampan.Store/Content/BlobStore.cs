using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>Content by digest, laid out as an OCI image layout: <c>blobs/sha256/HEX</c>. A blob appears whole or not at all.</summary>
public sealed class BlobStore
{
    private readonly string _root;
    private readonly string _temporary;

    /// <param name="temporary">Where a blob is written before it appears; on the same file system, emptied by every start.</param>
    internal BlobStore(string root, string temporary)
    {
        (_root, _temporary) = (root, temporary);
        var blobs = Path.Combine(root, "blobs", "sha256");
        if (!Directory.Exists(blobs))
        {
            Directory.CreateDirectory(blobs);
            File.WriteAllText(Path.Combine(root, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
        }
    }

    /// <summary>Where a blob is or would be.</summary>
    public string PathOf(Digest digest) => Path.Combine(_root, "blobs", digest.Algorithm, digest.Hex);

    public bool Contains(Digest digest) => File.Exists(PathOf(digest));

    /// <summary>A blob's bytes, checked against its digest.</summary>
    /// <exception cref="StoreException">It is missing, or its bytes have another digest.</exception>
    public byte[] Read(Digest digest)
    {
        var path = PathOf(digest);
        if (!File.Exists(path))
        {
            throw StoreException.Damaged($"blob {digest} is missing from the content store");
        }

        var content = File.ReadAllBytes(path);
        return Digest.OfSha256(content) == digest ? content
            : throw StoreException.Damaged($"blob {digest} is damaged: its content has digest {Digest.OfSha256(content)}");
    }

    /// <summary>
    /// Stores bytes under their digest. They survive power loss once a transaction that names them was committed, as the store syncs the file
    /// system before each (<see cref="LayerStore.Flush"/>).
    /// </summary>
    public Digest Put(ReadOnlySpan<byte> content)
    {
        var digest = Digest.OfSha256(content);
        var path = PathOf(digest);
        if (File.Exists(path) && new FileInfo(path).Length == content.Length)
        {
            return digest;
        }

        var temporary = Path.Combine(_temporary, $"blob-{Guid.NewGuid():N}");
        try
        {
            File.WriteAllBytes(temporary, content);
            Sys.Rename(temporary, path);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        return digest;
    }

    /// <summary>Removes a blob; nothing happens when it is not there.</summary>
    internal void Delete(Digest digest) => File.Delete(PathOf(digest));

    /// <summary>What is here.</summary>
    internal IEnumerable<Digest> List()
    {
        foreach (var path in Directory.EnumerateFiles(Path.Combine(_root, "blobs", "sha256")))
        {
            if (Digest.TryParse($"sha256:{Path.GetFileName(path)}", out var digest))
            {
                yield return digest;
            }
        }
    }

    /// <summary>Removes what no digest in <paramref name="live"/> names, and gives its bytes.</summary>
    internal long Sweep(HashSet<string> live)
    {
        var freed = 0L;
        foreach (var path in Directory.EnumerateFiles(Path.Combine(_root, "blobs", "sha256")))
        {
            if (!live.Contains(Path.GetFileName(path)))
            {
                freed += new FileInfo(path).Length;
                File.Delete(path);
            }
        }

        return freed;
    }
}
