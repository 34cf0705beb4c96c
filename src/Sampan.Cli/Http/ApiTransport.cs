using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Api;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Http;

/// <summary>
/// Speaks the Engine API to one daemon. The API version is agreed on without a request of its own: the first request uses the
/// newest we know, and when an older daemon refuses it, its answer names the version to use.
/// </summary>
internal sealed class ApiTransport(DaemonAddress address, Func<bool>? startDaemon) : IDisposable
{
    /// <summary>The newest version whose shapes these commands know.</summary>
    public const string NewestVersion = "1.51";

    private const string TooNew = "Maximum supported API version is ";
    private HttpConnection? _idle;
    private bool _agreed;
    private bool _fixed;
    private string? _server;

    public DaemonAddress Address => address;

    public string Version { get; private set; } = NewestVersion;

    /// <summary>The daemon is Sampan's own, so that requests that no other knows will do.</summary>
    public bool IsSampan
    {
        get
        {
            if (_server is null) Agree();
            return _server!.StartsWith("Sampan/", StringComparison.Ordinal);
        }
    }

    /// <summary>Fixes the version (DOCKER_API_VERSION).</summary>
    public void UseVersion(string version) => (Version, _agreed, _fixed) = (version, true, true);

    public ApiResponse Get(string path) => Send("GET", path);

    public JsonNode? GetJson(string path)
    {
        using var response = Get(path);
        return response.ReadJson();
    }

    /// <summary>Posts and returns the JSON answer, or null when there is none.</summary>
    public JsonNode? Post(string path, JsonNode? body = null)
    {
        using var response = Send("POST", path, body);
        return response.ReadJson();
    }

    /// <inheritdoc cref="Send(string, string, byte[], bool, bool, IReadOnlyDictionary{string, string}?)"/>
    public ApiResponse Send(string method, string path, JsonNode? body = null, bool hijack = false, bool checkStatus = true,
        IReadOnlyDictionary<string, string>? headers = null)
        => Send(method, path, body is null ? [] : JsonBody.Of(body), hijack, checkStatus, headers);

    /// <summary>Sends a request whose body, when not empty, is JSON.</summary>
    /// <exception cref="DaemonException">The status says failure.</exception>
    /// <exception cref="NoDaemonException">Nobody listens.</exception>
    public ApiResponse Send(string method, string path, byte[] body, bool hijack = false, bool checkStatus = true,
        IReadOnlyDictionary<string, string>? headers = null)
    {
        while (true)
        {
            var response = Exchange(method, path, body.Length == 0 ? null : "application/json", body, hijack, headers);
            if (response.Status < 400 || !checkStatus)
            {
                _agreed = true;
                return response;
            }

            using (response)
            {
                var message = response.ReadError();
                if (!AcceptOlder(response.Status, message)) throw new DaemonException(response.Status, message);
            }
        }
    }

    /// <summary>Sends a request whose body is written by <paramref name="write"/>.</summary>
    public ApiResponse SendStream(string method, string path, string contentType, Action<Stream> write,
        IReadOnlyDictionary<string, string>? headers = null)
    {
        if (!_agreed) Agree();
        var (connection, _) = Take();
        var head = Head(method, path, contentType, -1, hijack: false, headers);
        try
        {
            connection.Write(head);
            var body = new ChunkedWriter(connection);
            write(body);
            body.Finish();
        }
        catch (SocketException)
        {
            // The daemon answered before it had read everything: its answer says why.
        }

        var response = ReadResponse(connection, method);
        if (response.Status < 400) return response;
        using (response) throw new DaemonException(response.Status, response.ReadError());
    }

    /// <summary>Connects for the next request ahead of it, while the daemon is busy with this one.</summary>
    public void ConnectAhead() => _idle ??= new HttpConnection(Connect());

    /// <summary>Keeps a connection for the next request.</summary>
    public void Return(HttpConnection connection)
    {
        _idle?.Dispose();
        _idle = connection;
    }

    public void Dispose() => _idle?.Dispose();

    private void Agree()
    {
        using var response = Send("GET", "/_ping", checkStatus: false);
        response.Body.CopyTo(Stream.Null);
        _server = response.Header("server") ?? "";
        if (response.Header("api-version") is { } offered && !_fixed && IsOlder(offered, Version)) Version = offered;
    }

    private bool AcceptOlder(int status, string message)
    {
        var at = message.IndexOf(TooNew, StringComparison.Ordinal);
        if (_agreed || status != 400 || at < 0) return false;
        var rest = message.AsSpan(at + TooNew.Length);
        var end = rest.IndexOfAnyExcept("0123456789.");
        Version = (end < 0 ? rest : rest[..end]).TrimEnd('.').ToString();
        _agreed = true;
        return true;
    }

    private static bool IsOlder(string a, string b)
        => System.Version.TryParse(a, out var left) && System.Version.TryParse(b, out var right) && left < right;

