using System.Net;
using System.Net.Http.Headers;
using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>A manifest or index as a registry has it.</summary>
/// <param name="Content">Byte for byte; the digest is theirs.</param>
public sealed record StoredManifest(byte[] Content, string MediaType, Digest Digest)
{
    public Descriptor Descriptor => new() { MediaType = MediaType, Digest = Digest, Size = Content.Length };
}

/// <summary>One repository of a registry by its HTTP API (distribution-spec 1.1) for one user. Thread-safe.</summary>
public sealed partial class RepositoryClient
{
    private const int ManifestLimit = 4 * 1024 * 1024, TagsLimit = 4 * 1024 * 1024, PageLimit = 1000;

    private static readonly string[] ManifestTypes =
        [MediaTypes.OciIndex, MediaTypes.DockerManifestList, MediaTypes.OciManifest, MediaTypes.DockerManifest];

    private readonly Transport _transport;

    internal RepositoryClient(Transport transport, Uri root, ImageReference repository, bool isMirror)
    {
        (_transport, Repository, IsMirror) = (transport, repository, isMirror);
        Base = new Uri($"{root.AbsoluteUri.TrimEnd('/')}/v2/{repository.Path}/");
    }

    /// <summary>The repository's API, with a slash at its end.</summary>
    public Uri Base { get; }

    /// <summary>The name by which the repository is asked for; its tag and digest mean nothing here.</summary>
    public ImageReference Repository { get; }

    public bool IsMirror { get; }

    /// <summary>A manifest or index by tag or digest, checked against the digest when that was asked for.</summary>
    /// <exception cref="RegistryException">Also when it is none, or longer than 4 MiB.</exception>
    public async Task<StoredManifest> GetManifestAsync(string tagOrDigest, CancellationToken cancel)
    {
        using var answer = await SendAsync(() => Manifest(HttpMethod.Get, tagOrDigest), cancel);
        await RequireAsync(answer, HttpStatusCode.OK, $"manifests/{tagOrDigest}", cancel);
        var content = await GuardedAsync(answer, a => Answers.BytesAsync(a, ManifestLimit, cancel), cancel);
        var actual = Digest.OfSha256(content);
        var expected = Digest.TryParse(tagOrDigest, out var asked) ? asked
            : answer.Headers.TryGetValues("Docker-Content-Digest", out var stated)
                && Digest.TryParse(stated.FirstOrDefault(), out var told) ? told : actual;
        if (expected.Algorithm != "sha256")
        {
            throw new RegistryException(RegistryErrorKind.InvalidRequest,
                $"manifest {expected}: digests by {expected.Algorithm} are not supported, only sha256");
        }

        return actual == expected ? new StoredManifest(content,
            MediaTypeOf(content, answer.Content.Headers.ContentType?.MediaType, tagOrDigest), actual)
            : throw new RegistryException(RegistryErrorKind.Mismatch,
                $"manifest verification failed for digest {expected}: the content has digest {actual}");
    }

    /// <summary>
    /// What a tag stands for, without its content; null when there is no such tag or the registry does not tell the digest.
    /// </summary>
    public async Task<Descriptor?> HeadManifestAsync(string tagOrDigest, CancellationToken cancel)
    {
        using var answer = await SendAsync(() => Manifest(HttpMethod.Head, tagOrDigest), cancel);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        await RequireAsync(answer, HttpStatusCode.OK, $"manifests/{tagOrDigest}", cancel);
        return answer.Headers.TryGetValues("Docker-Content-Digest", out var stated)
            && Digest.TryParse(stated.FirstOrDefault(), out var digest)
            ? new Descriptor
            {
                MediaType = answer.Content.Headers.ContentType?.MediaType ?? "",
                Digest = digest,
                Size = answer.Content.Headers.ContentLength ?? 0
            } : null;
    }

