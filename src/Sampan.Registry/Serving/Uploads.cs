using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using Sampan.Oci;

namespace Sampan.Registry.Serving;

/// <summary>One blob that is being sent, into a file of its own, hashed as it comes. One request at a time.</summary>
internal sealed class Upload(string id, string repository, string path) : IDisposable
{
    private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 1);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public string Id => id;

    public string Repository => repository;

    public string Path => path;

    /// <summary>Held by the request that works with it.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    public long Length { get; private set; }

    public DateTime Touched { get; private set; } = DateTime.UtcNow;

    public async Task AppendAsync(Stream content, CancellationToken cancel)
    {
        var buffer = new byte[128 * 1024];
        int n;
        while ((n = await content.ReadAsync(buffer, cancel)) > 0)
        {
            Touched = DateTime.UtcNow;
            await _file.WriteAsync(buffer.AsMemory(0, n), cancel);
            _hash.AppendData(buffer, 0, n);
            Length += n;
        }
    }

    /// <summary>The digest of everything; nothing can be added afterwards.</summary>
    public Digest Finish()
    {
        _file.Dispose();
        return Digest.FromSha256(_hash.GetHashAndReset());
    }

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
        File.Delete(path);
    }
}

/// <summary>The uploads that have begun.</summary>
/// <param name="folder">Where their files are; the data root's <c>tmp</c>, which a start of the daemon empties.</param>
internal sealed class Uploads(string folder) : IDisposable
{
    private const int Most = 1000;

    private static readonly TimeSpan IdleStay = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, Upload> _all = new();

    public Upload Begin(string repository)
    {
        foreach (var upload in _all.Values.Where(u => DateTime.UtcNow - u.Touched > IdleStay))
        {
            End(upload);
        }

        if (_all.Count >= Most)
        {
            throw new ServedException(HttpStatusCode.TooManyRequests, "TOOMANYREQUESTS", $"{Most} uploads are under way");
        }

        var id = Guid.NewGuid().ToString();
        return _all[id] = new Upload(id, repository, System.IO.Path.Combine(folder, $"upload-{id}"));
    }

    public Upload Get(string repository, string id) =>
        _all.TryGetValue(id, out var upload) && upload.Repository == repository ? upload : throw ServedException.NoUpload(id);

    public void End(Upload upload)
    {
        if (_all.TryRemove(upload.Id, out _))
        {
            upload.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var upload in _all.Values)
        {
            End(upload);
        }
    }
}
