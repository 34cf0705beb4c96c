using System.Net.Sockets;
using System.Text;
using Sampan.Api;
using Sampan.Daemon;
using Sampan.Daemon.Http;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>The API server over a real unix socket, with a fake engine.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("sampan-test-").FullName;
    private readonly ApiServer _server;
    private readonly Socket _listener;
    private readonly Socket _tcp;

    public TestServer()
    {
        _tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _tcp.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        _tcp.Listen();
        TcpAddress = (System.Net.IPEndPoint)_tcp.LocalEndPoint!;
        Path = System.IO.Path.Combine(_directory, "s.sock");
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen();
        _server = new ApiServer(Engine, [_listener, _tcp], new DaemonLog(Log, debug: true));
    }

    public string Path { get; }

    public System.Net.IPEndPoint TcpAddress { get; }

    public FakeEngine Engine { get; } = new();

    public StringWriter Log { get; } = new();

    public static async Task<TestServer> StartAsync()
    {
        var server = new TestServer();
        await server._server.StartAsync(CancellationToken.None);
        return server;
    }

    public ApiClient Client(string version = ApiVersions.Newest) => new(ApiEndpoint.Parse($"unix://{Path}"), version);

    public async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path));
        return socket;
    }

    /// <summary>One request on a connection of its own; returns status, headers (as text) and body.</summary>
    public async Task<(int Status, string Head, string Body)> SendAsync(string method, string target, string? body = null, string headers = "")
    {
        using var socket = await ConnectAsync();
        var length = body is null ? "" : $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n";
        await socket.SendAsync(Encoding.UTF8.GetBytes($"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}{headers}\r\n{body}"));
        var all = new MemoryStream();
        await using var stream = new NetworkStream(socket);
        await stream.CopyToAsync(all);
        var text = Encoding.UTF8.GetString(all.ToArray());
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var head = text[..end];
        var content = text[(end + 4)..];
        return (int.Parse(head.AsSpan(9, 3)), head, head.Contains("chunked") ? Dechunk(content) : content);
    }

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _server.StopAsync(deadline.Token);
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static string Dechunk(string text)
    {
        var result = new StringBuilder();
        while (text.Length > 0)
        {
            var end = text.IndexOf("\r\n", StringComparison.Ordinal);
            var length = Convert.ToInt32(text[..end], 16);
            result.Append(text, end + 2, length);
            text = length == 0 ? "" : text[(end + 4 + length)..];
        }

        return result.ToString();
    }
}
