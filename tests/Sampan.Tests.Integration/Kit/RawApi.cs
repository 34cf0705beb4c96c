using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Sampan.Tests.Integration.Kit;

/// <summary>The Engine API as bytes: requests whose path is exactly as written, answers as they come.</summary>
public sealed class RawApi : IDisposable
{
    private readonly HttpClient _http;

    /// <summary>Speaks to the daemon at a unix socket.</summary>
    public RawApi(string socket)
    {
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancel);
                    return new NetworkStream(connection, ownsSocket: true);
                }
                catch
                {
                    connection.Dispose();
                    throw;
                }
            },
        })
        {
            BaseAddress = new Uri("http://docker"),
            Timeout = Patience.Seconds(60),
        };
    }

    /// <summary>GET.</summary>
    public Task<ApiAnswer> GetAsync(string path) => SendAsync(HttpMethod.Get, path, null);

    /// <summary>POST with a JSON body, or none.</summary>
    public Task<ApiAnswer> PostAsync(string path, string? json = null) => SendAsync(HttpMethod.Post, path, json);

    /// <summary>DELETE.</summary>
    public Task<ApiAnswer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path, null);

    /// <summary>Any method.</summary>
    public async Task<ApiAnswer> SendAsync(HttpMethod method, string path, string? json)
    {
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await _http.SendAsync(request);
        return new ApiAnswer($"{method} {path}", (int)response.StatusCode, response.Headers,
            response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsByteArrayAsync());
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}

/// <summary>What came back.</summary>
public sealed record ApiAnswer(string Request, int Status, HttpResponseHeaders Headers, string? ContentType, byte[] Bytes)
{
    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes);

    /// <summary>The body as JSON.</summary>
    public JsonNode Json => JsonNode.Parse(Bytes) ?? throw new InvalidDataException($"{Request}: the body is 'null'");

    /// <summary>A header's value, or null.</summary>
    public string? Header(string name) => Headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(',', values) : null;

    /// <summary>Fails the test, showing the answer, unless the status is <paramref name="status"/>.</summary>
    public ApiAnswer Is(int status)
    {
        if (Status != status)
            Assert.Fail($"{Request}: expected status {status}, got {Status}: {Text}");
        return this;
    }
}
