using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Sampan.Api;

/// <summary>
/// Speaks the Engine API with one server. Paths begin with a slash and have no version (<c>/containers/json?all=1</c>; escape values with
/// <see cref="Uri.EscapeDataString(string)"/>). Every method throws <see cref="ApiException"/> for an error answer and
/// <see cref="ApiConnectionException"/> when nobody answers. Thread-safe.
/// </summary>
public sealed class ApiClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly string _version;

    /// <param name="endpoint">The server.</param>
    /// <param name="version">The API version to speak, as <c>1.51</c>.</param>
    public ApiClient(ApiEndpoint endpoint, string version = ApiVersions.Newest)
    {
        Endpoint = endpoint;
        _version = version;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) => new NetworkStream(await endpoint.ConnectAsync(cancel), ownsSocket: true),
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
        };
        _http = new HttpClient(handler) { BaseAddress = new Uri($"http://{endpoint.Authority}"), Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", "sampan");
    }

    public ApiEndpoint Endpoint { get; }

    /// <summary>Whether somebody answers; returns the server's newest API version.</summary>
    public async Task<string?> PingAsync(CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Get, "/_ping", null, null, cancel, versioned: false);
        return response.Headers.TryGetValues("Api-Version", out var values) ? values.First() : null;
    }

    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Get, path, null, null, cancel);
        return await ReadAsync(response, type, cancel);
    }

    /// <summary>The JSON of an answer as it is, for <c>inspect</c>.</summary>
    public async Task<byte[]> GetBytesAsync(string path, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Get, path, null, null, cancel);
        return await response.Content.ReadAsByteArrayAsync(cancel);
    }

    /// <summary>POST without a body and without interest in the answer's.</summary>
    public async Task PostAsync(string path, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Post, path, null, null, cancel);
    }

    public async Task PostAsync<TBody>(string path, TBody body, JsonTypeInfo<TBody> bodyType, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Post, path, Json(body, bodyType), null, cancel);
    }

    /// <summary>POST without a body.</summary>
    public async Task<T> PostAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Post, path, null, null, cancel);
        return await ReadAsync(response, type, cancel);
    }

    public async Task<T> PostAsync<TBody, T>(
        string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Post, path, Json(body, bodyType), null, cancel);
        return await ReadAsync(response, type, cancel);
    }

    public async Task DeleteAsync(string path, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Delete, path, null, null, cancel);
    }

    public async Task<T> DeleteAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Delete, path, null, null, cancel);
        return await ReadAsync(response, type, cancel);
    }

    /// <summary>HEAD; returns the answer's headers.</summary>
    public async Task<Dictionary<string, string>> HeadAsync(string path, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Head, path, null, null, cancel);
        return response.Headers.ToDictionary(h => h.Key, h => h.Value.First(), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The answer's body as it comes. Dispose the stream to close the connection.</summary>
    /// <param name="body">A body (a tar archive) sent in chunks, or null.</param>
    public async Task<ApiStream> StreamAsync(
        HttpMethod method, string path, Stream? body, IReadOnlyDictionary<string, string>? headers, CancellationToken cancel)
    {
        var content = body is null ? null : new StreamContent(body, 64 * 1024);
        if (content is not null)
        {
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-tar");
        }

        var response = await SendAsync(method, path, content, headers, cancel);
        return new ApiStream(response, await response.Content.ReadAsStreamAsync(cancel));
    }

    /// <summary>Progress lines (<see cref="JsonMessage"/>), events or stats: JSON values one after another, as they come.</summary>
    public async IAsyncEnumerable<T> LinesAsync<T>(
        HttpMethod method, string path, Stream? body, IReadOnlyDictionary<string, string>? headers, JsonTypeInfo<T> type,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        await using var stream = await StreamAsync(method, path, body, headers, cancel);
        await foreach (var item in JsonSerializer.DeserializeAsyncEnumerable(stream.Body, type, topLevelValues: true, cancel))
        {
            if (item is not null)
            {
                yield return item;
            }
        }
    }

    /// <summary>
    /// Attach and exec start: asks to leave HTTP and returns the raw connection. Written over a socket of its own, because HttpClient
    /// cannot close one direction only.
    /// </summary>
    public Task<HijackedConnection> HijackAsync(string path, CancellationToken cancel) => HijackAsync(path, ReadOnlyMemory<byte>.Empty, cancel);

    /// <inheritdoc cref="HijackAsync(string, CancellationToken)"/>
    public Task<HijackedConnection> HijackAsync<TBody>(string path, TBody body, JsonTypeInfo<TBody> bodyType, CancellationToken cancel) =>
        HijackAsync(path, JsonSerializer.SerializeToUtf8Bytes(body, bodyType), cancel);

    public void Dispose() => _http.Dispose();

    private async Task<HijackedConnection> HijackAsync(string path, ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        var socket = await Endpoint.ConnectAsync(cancel);
        try
        {
            return await HijackHandshake.RunAsync(socket, Endpoint.Authority, $"/v{_version}{path}", body, cancel);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, HttpContent? content, IReadOnlyDictionary<string, string>? headers, CancellationToken cancel,
        bool versioned = true)
    {
        using var request = new HttpRequestMessage(method, versioned ? $"/v{_version}{path}" : path) { Content = content };
        foreach (var (name, value) in headers ?? new Dictionary<string, string>())
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        }
        catch (HttpRequestException e)
        {
            throw e.InnerException as ApiConnectionException
                ?? new ApiConnectionException($"error during connect to {Endpoint.Text}: {e.GetBaseException().Message}", e);
        }

        if ((int)response.StatusCode is < 200 or >= 400)
        {
            using (response)
            {
                var text = await response.Content.ReadAsByteArrayAsync(cancel);
                throw new ApiException((int)response.StatusCode, ErrorText(text, (int)response.StatusCode));
            }
        }

        return response;
    }

    internal static string ErrorText(ReadOnlySpan<byte> body, int status)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, ApiJson.Wire.ErrorResponse) is { Message.Length: > 0 } error)
            {
                return error.Message;
            }
        }
        catch (JsonException)
        {
            // Not from an engine (a proxy, say): show what it wrote.
        }

        var text = System.Text.Encoding.UTF8.GetString(body).Trim();
        return text.Length > 0 ? text : $"the server answered with status {status}";
    }

    private static ByteArrayContent Json<T>(T body, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancel);
        return await JsonSerializer.DeserializeAsync(stream, type, cancel)
            ?? throw new ApiException((int)response.StatusCode, "the server answered with null");
    }
}

/// <summary>The body of an answer that is still coming.</summary>
public sealed class ApiStream(HttpResponseMessage response, Stream body) : IAsyncDisposable
{
    public Stream Body { get; } = body;

    /// <summary>The answer's content type; says whether logs are multiplexed from API 1.42.</summary>
    public string? MediaType => response.Content.Headers.ContentType?.MediaType;

    /// <summary>A header of the answer, or null.</summary>
    public string? Header(string name) => response.Headers.TryGetValues(name, out var values) ? values.First() : null;

    public async ValueTask DisposeAsync()
    {
        await Body.DisposeAsync();
        response.Dispose();
    }
}
