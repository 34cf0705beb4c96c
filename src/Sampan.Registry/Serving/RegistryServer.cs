using System.Globalization;
using System.Net;
using Sampan.Oci;
using DataRoot = Sampan.Store.Store;

namespace Sampan.Registry.Serving;

/// <summary>
/// The registry's side of the distribution-spec (1.1), as a function from requests to answers: it serves what was pushed to it, the images of this
/// machine, and, as a mirror, what another registry has. Whoever listens brings the requests.
/// </summary>
public sealed partial class RegistryServer : IDisposable
{
    private readonly DataRoot _store;
    private readonly ServedContent _content;
    private readonly LocalImages _local;
    private readonly Uploads _uploads;
    private readonly PullThrough? _upstream;
    private readonly BasicAccess? _access;

    /// <param name="mirror">URL of the registry that is asked for what is not here; null for none.</param>
    /// <param name="access">Who may use it; null for everyone.</param>
    /// <exception cref="FormatException">The mirror is no URL of a registry.</exception>
    public RegistryServer(DataRoot store, ServedContent content, RegistryOptions options, string? mirror, BasicAccess? access = null)
    {
        (_store, _content, _local, _access) = (store, content, new LocalImages(store), access);
        _uploads = new Uploads(Path.Combine(store.DataRoot, "tmp"));
        _upstream = mirror is null ? null : new PullThrough(options, mirror, content, Path.Combine(store.DataRoot, "tmp"));
    }

    /// <summary>Answers a request; every error is an answer too. A blob's content is read while the answer is sent.</summary>
    public async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        HttpResponseMessage answer;
        try
        {
            answer = _access is null || _access.Allows(request.Headers.Authorization) ? await RouteAsync(request, cancel) : Unauthorized();
        }
        catch (ServedException e)
        {
            answer = Served.Error(e);
        }
        catch (RegistryException e)
        {
            answer = Served.Error(new ServedException(
                e.Kind == RegistryErrorKind.NotFound ? HttpStatusCode.NotFound : HttpStatusCode.BadGateway, "MANIFEST_UNKNOWN", e.Message));
        }

