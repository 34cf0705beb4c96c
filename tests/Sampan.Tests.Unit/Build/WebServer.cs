using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sampan.Tests.Unit.Build;

/// <summary>A web server on loopback, one request a connection; what it answers is the test's.</summary>
internal sealed class WebServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<string> _requests = [];

    public WebServer()
    {
        _listener.Start();
        _ = Task.Run(ServeAsync);
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>From the head of a request to a whole answer: status line, headers, empty line, body.</summary>
    public Func<string, byte[]> Answer { get; set; } = _ => Text("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");

    /// <summary>Heads of the requests so far.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    public static byte[] Ok(string body, string headers = "") => Text(
        $"HTTP/1.1 200 OK\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n{headers}\r\n{body}");

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    public void Dispose() => _listener.Dispose();

    private async Task ServeAsync()
    {
        while (true)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            using (client)
            {
                var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
                var head = new StringBuilder();
                for (string? line; (line = await reader.ReadLineAsync()) is { Length: > 0 };)
                {
                    head.Append(line).Append('\n');
                }

                lock (_requests)
                {
                    _requests.Add(head.ToString());
                }

                await stream.WriteAsync(Answer(head.ToString()));
            }
        }
    }
}
