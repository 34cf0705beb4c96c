using System.Net;
using System.Net.Http.Headers;
using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>Sending blobs.</summary>
public sealed partial class RepositoryClient
{
    /// <summary>The size of a blob; null when the repository does not have it.</summary>
    public async Task<long?> BlobSizeAsync(Digest digest, CancellationToken cancel)
    {
        using var answer = await SendAsync(() => new HttpRequestMessage(HttpMethod.Head, Url($"blobs/{digest}")), cancel);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        await RequireAsync(answer, HttpStatusCode.OK, $"blobs/{digest}", cancel);
        return answer.Content.Headers.ContentLength ?? 0;
    }

    /// <summary>Begins an upload. With a blob of another repository of the registry it may be over at once.</summary>
    /// <param name="mount">The blob; null for none.</param>
    /// <param name="from">The repository that has it.</param>
    /// <returns>Where to send the content to; null when the blob was mounted.</returns>
    internal async Task<Uri?> StartUploadAsync(Digest? mount, string? from, CancellationToken cancel)
    {
        var query = mount is null ? "" : $"?mount={Uri.EscapeDataString(mount.ToString()!)}&from={Uri.EscapeDataString(from!)}";
        if (from is not null)
        {
            _transport.Authorizer.Want($"repository:{from}:pull");
        }

        using var answer = await SendAsync(() => new HttpRequestMessage(HttpMethod.Post,
            Url("blobs/uploads/" + query))
        { Content = new ByteArrayContent([]) }, cancel);
        if (mount is not null && answer.StatusCode == HttpStatusCode.Created)
        {
            return null;
        }

        await RequireAsync(answer, HttpStatusCode.Accepted, "blobs/uploads/", cancel);
        return Location(answer, Base);
    }

    /// <summary>Sends a blob that is in memory with one request.</summary>
    internal async Task UploadAsync(byte[] content, Digest digest, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            var location = (await StartUploadAsync(null, null, cancel))!;
            try
            {
                using var answer = await _transport.SendAsync(() =>
                    Octets(HttpMethod.Put, Complete(location, digest), new ByteArrayContent(content)), once: true, cancel);
                await RequireAsync(answer, HttpStatusCode.Created, $"blobs/{digest}", cancel);
                return;
            }
            catch (RegistryException e) when (e.Kind is RegistryErrorKind.Unavailable && attempt < MaxAttempts)
            {
                // The session may be gone with the connection: another one.
                await Task.Delay(Pause(attempt), cancel);
            }
        }
    }

    /// <summary>Sends a blob while it is made, in one streamed request; its digest is known only afterwards.</summary>
    /// <param name="location">From <see cref="StartUploadAsync"/>.</param>
    /// <param name="write">Writes the content and gives its digest.</param>
    internal async Task<Digest> UploadAsync(Uri location, Func<Stream, CancellationToken, Task<Digest>> write, CancellationToken cancel)
    {
        Digest digest = default;
        var content = new StreamedContent(async (stream, stop) => digest = await write(stream, stop));
        using var sent = await _transport.SendAsync(() => Octets(HttpMethod.Patch, location, content), once: true, cancel);
        await RequireAsync(sent, HttpStatusCode.Accepted, "blobs/uploads/", cancel);
        using var answer = await _transport.SendAsync(() =>
            new HttpRequestMessage(HttpMethod.Put, Complete(Location(sent, location), digest))
            {
                Content = new ByteArrayContent([]),
            }, once: true, cancel);
        await RequireAsync(answer, HttpStatusCode.Created, $"blobs/{digest}", cancel);
        return digest;
    }

    private static HttpRequestMessage Octets(HttpMethod method, Uri uri, HttpContent content)
    {
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        return new HttpRequestMessage(method, uri) { Content = content };
    }

    private static Uri Complete(Uri location, Digest digest) =>
        new UriBuilder(location)
        {
            Query = $"{location.Query.TrimStart('?')}{(location.Query.Length > 1 ? "&" : "")}digest={Uri.EscapeDataString(digest.ToString())}",
        }.Uri;

    private static Uri Location(HttpResponseMessage answer, Uri current) => answer.Headers.Location is { } location
        ? new Uri(current, location)
        : throw new RegistryException(RegistryErrorKind.InvalidAnswer, $"{current}: the registry accepts an upload and does not say where");
}
