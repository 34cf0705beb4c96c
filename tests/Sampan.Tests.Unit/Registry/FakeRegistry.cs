using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sampan.Tests.Unit.Registry;

/// <summary>A registry on loopback that answers as a test says: one request for each connection, so that it may break off wherever it likes.</summary>
internal sealed class FakeRegistry : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<Request, Answer> _answer;

    public FakeRegistry(Func<Request, Answer> answer)
    {
        _answer = answer;
        _listener.Start();
        _ = AcceptAsync();
    }

    public List<Request> Requests { get; } = [];

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Host => _listener.LocalEndpoint.ToString()!;

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            var head = new StringBuilder();
            var one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1)
            {
                // A TLS greeting begins with 0x16: this registry has plain HTTP only.
                if (head.Length == 0 && one[0] == 0x16)
                {
                    return;
                }

                head.Append((char)one[0]);
            }

            var lines = head.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
            if (lines.Length == 0)
            {
                return;
            }

            var headers = lines.Skip(1).Select(l => l.Split(':', 2)).ToDictionary(l => l[0], l => l[1].Trim(), StringComparer.OrdinalIgnoreCase);
            var request = new Request(lines[0].Split(' ')[0], lines[0].Split(' ')[1], headers);
            lock (Requests)
            {
                Requests.Add(request);
            }

            var answer = _answer(request);
            var text = new StringBuilder($"HTTP/1.1 {answer.Status} X\r\nConnection: close\r\n");
            foreach (var (name, value) in answer.Headers)
            {
                text.Append($"{name}: {value}\r\n");
            }

            if (!answer.Headers.ContainsKey("Content-Length"))
            {
                text.Append($"Content-Length: {answer.Body.Length}\r\n");
            }

            await stream.WriteAsync(Encoding.ASCII.GetBytes(text.Append("\r\n").ToString()));
            await stream.WriteAsync(request.Method == "HEAD" ? [] : answer.Body);
            while (answer.Holds && await stream.ReadAsync(one) > 0)
            {
                // Says nothing more, until the client has had enough.
            }
        }
    }
}

internal sealed record Request(string Method, string Path, IReadOnlyDictionary<string, string> Headers);

internal sealed record Answer(int Status, byte[] Body)
{
    public Dictionary<string, string> Headers { get; init; } = [];

    /// <summary>The connection is kept open after the body.</summary>
    public bool Holds { get; init; }
}
