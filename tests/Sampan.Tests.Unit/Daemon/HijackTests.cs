using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Sampan.Api;
using Sampan.Daemon.Hijack;
using Xunit;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>Attach and exec over real sockets.</summary>
public sealed class HijackTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private const string Attach = "POST /v1.51/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n";

    private static string ExecStart(string id, string extra = "Connection: Upgrade\r\nUpgrade: tcp\r\n")
    {
        const string body = "{\"Detach\":false,\"Tty\":false}";
        return $"POST /v1.51/exec/{id}/start HTTP/1.1\r\nHost: x\r\n{extra}Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";
    }

    [Theory]
    [InlineData("attach", false)]
    [InlineData("attach", true)]
    [InlineData("exec", false)]
    [InlineData("exec", true)]
    public async Task Hundred_megabytes_come_back_whole_and_with_their_tail(string what, bool reused)
    {
        await using var server = await TestServer.StartAsync();
        using var socket = await server.ConnectAsync();
        if (reused)
        {
            await AskAsync(socket, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n", "OK");
            await AskAsync(socket, "POST /containers/web/stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "204 No Content");
        }

        await SendAsync(socket, what == "attach" ? Attach : ExecStart("e1"));
        var head = await HeadAsync(socket);
        Assert.StartsWith("HTTP/1.1 101 UPGRADED\r\n", head);
        Assert.Contains("Content-Type: application/vnd.docker.raw-stream\r\n", head);
        Assert.Contains("Upgrade: tcp\r\n", head);

        const int total = 100 * 1024 * 1024;
        using var sent = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var received = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var sending = Task.Run(async () =>
        {
            var block = new byte[256 * 1024];
            for (var left = total; left > 0; left -= block.Length)
            {
                Random.Shared.NextBytes(block.AsSpan(0, 1024));
                sent.AppendData(block);
                await SendAsync(socket, block);
            }

            socket.Shutdown(SocketShutdown.Send); // half-close: output must go on
        });
        var buffer = new byte[256 * 1024];
        var (count, tail) = (0L, new List<byte>());
        int n;
        while ((n = await socket.ReceiveAsync(buffer).WaitAsync(Limit)) > 0)
        {
            var echo = (int)Math.Min(n, total - count);
            received.AppendData(buffer, 0, echo);
            tail.AddRange(buffer[echo..n]);
            count += n;
        }

        await sending.WaitAsync(Limit);
        Assert.Equal(total + 4, count);
        Assert.Equal("bye\n", Encoding.ASCII.GetString([.. tail]));
        Assert.Equal(sent.GetHashAndReset(), received.GetHashAndReset());
    }

    [Fact]
    public async Task Output_that_comes_long_after_the_half_close_is_not_lost()
    {
        await using var server = await TestServer.StartAsync();
        server.Engine.Session = async (input, output, cancel) =>
        {
            await input!.CopyToAsync(Stream.Null, cancel);
            await Task.Delay(500, cancel);
            await output.WriteAsync(new byte[1_000_000], cancel);
        };
        using var socket = await server.ConnectAsync();
        await SendAsync(socket, Attach);
        await HeadAsync(socket);
        socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(1_000_000, (await RestAsync(socket)).Length);
    }

    [Fact]
    public async Task Input_sent_together_with_the_request_reaches_the_process()
    {
        await using var server = await TestServer.StartAsync();
        using var socket = await server.ConnectAsync();
        await SendAsync(socket, ExecStart("e1") + "POST me\r\nUpgrade: not a header\r\n\r\n");
        socket.Shutdown(SocketShutdown.Send);
        await HeadAsync(socket);
        Assert.Equal("POST me\r\nUpgrade: not a header\r\n\r\nbye\n", Encoding.ASCII.GetString(await RestAsync(socket)));
    }

    [Theory]
    [InlineData(41, "raw")]
    [InlineData(42, "multiplexed")]
    public async Task Without_a_terminal_the_type_is_multiplexed_from_1_42(int minor, string type)
    {
        await using var server = await TestServer.StartAsync();
        server.Engine.Tty = false;
        using var socket = await server.ConnectAsync();
        await SendAsync(socket, Attach.Replace("1.51", $"1.{minor}"));
        Assert.Contains($"Content-Type: application/vnd.docker.{type}-stream\r\n", await HeadAsync(socket));
    }

    [Fact]
    public async Task A_client_that_does_not_ask_to_upgrade_gets_200_and_raw_bytes()
    {
        await using var server = await TestServer.StartAsync();
        using var socket = await server.ConnectAsync();
        await SendAsync(socket, ExecStart("e1", extra: ""));
        Assert.StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n", await HeadAsync(socket));
        await SendAsync(socket, "hello ");
        socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("hello bye\n", Encoding.ASCII.GetString(await RestAsync(socket)));
    }

    [Fact]
    public async Task An_error_leaves_the_connection_usable_and_the_next_request_can_take_it()
    {
        await using var server = await TestServer.StartAsync();
        using var socket = await server.ConnectAsync();
        await AskAsync(socket, ExecStart("missing"), "{\"message\":\"No such exec instance: missing\"}");
        await AskAsync(socket, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n", "OK");
        await SendAsync(socket, ExecStart("e1"));
        Assert.StartsWith("HTTP/1.1 101", await HeadAsync(socket));
        socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("bye\n", Encoding.ASCII.GetString(await RestAsync(socket)));
    }

    [Fact]
    public async Task A_client_that_closes_while_output_flows_ends_the_session()
    {
        await using var server = await TestServer.StartAsync();
        server.Engine.Session = async (_, output, cancel) =>
        {
            while (true)
            {
                await output.WriteAsync(new byte[10_000], cancel);
            }
        };
        var socket = await server.ConnectAsync();
        await SendAsync(socket, Attach);
        await HeadAsync(socket);
        socket.Dispose();
        Assert.NotNull(await server.Engine.SessionEnd.Task.WaitAsync(Limit));
    }

    [Fact]
    public async Task A_client_that_closes_while_nothing_flows_ends_the_session_too()
    {
        await using var server = await TestServer.StartAsync();
        server.Engine.Session = async (input, _, cancel) =>
        {
            await input!.CopyToAsync(Stream.Null, cancel);
            await Task.Delay(Timeout.Infinite, cancel);
        };
        var socket = await server.ConnectAsync();
        await SendAsync(socket, Attach);
        await HeadAsync(socket);
        socket.Dispose();
        Assert.IsAssignableFrom<OperationCanceledException>(await server.Engine.SessionEnd.Task.WaitAsync(Limit));
    }

    [Fact]
    public async Task The_client_library_talks_both_ways_and_half_closes()
    {
        await using var server = await TestServer.StartAsync();
        using var client = server.Client();
        await using var connection = await client.HijackAsync("/exec/e1/start", new ExecStartRequest { Tty = true }, ApiJson.Wire.ExecStartRequest, default);
        await connection.Input.WriteAsync("hi "u8.ToArray());
        connection.CloseWrite();
        using var reader = new StreamReader(connection.Output);
        Assert.Equal("hi bye\n", await reader.ReadToEndAsync());
        var e = await Assert.ThrowsAsync<ApiException>(() => client.HijackAsync("/containers/missing/attach?stream=1", default));
        Assert.Equal((404, "No such container: missing"), (e.Status, e.Message));
    }

    [Fact]
    public async Task A_stopping_daemon_ends_sessions()
    {
        var server = await TestServer.StartAsync();
        using var socket = await server.ConnectAsync();
        await SendAsync(socket, Attach);
        await HeadAsync(socket);
        await server.DisposeAsync().AsTask().WaitAsync(Limit);
        Assert.NotNull(await server.Engine.SessionEnd.Task.WaitAsync(Limit));
    }

    [Fact]
    public void The_scanner_masks_headers_of_requests_only_whatever_the_pieces()
    {
        const string text = "GET / HTTP/1.1\r\nupgrade: h2c\r\nConnection: keep-alive, Upgrade\r\nContent-Length: 12\r\n\r\nUpgrade: x\r\n";
        for (var piece = 1; piece < text.Length; piece++)
        {
            var bytes = Encoding.ASCII.GetBytes(text);
            var scanner = new RequestScanner();
            var at = 0L;
            for (var end = piece; at < bytes.Length; end += piece)
            {
                at = scanner.Scan(new System.Buffers.ReadOnlySequence<byte>(bytes, 0, Math.Min(end, bytes.Length)), at);
            }

            Assert.Equal(
                "GET / HTTP/1.1\r\nX-Upgrd: h2c\r\nX-Conectio: keep-alive, Upgrade\r\nContent-Length: 12\r\n\r\nUpgrade: x\r\n",
                Encoding.ASCII.GetString(bytes));
        }
    }

    private static Task SendAsync(Socket socket, string text) => SendAsync(socket, Encoding.ASCII.GetBytes(text));

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes)..];
        }
    }

    /// <summary>Reads an answer's head byte by byte, so that nothing of what follows is taken.</summary>
    private static async Task<string> HeadAsync(Socket socket)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.Equal(1, await socket.ReceiveAsync(one).WaitAsync(Limit));
            head.Append((char)one[0]);
        }

        return head.ToString();
    }

    private static async Task AskAsync(Socket socket, string request, string expected)
    {
        await SendAsync(socket, request);
        var answer = new StringBuilder();
        var buffer = new byte[4096];
        while (!answer.ToString().Contains(expected, StringComparison.Ordinal))
        {
            var n = await socket.ReceiveAsync(buffer).WaitAsync(Limit);
            Assert.True(n > 0, $"closed after: {answer}");
            answer.Append(Encoding.ASCII.GetString(buffer, 0, n));
        }
    }

    private static async Task<byte[]> RestAsync(Socket socket)
    {
        var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int n;
        while ((n = await socket.ReceiveAsync(buffer).WaitAsync(Limit)) > 0)
        {
            all.Write(buffer, 0, n);
        }

        return all.ToArray();
    }
}
