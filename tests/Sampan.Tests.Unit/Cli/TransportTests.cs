using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>The client's HTTP against a daemon of canned answers on a socket.</summary>
public sealed class TransportTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"sampan-{Guid.NewGuid():N}.sock");
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<string> _requests = [];
    private int _connections;

    public TransportTests()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen(8);
    }

    public void Dispose()
    {
        _listener.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public void One_connection_serves_several_requests()
    {
        Answer(Response("200 OK", "{\"a\":1}"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"b\"\r\n3;x=y\r\n:2}\r\n0\r\n\r\n");
        using var api = Transport();
        Assert.Equal(1, (int)api.GetJson("/x")!["a"]!);
        Assert.Equal(2, (int)api.GetJson("/y?q=1")!["b"]!);
        Assert.Equal(1, _connections);
        Assert.Equal(["GET /v1.51/x", "GET /v1.51/y?q=1"], _requests);
    }

    [Fact]
    public void An_older_daemon_names_its_version_and_gets_it()
    {
        Answer(Response("400 Bad Request", "{\"message\":\"client version 1.51 is too new. Maximum supported API version is 1.41\"}"), Response("200 OK", "{}"));
        using var api = Transport();
        api.Post("/containers/create", new JsonObject());
        Assert.Equal("1.41", api.Version);
        Assert.Equal(["POST /v1.51/containers/create", "POST /v1.41/containers/create"], _requests);
    }

    [Fact]
    public void A_refusal_is_the_daemons_message()
    {
        Answer(Response("404 Not Found", "{\"message\":\"No such container: x\"}"));
        using var api = Transport();
        var error = Assert.Throws<DaemonException>(() => api.Get("/containers/x/json"));
        Assert.Equal("Error response from daemon: No such container: x", error.Message);
        Assert.True(error.NotFound);
    }

    [Fact]
    public void A_socket_without_a_daemon_is_told_as_docker_tells_it()
    {
        using var api = new ApiTransport(DaemonAddress.Parse("unix:///nonexist.sock"), null);
        Assert.Equal("Cannot connect to the Docker daemon at unix:///nonexist.sock. Is the docker daemon running?", Assert.Throws<NoDaemonException>(() => api.Get("/x")).Message);
    }

    [Fact]
    public void An_answer_that_is_cut_off_is_an_error()
    {
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
        using var api = Transport();
        Assert.Throws<EndOfStreamException>(() => api.GetJson("/x"));
    }

    [Fact]
    public void A_streamed_body_goes_in_chunks_after_the_version_is_agreed()
    {
        Answer("HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Length: 2\r\n\r\nOK", Response("200 OK", "{}"));
        using var api = Transport();
        using (api.SendStream("POST", "/build", "application/x-tar", body => body.Write("hello"u8)))
        {
            Assert.Equal(["GET /_ping", "POST /v1.44/build"], _requests);
        }
    }

    [Theory]
    [InlineData("unix:///a/b", "/a/b", "", 0)]
    [InlineData("tcp://127.0.0.1:99", null, "127.0.0.1", 99)]
    [InlineData("tcp://[::1]:99", null, "::1", 99)]
    [InlineData("tcp://host", null, "host", 2375)]
    [InlineData("", "/run/sampan/sampan.sock", "", 0)]
    public void Addresses_are_read(string text, string? socket, string host, int port)
    {
        var address = DaemonAddress.Parse(text);
        Assert.Equal((socket, host, port), (address.SocketPath, address.Host, address.Port));
    }

    [Theory]
    [InlineData("foo")]
    [InlineData("tcp://a:x")]
    [InlineData("ssh://a")]
    public void Wrong_addresses_are_refused(string text) => Assert.Throws<CliException>(() => DaemonAddress.Parse(text));

    [Fact]
    public void Frames_are_taken_apart()
    {
        byte[] frames = [1, 0, 0, 0, 0, 0, 0, 2, (byte)'o', (byte)'k', 2, 0, 0, 0, 0, 0, 0, 1, (byte)'!'];
        using var stream = new MemoryStream(frames);
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        OutputPump.Multiplexed(stream.Read, output, error);
        Assert.Equal(("ok", "!"), (Encoding.ASCII.GetString(output.ToArray()), Encoding.ASCII.GetString(error.ToArray())));
    }

    [Fact]
    public void The_frame_of_an_exit_code_is_no_output()
    {
        byte[] frames = [1, 0, 0, 0, 0, 0, 0, 1, (byte)'o', 4, 0, 0, 0, 0, 0, 0, 3, (byte)'1', (byte)'3', (byte)'7'];
        using var stream = new MemoryStream(frames);
        using var output = new MemoryStream();
        Assert.Equal(137, OutputPump.Multiplexed(stream.Read, output, Stream.Null));
        Assert.Equal("o", Encoding.ASCII.GetString(output.ToArray()));
        using var broken = new MemoryStream([4, 0, 0, 0, 0, 0, 0, 1, (byte)'x']);
        Assert.Throws<CliException>(() => OutputPump.Multiplexed(broken.Read, output, Stream.Null));
    }

    [Fact]
    public void An_exec_is_one_request_to_a_daemon_that_runs_it_at_once()
    {
        Answer("HTTP/1.1 101 UPGRADED\r\nSampan-Exec: e1\r\n\r\n\u0004\0\0\0\0\0\0\u00015");
        Assert.Equal(5, Client.Run(["-H", "unix://" + _path, "exec", "c", "true"]));
        Assert.Equal(["POST /v1.51/containers/c/exec"], _requests);
    }

    [Fact]
    public void An_exec_is_three_requests_to_any_other_daemon()
    {
        Answer(Response("201 Created", "{\"Id\":\"e1\"}"), "HTTP/1.1 101 UPGRADED\r\n\r\n", Response("200 OK", "{\"ID\":\"e1\",\"ExitCode\":3}"));
        Assert.Equal(3, Client.Run(["-H", "unix://" + _path, "exec", "c", "true"]));
        Assert.Equal(["POST /v1.51/containers/c/exec", "POST /v1.51/exec/e1/start", "GET /v1.51/exec/e1/json"], _requests);
    }

    [Theory]
    [InlineData("""{"Id":"a","Other":1}""", "Id", "a")]
    [InlineData("""{"Deep":{"Id":"x","List":[{"Id":"y"}]},"Id":"a"}""", "Id", "a")]
    [InlineData("""{"ExitCode":-12}""", "ExitCode", "-12")]
    [InlineData("""{"Id":null}""", "Id", null)]
    [InlineData("""{"Id":{"Id":"x"}}""", "Id", null)]
    [InlineData("""["Id","x"]""", "Id", null)]
    [InlineData("", "Id", null)]
    public void A_member_of_an_answer_is_the_object_s_own(string json, string name, string? value)
        => Assert.Equal(value, JsonBody.Member(Encoding.UTF8.GetBytes(json), name));

    [Fact]
    public void A_member_of_broken_JSON_is_an_error()
        => Assert.ThrowsAny<System.Text.Json.JsonException>(() => JsonBody.Member("{\"Id\":\"a\""u8, "Id"));

    [Theory]
    [InlineData("{\"stream\":\"Step 1\\n\"}{\"aux\":{\"ID\":\"sha256:x\"}}\n{\"stream\":\"done\\n\"}", "Step 1\ndone\n", null)]
    [InlineData("{\"status\":\"Pulling\",\"id\":\"latest\"}\n{\"status\":\"x\",\"progressDetail\":{\"current\":1},\"progress\":\"[=>]\"}", "latest: Pulling\n", null)]
    [InlineData("{\"stream\":\"a\"}{\"errorDetail\":{\"code\":7,\"message\":\"boom\"},\"error\":\"boom\"}", "a", "boom")]
    [InlineData("{\"stream\":", "", "the daemon's answer ended inside a message: {\"stream\":")]
    public void Progress_messages_are_shown(string messages, string shown, string? error)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(messages));
        using var output = new StringWriter();
        if (error is null) ProgressStream.Show(stream, output, terminal: false);
        else Assert.Equal(error, Assert.Throws<CliException>(() => ProgressStream.Show(stream, output, terminal: false)).Message);
        Assert.Equal(shown, output.ToString());
    }

    private static string Response(string status, string body) => $"HTTP/1.1 {status}\r\nContent-Length: {body.Length}\r\n\r\n{body}";

    private ApiTransport Transport() => new(DaemonAddress.Parse("unix://" + _path), null);

    /// <summary>Answers requests in turn, then closes.</summary>
    private void Answer(params string[] answers) => new Thread(() =>
    {
        var next = 0;
        while (next < answers.Length)
        {
            using var connection = _listener.Accept();
            _connections++;
            using var reader = new StreamReader(new NetworkStream(connection));
            while (next < answers.Length && reader.ReadLine() is { Length: > 0 } request)
            {
                _requests.Add(request[..request.LastIndexOf(' ')]);
                var length = 0;
                var chunked = false;
                while (reader.ReadLine() is { Length: > 0 } header)
                {
                    if (header.StartsWith("Content-Length: ", StringComparison.Ordinal)) length = int.Parse(header[16..]);
                    chunked |= header == "Transfer-Encoding: chunked";
                }

                reader.ReadBlock(new char[length], 0, length);
                while (chunked && reader.ReadLine() != "0")
                {
                    // The chunks' content is not looked at.
                }

                if (chunked) reader.ReadLine();
                var answer = answers[next++];
                connection.Send(Encoding.Latin1.GetBytes(answer));
                if (answer.StartsWith("HTTP/1.1 101", StringComparison.Ordinal)) break;
            }
        }
    })
    { IsBackground = true }.Start();
}