    private ApiResponse Exchange(string method, string path, string? contentType, byte[] body, bool hijack,
        IReadOnlyDictionary<string, string>? headers)
    {
        var head = Head(method, path, contentType, body.Length, hijack, headers);
        while (true)
        {
            var (connection, reused) = Take();
            try
            {
                // One write for head and body: one packet, one wake-up of the daemon.
                connection.Write([.. head, .. body]);
                return ReadResponse(connection, method);
            }
            catch (Exception e) when (reused && e is SocketException or EndOfStreamException)
            {
                // The daemon closed the idle connection while we were about to use it; a new one settles that.
                connection.Dispose();
            }
            catch (EndOfStreamException)
            {
                throw new CliException($"error during connect: {method} {path}: EOF");
            }
        }
    }

    private (HttpConnection Connection, bool Reused) Take()
    {
        if (_idle is { } idle)
        {
            _idle = null;
            if (!idle.HasInput) return (idle, true);
            idle.Dispose();
        }

        return (new HttpConnection(Connect()), false);
    }

    private DaemonSocket Connect()
    {
        try
        {
            return DaemonSocket.Open(address);
        }
        catch (SocketException e) when (startDaemon is not null && address.SocketPath is not null
            && e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable or SocketError.SocketError or SocketError.HostNotFound
            && startDaemon())
        {
            return DaemonSocket.Open(address);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            throw new NoDaemonException(
                $"permission denied while trying to connect to the daemon socket at {address.Text}: "
                + $"connect {address.SocketPath}: permission denied");
        }
        catch (SocketException e) when (address.SocketPath is null && e.SocketErrorCode is SocketError.HostNotFound or SocketError.TryAgain)
        {
            throw new NoDaemonException($"error during connect: lookup {address.Host}: no such host");
        }
        catch (SocketException)
        {
            throw new NoDaemonException($"Cannot connect to the Docker daemon at {address.Text}. Is the docker daemon running?");
        }
    }

    private byte[] Head(string method, string path, string? contentType, long length, bool hijack, IReadOnlyDictionary<string, string>? headers)
    {
        var head = new StringBuilder(256).Append(method).Append(" /");
        if (path != "/_ping") head.Append('v').Append(Version).Append('/');
        head.Append(path, 1, path.Length - 1).Append(" HTTP/1.1\r\nHost: ")
            .Append(address.SocketPath is null ? $"{address.Host}:{address.Port}" : "sampan")
            .Append("\r\nUser-Agent: Sampan-Client/").Append(Product.Version).Append(" (linux)\r\n");
        if (hijack) head.Append("Connection: Upgrade\r\nUpgrade: tcp\r\n");
        if (contentType is not null) head.Append("Content-Type: ").Append(contentType).Append("\r\n");
        if (length < 0) head.Append("Transfer-Encoding: chunked\r\n");
        else if (length > 0 || method is "POST" or "PUT") head.Append("Content-Length: ").Append(length).Append("\r\n");
        foreach (var (name, value) in headers ?? new Dictionary<string, string>()) head.Append(name).Append(": ").Append(value).Append("\r\n");
        return Encoding.Latin1.GetBytes(head.Append("\r\n").ToString());
    }

    private ApiResponse ReadResponse(HttpConnection connection, string method)
    {
        while (true)
        {
            var statusLine = connection.ReadLine();
            if (!statusLine.StartsWith("HTTP/1.", StringComparison.Ordinal) || statusLine.Length < 12
                || !int.TryParse(statusLine.AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var status))
            {
                throw new CliException($"the daemon at {address.Text} does not speak HTTP: '{statusLine}'");
            }

            var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            for (var line = connection.ReadLine(); line.Length > 0; line = connection.ReadLine())
            {
                var colon = line.IndexOf(':');
                if (colon > 0) headers[line[..colon]] = line[(colon + 1)..].Trim();
            }

            if (status is >= 100 and < 200 and not 101) continue;
            connection.Reusable = status != 101 && !headers.GetValueOrDefault("Connection", "").Equals("close", StringComparison.OrdinalIgnoreCase);
            return new ApiResponse(this, connection, status, headers, Body(connection, method, status, headers));
        }
    }

    private static BodyStream Body(HttpConnection connection, string method, int status, Dictionary<string, string> headers)
    {
        if (method == "HEAD" || status is 204 or 304) return new BodyStream(connection, BodyStream.Kind.Length, 0);
        if (headers.GetValueOrDefault("Transfer-Encoding", "").Contains("chunked", StringComparison.OrdinalIgnoreCase))
        {
            return new BodyStream(connection, BodyStream.Kind.Chunked, 0);
        }

        if (headers.TryGetValue("Content-Length", out var text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var length))
        {
            return new BodyStream(connection, BodyStream.Kind.Length, length);
        }

        connection.Reusable = false;
        return new BodyStream(connection, BodyStream.Kind.UntilEnd, 0);
    }
}
