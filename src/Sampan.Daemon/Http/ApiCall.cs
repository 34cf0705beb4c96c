using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Sampan.Api;
using Sampan.Daemon.Hijack;

namespace Sampan.Daemon.Http;

/// <summary>One request on its way through a route: its parts as Docker means them, and the ways to answer.</summary>
internal sealed class ApiCall(HttpContext http, int version, string path, Query query, IEngine engine, CancellationToken stopping) : IDisposable
{
    /// <summary>A JSON body may be this long; archives have no limit.</summary>
    private const int JsonLimit = 8 * 1024 * 1024;

    /// <summary>In bytes; below it one write costs less than two.</summary>
    private const int LongAnswer = 64 * 1024;

    private readonly CancellationTokenSource _cancel = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);

    public HttpContext Http => http;

    public IEngine Engine => engine;

    /// <summary>The minor number of the API version the client speaks: 44 for <c>/v1.44/…</c>.</summary>
    public int Version => version;

    /// <summary>Without the version, decoded.</summary>
    public string Path => path;

    public Query Query => query;

    /// <summary>What the route's <c>{name}</c> stands for.</summary>
    public string Name { get; set; } = "";

    /// <summary>Fires when the client goes away (or half-closes) and when the daemon stops.</summary>
    public CancellationToken Cancel => _cancel.Token;

    /// <summary>Fires when the daemon stops; for taken connections, where a half-close means nothing.</summary>
    public CancellationToken Stopping => stopping;

    public Stream Body => http.Request.Body;

    public bool HasBody => http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? false;

    /// <summary>The client asked to leave HTTP on this connection.</summary>
    public bool WantsUpgrade => Header(RequestScanner.MaskedUpgrade) is not null;

    public void SetHeader(string name, string value) => http.Response.Headers[name] = value;

    public string? Header(string name) => http.Request.Headers.TryGetValue(name, out var values) ? values.ToString() : null;

    /// <summary>The JSON body; null when there is none.</summary>
    /// <exception cref="ApiException">400 malformed, 413 too large.</exception>
    public async Task<T?> ReadAsync<T>(JsonTypeInfo<T> type)
        where T : class
    {
        var bytes = await ReadBytesAsync();
        if (bytes.Length == 0)
        {
            return null;
        }

        var media = Header("Content-Type")?.Split(';')[0].Trim();
        if (!string.IsNullOrEmpty(media) && !media.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            throw new ApiException(400, $"unsupported Content-Type header ({media}): must be 'application/json'");
        }

        try
        {
            return JsonSerializer.Deserialize(bytes, type);
        }
        catch (JsonException e)
        {
            throw new ApiException(400, $"invalid JSON: {e.Message}");
        }
    }

    /// <summary>As <see cref="ReadAsync"/>, for requests that make no sense without a body.</summary>
    public async Task<T> ReadRequiredAsync<T>(JsonTypeInfo<T> type)
        where T : class =>
        await ReadAsync(type) ?? throw new ApiException(400, "invalid JSON: got EOF while reading request body");

    private async Task<byte[]> ReadBytesAsync()
    {
        var all = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int n;
        while ((n = await Body.ReadAsync(buffer, Cancel)) > 0)
        {
            if (all.Length + n > JsonLimit)
            {
                throw new ApiException(413, $"request body is larger than {JsonLimit} bytes");
            }

            all.Write(buffer, 0, n);
        }

        return all.ToArray();
    }

    public async Task AnswerAsync<T>(T value, JsonTypeInfo<T> type, int status = 200)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(value, type);
        await AnswerBytesAsync(bytes, status);
    }

    public Task AnswerAsync(JsonNode node, int status = 200) =>
        AnswerBytesAsync(JsonSerializer.SerializeToUtf8Bytes(node, NodeJson.Wire.JsonNode), status);

    private async Task AnswerBytesAsync(byte[] bytes, int status)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = bytes.Length + 1;
        if (bytes.Length < LongAnswer)
        {
            await http.Response.Body.WriteAsync((byte[])[.. bytes, (byte)'\n'], Cancel);
            return;
        }

        // Megabytes are not copied for the sake of a line end.
        await http.Response.Body.WriteAsync(bytes, Cancel);
        await http.Response.Body.WriteAsync("\n"u8.ToArray(), Cancel);
    }

    /// <summary>An answer without a body.</summary>
    public Task AnswerAsync(int status)
    {
        http.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    public async Task AnswerTextAsync(string text)
    {
        http.Response.ContentType = "text/plain; charset=utf-8";
        http.Response.ContentLength = Encoding.UTF8.GetByteCount(text);
        if (!HttpMethods.IsHead(http.Request.Method))
        {
            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), Cancel);
        }
    }

    /// <summary>Begins an answer whose body comes in pieces; the headers are sent at once.</summary>
    public async Task<Stream> StreamAsync(string contentType)
    {
        http.Response.ContentType = contentType;
        await http.Response.StartAsync(Cancel);
        await http.Response.Body.FlushAsync(Cancel);
        return new FlushingStream(http.Response.Body);
    }

    /// <summary>
    /// Takes the connection for attach and exec: 101 for a client that asked to upgrade, else 200. From then on bytes are raw.
    /// </summary>
    public Task<RawConnection> HijackAsync(bool tty)
    {
        var feature = http.Features.Get<HijackFeature>() ?? throw new ApiException(500, "the connection cannot be hijacked");
        var head = new StringBuilder();
        if (Header(RequestScanner.MaskedUpgrade) is { } protocol)
        {
            var media = version >= 42 && !tty ? MediaTypes.Multiplexed : MediaTypes.Raw;
            head.Append(CultureInfo.InvariantCulture, $"HTTP/1.1 101 UPGRADED\r\nContent-Type: {media}\r\n");
            head.Append(CultureInfo.InvariantCulture, $"Connection: Upgrade\r\nUpgrade: {protocol}\r\n");
        }
        else
        {
            head.Append(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Type: {MediaTypes.Raw}\r\n");
        }

        foreach (var (name, value) in http.Response.Headers)
        {
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }

        return feature.TakeAsync(head.Append("\r\n").ToString(), Stopping);
    }

    public void Dispose() => _cancel.Dispose();
}

/// <summary>Docker's content types for output.</summary>
internal static class MediaTypes
{
    public const string Raw = "application/vnd.docker.raw-stream";
    public const string Multiplexed = "application/vnd.docker.multiplexed-stream";
    public const string Tar = "application/x-tar";
}
