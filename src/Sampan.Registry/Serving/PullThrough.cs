using System.IO.Pipelines;
using Sampan.Oci;

namespace Sampan.Registry.Serving;

/// <summary>
/// Fetches from another registry what is asked for and not here yet, and keeps it. A tag is looked up there each time, so that it is never older
/// than there; when that registry cannot be reached, what is here is served.
/// </summary>
internal sealed class PullThrough : IDisposable
{
    private readonly RegistryService _service;
    private readonly ServedContent _content;
    private readonly string _host;
    private readonly string _folder;
    private readonly SemaphoreSlim _fetching = new(1, 1);

    public PullThrough(RegistryOptions options, string mirror, ServedContent content, string folder)
    {
        var text = mirror.Contains("://", StringComparison.Ordinal) ? mirror : $"https://{mirror}";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.AbsolutePath != "/")
        {
            throw new FormatException($"invalid mirror \"{mirror}\": it must be http(s)://HOST[:PORT]");
        }

        _host = url.Authority is "registry-1.docker.io" or "index.docker.io" ? "docker.io" : url.Authority;
        (_content, _folder) = (content, folder);
        _service = RegistryService.WithoutStore(options with
        {
            Mirrors = [],
            MaxAttempts = 2, // a client waits, and tries again itself
            InsecureRegistries = url.Scheme == "http" ? [.. options.InsecureRegistries, url.Authority] : options.InsecureRegistries,
        });
    }

    /// <summary>Brings a manifest here, if the other registry has it and it is not here.</summary>
    public async Task FetchManifestAsync(string name, string reference, Func<byte[], string?, ServedManifest> read, CancellationToken cancel)
    {
        try
        {
            var client = await OpenAsync(name, cancel);
            var known = await client.HeadManifestAsync(reference, cancel);
            var isTag = !Digest.TryParse(reference, out _);
            if (known is null || (_content.Manifest(name, known.Digest) is not null && (!isTag || _content.Tag(name, reference) == known.Digest)))
            {
                return;
            }

            var manifest = await client.GetManifestAsync(known.Digest.ToString(), cancel);
            var parsed = read(manifest.Content, manifest.MediaType);
            _content.PutManifest(name, manifest.Digest, manifest.Content, parsed, isTag ? reference : null);
        }
        catch (RegistryException e) when (e.Kind == RegistryErrorKind.NotFound
            || (e.Kind == RegistryErrorKind.Unavailable && _content.Tag(name, reference) is not null))
        {
            // What is here, if anything, is the answer.
        }
    }

    /// <summary>Brings a blob here; gives its size, null when the other registry has none.</summary>
    public async Task<long?> FetchBlobAsync(string name, Digest digest, CancellationToken cancel)
    {
        // One at a time, so that two clients of one blob fetch it once.
        await _fetching.WaitAsync(cancel);
        var path = Path.Combine(_folder, $"mirror-{Guid.NewGuid():N}");
        try
        {
            if (_content.BlobSize(name, digest) is { } present)
            {
                return present;
            }

            var client = await OpenAsync(name, cancel);
            if (await client.BlobSizeAsync(digest, cancel) is not { } size)
            {
                return null;
            }

            await using (var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write))
            {
                await new BlobDownload(client, new Descriptor { Digest = digest, Size = size }, _ => { }).RunAsync(PipeWriter.Create(file), cancel);
            }

            _content.PutBlob(name, digest, path, size);
            return size;
        }
        finally
        {
            File.Delete(path);
            _fetching.Release();
        }
    }

    public void Dispose()
    {
        _service.Dispose();
        _fetching.Dispose();
    }

    private Task<RepositoryClient> OpenAsync(string name, CancellationToken cancel) =>
        _service.OpenAsync(ImageReference.Parse($"{_host}/{name}"), Credentials.None, writing: false, cancel);
}