    /// <summary>Stores a manifest under a tag or its digest.</summary>
    public async Task PutManifestAsync(string tagOrDigest, string mediaType, byte[] content, CancellationToken cancel)
    {
        using var answer = await SendAsync(() => new HttpRequestMessage(HttpMethod.Put, Url($"manifests/{tagOrDigest}"))
        {
            Content = new ByteArrayContent(content) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } },
        }, cancel);
        await RequireAsync(answer, HttpStatusCode.Created, $"manifests/{tagOrDigest}", cancel);
    }

    /// <summary>All tags, page by page, in the registry's order.</summary>
    public async Task<IReadOnlyList<string>> TagsAsync(CancellationToken cancel)
    {
        var tags = new List<string>();
        var next = Url("tags/list");
        for (var page = 0; next is { } url; page++)
        {
            if (page == PageLimit || url.Authority != Base.Authority)
            {
                throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                    $"{Base}tags/list: the list has more than {PageLimit} pages, or leads to {url.Authority}");
            }

            using var answer = await SendAsync(() => new HttpRequestMessage(HttpMethod.Get, url), cancel);
            await RequireAsync(answer, HttpStatusCode.OK, "tags/list", cancel);
            tags.AddRange((await GuardedAsync(answer, a => Answers.JsonAsync(a, RegistryJson.Default.TagsAnswer, TagsLimit, cancel),
                cancel)).Tags ?? []);
            next = NextPage(answer, url);
        }

        return tags;
    }

    /// <summary>A small blob as a whole, checked: an image's configuration.</summary>
    public async Task<byte[]> GetBlobAsync(Descriptor blob, int limit, CancellationToken cancel)
    {
        if (blob.Size > limit)
        {
            throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                $"blob {blob.Digest} has {blob.Size} bytes, more than the limit of {limit} for what is not a layer");
        }

        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var answer = await OpenBlobAsync(blob, 0, cancel);
                var content = await GuardedAsync(answer, a => Answers.BytesAsync(a, limit, cancel), cancel);
                return Digest.OfSha256(content) == blob.Digest ? content : throw new RegistryException(
                    RegistryErrorKind.Mismatch,
                    $"blob {blob.Digest}: the content of {content.Length} bytes has digest {Digest.OfSha256(content)}");
            }
            catch (RegistryException e) when (e.Kind == RegistryErrorKind.Unavailable && attempt < MaxAttempts)
            {
                await Task.Delay(_transport.Pause(attempt), cancel);
            }
        }
    }

    /// <summary>Begins to read a blob at an offset; the answer is 200 (from the beginning, whatever was asked) or 206.</summary>
    internal async Task<HttpResponseMessage> OpenBlobAsync(Descriptor blob, long offset, CancellationToken cancel)
    {
        var answer = await SendAsync(() =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, Url($"blobs/{blob.Digest}"));
            request.Headers.Range = offset > 0 ? new RangeHeaderValue(offset, null) : null;
            return request;
        }, cancel);
        try
        {
            if (answer.StatusCode != HttpStatusCode.PartialContent || offset == 0)
            {
                await RequireAsync(answer, HttpStatusCode.OK, $"blobs/{blob.Digest}", cancel);
            }

            return answer;
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    internal int MaxAttempts { get; init; } = 5;

    internal TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    internal TimeSpan Pause(int attempt) => _transport.Pause(attempt);

    internal Uri Url(string path) => new(Base.AbsoluteUri + path);

    internal Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make, CancellationToken cancel) =>
        _transport.SendAsync(make, once: false, cancel);

    /// <exception cref="RegistryException">The answer is another; its words are in the message.</exception>
    private async Task RequireAsync(HttpResponseMessage answer, HttpStatusCode expected, string path, CancellationToken cancel)
    {
        if (answer.StatusCode != expected)
        {
            throw await Answers.ErrorAsync(answer, $"{Repository.FamiliarName}: {Base}{path}", cancel);
        }
    }

    /// <summary>Reads an answer's body with a time-out; a connection that breaks is the registry's unavailability.</summary>
    private async Task<T> GuardedAsync<T>(HttpResponseMessage answer, Func<HttpResponseMessage, Task<T>> read, CancellationToken cancel)
    {
        try
        {
            return await read(answer).WaitAsync(StallTimeout, cancel);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException)
        {
            throw new RegistryException(RegistryErrorKind.Unavailable,
                $"{answer.RequestMessage?.RequestUri}: the answer broke off: {e.Message}", e);
        }
    }

    private HttpRequestMessage Manifest(HttpMethod method, string tagOrDigest)
    {
        var request = new HttpRequestMessage(method, Url($"manifests/{tagOrDigest}"));
        foreach (var type in ManifestTypes)
        {
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(type));
        }

        return request;
    }

    /// <summary>The type that the content itself states; the header's when it states none.</summary>
    private static string MediaTypeOf(byte[] content, string? header, string what)
    {
        var stated = Answers.Parse(content, RegistryJson.Default.KindOfManifest, $"manifest {what}");
        if (stated.SchemaVersion == 1)
        {
            throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                $"manifest {what} is of Docker's schema 1, which is no longer supported: push the image again with a current tool");
        }

        var type = stated.MediaType is { Length: > 0 } own ? own
            : header is not null && (MediaTypes.IsIndex(header) || MediaTypes.IsManifest(header)) ? header
            : stated.Manifests is not null ? MediaTypes.OciIndex : MediaTypes.OciManifest;
        return MediaTypes.IsIndex(type) || MediaTypes.IsManifest(type) ? type
            : throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                $"manifest {what} is of type \"{type}\", which is neither an image nor an index");
    }

    /// <summary><c>Link: &lt;/v2/…&gt;; rel="next"</c>.</summary>
    private static Uri? NextPage(HttpResponseMessage answer, Uri current)
    {
        var link = answer.Headers.TryGetValues("Link", out var links)
            ? links.FirstOrDefault(l => l.Contains("rel=\"next\"") || l.Contains("rel=next")) : null;
        var (open, close) = (link?.IndexOf('<') ?? -1, link?.IndexOf('>') ?? -1);
        return open >= 0 && close > open && Uri.TryCreate(current, link![(open + 1)..close], out var next) ? next : null;
    }
}
