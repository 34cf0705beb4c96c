using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Build.Sources;

/// <summary>What a server says of a file.</summary>
/// <param name="FileName">From Content-Disposition, else the last part of the path; empty when neither gives one.</param>
/// <param name="ModifiedSeconds">Last-Modified since 1970; 0 when it is not told.</param>
/// <param name="ETag">For asking again; null when it is not told.</param>
public sealed record HttpFile(Digest Digest, string FileName, long ModifiedSeconds, string? ETag, string? MediaType);

/// <summary>Downloads by http and https.</summary>
public static class HttpSource
{
    private const int BufferBytes = 256 * 1024;

    private static readonly HttpClient Client = new(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(30),
        MaxAutomaticRedirections = 10,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        UseCookies = false,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan, // silence is what is limited
    };

    /// <summary>
    /// Downloads into a new file (mode 0600, its time the server's); null when the server says that what has the ETag is still it.
    /// </summary>
    /// <param name="progress">Gets bytes so far, and in all (0 when unknown).</param>
    /// <exception cref="BuildException">The server cannot be reached, refuses, falls silent, or sends too much.</exception>
    public static async Task<HttpFile?> FetchAsync(
        string url, string? etag, string path, SourceLimits limits, Action<long, long>? progress, CancellationToken cancel)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        silence.CancelAfter(limits.Silence);
        try
        {
            using var request = Request(url, etag);
            using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);
            if (etag is not null && response.StatusCode == HttpStatusCode.NotModified)
            {
                return null;
            }

            if (!response.IsSuccessStatusCode)
            {
                throw Failed(url, $"status {(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd());
            }

            var modified = Math.Max(0, response.Content.Headers.LastModified?.ToUnixTimeSeconds() ?? 0);
            var digest = await SaveAsync(url, response, path, modified, limits, progress, silence);
            return new(digest, NameOf(response), modified, response.Headers.ETag?.ToString(),
                response.Content.Headers.ContentType?.MediaType);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UriFormatException or InvalidOperationException)
        {
            throw Failed(url, e.InnerException is { } inner ? $"{e.Message}: {inner.Message}" : e.Message, e);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw Failed(url, $"the server said nothing for {limits.Silence.TotalSeconds} s");
        }
    }

    private static HttpRequestMessage Request(string url, string? etag)
    {
        var uri = new Uri(url);
        var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(uri) { UserName = "", Password = "", Fragment = "" }.Uri);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Sampan", "0.1"));
        if (etag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", etag);
        }

        if (uri.UserInfo.Length > 0)
        {
            request.Headers.Authorization = new("Basic", Convert.ToBase64String(
                Encoding.UTF8.GetBytes(Uri.UnescapeDataString(uri.UserInfo))));
        }

        return request;
    }

    private static async Task<Digest> SaveAsync(
        string url, HttpResponseMessage response, string path, long modified, SourceLimits limits, Action<long, long>? progress,
        CancellationTokenSource silence)
    {
        var total = response.Content.Headers.ContentLength ?? 0;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var body = await response.Content.ReadAsStreamAsync(silence.Token);
        await using (var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            var buffer = new byte[BufferBytes];
            long length = 0;
            for (int count; (count = await body.ReadAsync(buffer, silence.Token)) > 0;)
            {
                silence.CancelAfter(limits.Silence);
                length += count;
                if (length > limits.MaxBytes || total > limits.MaxBytes)
                {
                    throw Failed(url, $"it is larger than the {limits.MaxBytes:N0} bytes that a download may have");
                }

                hash.AppendData(buffer, 0, count);
                await file.WriteAsync(buffer.AsMemory(0, count), silence.Token);
                progress?.Invoke(length, total);
            }
        }

        Sys.SetTimesAt(Sys.AT_FDCWD, Bytes.FromText(path), new FileTime(modified, 0));
        return Digest.FromSha256(hash.GetHashAndReset());
    }

    /// <summary>Only the last part of whatever name a server gives: it must not lead anywhere.</summary>
    private static string NameOf(HttpResponseMessage response)
    {
        var given = response.Content.Headers.ContentDisposition is { } disposition
            ? (disposition.FileNameStar ?? disposition.FileName)?.Trim('"') : null;
        var name = string.IsNullOrEmpty(given) ? Uri.UnescapeDataString(response.RequestMessage!.RequestUri!.AbsolutePath) : given;
        name = name[(name.LastIndexOf('/') + 1)..];
        return name is "." or ".." || name.Length > 255 || name.Any(char.IsControl) ? "" : name;
    }

    private static BuildException Failed(string url, string reason, Exception? cause = null) =>
        new(BuildErrorKind.InvalidInput, $"failed to GET '{RemoteUrl.Redact(url)}': {reason}", cause);
}