        answer.Headers.TryAddWithoutValidation("Docker-Distribution-Api-Version", "registry/2.0");
        return answer;
    }

    public void Dispose()
    {
        _uploads.Dispose();
        _upstream?.Dispose();
    }

    private static HttpResponseMessage Unauthorized()
    {
        var answer = Served.Error(new ServedException(HttpStatusCode.Unauthorized, "UNAUTHORIZED", "authentication required"));
        answer.Headers.TryAddWithoutValidation("WWW-Authenticate", BasicAccess.Challenge);
        return answer;
    }

    /// <summary><c>/v2/NAME/KIND/REFERENCE</c>: the name may have slashes, so that the path is read from its end.</summary>
    private async Task<HttpResponseMessage> RouteAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        var path = Uri.UnescapeDataString(request.RequestUri!.AbsolutePath);
        var query = QueryOf(request.RequestUri);
        var method = request.Method.Method;
        var isRead = method is "GET" or "HEAD";
        if (path is "/v2/" or "/v2" && isRead)
        {
            return Served.Bytes("{}"u8.ToArray(), "application/json");
        }

        if (path == "/v2/_catalog" && isRead)
        {
            var (page, next) = Page(_content.Repositories().Concat(_local.Repositories()), query);
            return Linked(Served.Json(new ServedCatalog(page), RegistryJson.Default.ServedCatalog), "/v2/_catalog", next, query);
        }

        var parts = path.StartsWith("/v2/", StringComparison.Ordinal) ? path["/v2/".Length..].TrimEnd('/').Split('/') : [];
        return parts switch
        {
            [.. var name, "blobs", "uploads"] when method == "POST" => await BeginAsync(Name(name), query, request, cancel),
            [.. var name, "blobs", "uploads", var id] => await UploadAsync(Name(name), id, query, request, cancel),
            [.. var name, "blobs", var digest] when isRead => await BlobAsync(Name(name), DigestOf(digest), request, cancel),
            [.. var name, "blobs", var digest] when method == "DELETE" => DeleteBlob(Name(name), DigestOf(digest)),
            [.. var name, "manifests", var reference] when isRead => await ManifestAsync(Name(name), reference, cancel),
            [.. var name, "manifests", var reference] when method == "PUT" => await PutManifestAsync(Name(name), reference, request, cancel),
            [.. var name, "manifests", var reference] when method == "DELETE" => DeleteManifest(Name(name), reference),
            [.. var name, "tags", "list"] when isRead => Tags(Name(name), query),
            [.. var name, "referrers", var digest] when isRead => Referrers(Name(name), DigestOf(digest), query),
            [.., "blobs" or "manifests" or "tags" or "referrers", _] => throw ServedException.Unsupported($"{method} is not supported for \"{path}\""),
            _ => throw new ServedException(HttpStatusCode.NotFound, "UNSUPPORTED", $"\"{path}\" is no path of the distribution API"),
        };
    }

    private HttpResponseMessage Tags(string name, Dictionary<string, string> query)
    {
        if (!_content.HasRepository(name) && !_local.Of(name).Any())
        {
            throw ServedException.NoName(name);
        }

        var (page, next) = Page(_content.Tags(name).Concat(_local.Of(name).Select(i => i.Tag)), query);
        return Linked(Served.Json(new ServedTags(name, page), RegistryJson.Default.ServedTags), $"/v2/{name}/tags/list", next, query);
    }

    private HttpResponseMessage Referrers(string name, Digest subject, Dictionary<string, string> query)
    {
        var all = _content.Referrers(name, subject);
        var filter = query.GetValueOrDefault("artifactType");
        var index = new ImageIndex { Manifests = [.. all.Where(d => filter is null || d.ArtifactType == filter)] };
        var answer = Served.Json(index, ImageJson.Compact.ImageIndex, MediaTypes.OciIndex);
        if (filter is not null)
        {
            answer.Headers.TryAddWithoutValidation(Served.FiltersHeader, "artifactType");
        }

        return answer;
    }

    /// <summary>What follows <c>last</c> in byte order, at most <c>n</c>; and where the next page begins (distribution-spec, "Listing Tags").</summary>
    private static (List<string> Page, string? Next) Page(IEnumerable<string> all, Dictionary<string, string> query)
    {
        var last = query.GetValueOrDefault("last") ?? "";
        var rest = all.Distinct().Where(t => string.CompareOrdinal(t, last) > 0).Order(StringComparer.Ordinal).ToList();
        if (!query.TryGetValue("n", out var text))
        {
            return (rest, null);
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n))
        {
            throw new ServedException(HttpStatusCode.BadRequest, "PAGINATION_NUMBER_INVALID", $"n is \"{text}\", not a number");
        }

        return (rest[..Math.Min(n, rest.Count)], n > 0 && n < rest.Count ? rest[n - 1] : null);
    }

    private static HttpResponseMessage Linked(HttpResponseMessage answer, string path, string? next, Dictionary<string, string> query)
    {
        if (next is not null)
        {
            answer.Headers.TryAddWithoutValidation("Link", $"<{path}?n={query["n"]}&last={Uri.EscapeDataString(next)}>; rel=\"next\"");
        }

        return answer;
    }

    private static string Name(string[] parts)
    {
        // With a domain in front it is the grammar of distribution-spec, "Pulling manifests".
        var name = string.Join('/', parts);
        return ImageReference.TryParse($"registry.invalid/{name}", out var reference) && reference.Path == name && reference.Digest is null ? name
            : throw new ServedException(HttpStatusCode.BadRequest, "NAME_INVALID", $"invalid repository name \"{name}\"");
    }

    private static Digest DigestOf(string text) => Digest.TryParse(text, out var digest) && digest.Algorithm == "sha256" ? digest
        : throw ServedException.BadDigest($"invalid or unsupported digest \"{text}\": it must be sha256:HEX");

    private static Dictionary<string, string> QueryOf(Uri uri)
    {
        var query = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=');
            var value = equals < 0 ? "" : pair[(equals + 1)..].Replace('+', ' ');
            query[Uri.UnescapeDataString(equals < 0 ? pair : pair[..equals])] = Uri.UnescapeDataString(value);
        }

        return query;
    }
}
