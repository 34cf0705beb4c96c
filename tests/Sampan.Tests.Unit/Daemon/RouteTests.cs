using System.Text;
using System.Text.Json;
using Sampan.Api;
using Xunit;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>Requests and answers over a real socket.</summary>
public sealed class RouteTests
{
    [Theory]
    [InlineData("GET", "/v1.51/containers/missing/json", 404, "No such container: missing")]
    [InlineData("GET", "/containers/broken/json", 500, "the disk is on fire")]
    [InlineData("POST", "/containers/stopped/kill", 409, "container stopped is not running")]
    [InlineData("GET", "/nowhere", 404, "page not found")]
    [InlineData("GET", "/v1.20/info", 400, "client version 1.20 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version")]
    [InlineData("GET", "/v1.56/info", 400, "client version 1.56 is too new. Maximum supported API version is 1.55")]
    [InlineData("GET", "/containers/web/logs", 400, "Bad parameters: you must choose at least one stream")]
    [InlineData("POST", "/containers/web/resize?h=x&w=1", 400, "invalid value 'x' for 'h': not a number")]
    [InlineData("POST", "/containers/web/resize?h=70000&w=1", 400, "invalid resize height/width: h=70000 w=1")]
    [InlineData("POST", "/containers/web/wait?condition=never", 400, "invalid condition: \"never\"")]
    [InlineData("POST", "/containers/create", 400, "invalid JSON: got EOF while reading request body")]
    [InlineData("POST", "/images/create?fromImage=nope", 404, "pull access denied for nope, repository does not exist or may require 'docker login'")]
    [InlineData("POST", "/images/create", 400, "neither 'fromImage' nor 'fromSrc' given")]
    [InlineData("GET", "/containers/json?filters=zap", 400, "invalid filter: 'zap' is not a JSON object of lists")]
    [InlineData("GET", "/swarm", 503, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.")]
    [InlineData("GET", "/system/df?type=moon", 400, "unknown object type: moon")]
    [InlineData("POST", "/build?target=early", 400, "no such target 'early'")]
    public async Task Errors_have_a_status_and_a_message(string method, string target, int status, string message)
    {
        await using var server = await TestServer.StartAsync();
        var answer = await server.SendAsync(method, target);
        Assert.Equal((status, $"{{\"message\":{JsonSerializer.Serialize(message, RelaxedJson.Wire.String)}}}\n"), (answer.Status, answer.Body));
        Assert.Contains("Content-Type: application/json", answer.Head);
    }

    [Fact]
    public async Task Unexpected_errors_are_logged_with_their_stack_in_debug_mode()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync("GET", "/containers/broken/json");
        Assert.Contains("error: GET /containers/broken/json: the disk is on fire\nSystem.InvalidOperationException", server.Log.ToString());
    }

    [Fact]
    public async Task A_request_line_of_half_a_megabyte_is_read()
    {
        await using var server = await TestServer.StartAsync();
        var args = Uri.EscapeDataString($"{{\"A\":\"{new string('x', 500_000)}\"}}");
        Assert.Equal(200, (await server.SendAsync("POST", $"/build?buildargs={args}")).Status);
        Assert.Equal(500_000, server.Engine.Built!.BuildArgs["A"]!.Length);
    }

    [Fact]
    public async Task Not_modified_has_no_body()
    {
        await using var server = await TestServer.StartAsync();
        var answer = await server.SendAsync("POST", "/containers/running/start");
        Assert.Equal((304, ""), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task Malformed_and_oversized_json_is_refused_and_null_is_forgiven()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(400, (await server.SendAsync("POST", "/containers/create", "{\"Image\":")).Status);
        Assert.Equal(400, (await server.SendAsync("POST", "/containers/create", "{\"Tty\":\"yes\"}")).Status);
        Assert.Equal(413, (await server.SendAsync("POST", "/containers/create", $"{{\"Image\":\"{new string('x', 9_000_000)}\"}}")).Status);
        var answer = await server.SendAsync(
            "POST", "/v1.30/containers/create?name=web&platform=linux/arm64",
            "{\"Image\":\"busybox\",\"Cmd\":\"date\",\"Tty\":null,\"Hostname\":null,\"HostConfig\":{\"Memory\":null,\"Dns\":null,\"PidsLimit\":-1,\"Future\":{\"a\":1}}}");
        Assert.Equal((201, "{\"Id\":\"c0ffee\",\"Warnings\":[]}\n"), (answer.Status, answer.Body));
        var created = server.Engine.Created!;
        Assert.Equal(["date"], created.Cmd);
        Assert.Equal("", created.Hostname);
        Assert.Null(created.HostConfig!.PidsLimit);
        Assert.Equal(("host", "shareable"), (created.HostConfig.CgroupnsMode, created.HostConfig.IpcMode));
        Assert.Equal("{\"a\":1}", created.HostConfig.Unknown!["Future"].GetRawText());
        Assert.Equal("create web ", server.Engine.Calls[^1]); // platforms exist since 1.41
    }

    [Fact]
    public async Task Ping_tells_what_clients_negotiate_by()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var method in (string[])["GET", "HEAD"])
        {
            var (status, head, body) = await server.SendAsync(method, "/_ping");
            Assert.Equal((200, method == "GET" ? "OK" : ""), (status, body));
            foreach (var line in (string[])["Api-Version: 1.55", "Builder-Version: 1", "Docker-Experimental: false", "Ostype: linux", "Swarm: inactive",
                "Server: Sampan/", "Pragma: no-cache", "Cache-Control: no-cache, no-store, must-revalidate", "Content-Length: 2"])
            {
                Assert.Contains($"\r\n{line}", head);
            }
        }
    }

    [Fact]
    public async Task Parameters_reach_the_engine()
    {
        await using var server = await TestServer.StartAsync();
        using var client = server.Client();
        await client.GetBytesAsync("/containers/json?all=1&limit=3&filters=" + Uri.EscapeDataString("{\"status\":[\"exited\"]}"), default);
        await client.PostAsync("/containers/web/stop?t=5&signal=SIGINT", default);
        await client.PostAsync("/containers/web/rename?name=new", default);
        await client.DeleteAsync("/containers/web?v=1&force=1", default);
        await client.GetBytesAsync("/images/registry%2Fteam/app:1/json", default);
        await client.PostAsync("/images/a/b/tag?repo=c&tag=d", default);
        await client.GetBytesAsync("/images/get?names=a&names=b", default);
        await client.PostAsync("/commit?container=web&repo=r&tag=t&changes=CMD+a&changes=ENV+b%3Dc", ApiJson.Wire.IdResponse, default);
        Assert.Equal(
            ["list True 3 False status=exited", "stop web SIGINT 5", "rename web new", "remove web True True False", "image registry/team/app:1 ", "tag a/b c d",
                "save a,b", "commit web r t CMD a|ENV b=c"],
            server.Engine.Calls);
    }

    [Fact]
    public async Task Wait_sends_its_headers_before_the_container_ends()
    {
        await using var server = await TestServer.StartAsync();
        using var client = server.Client();
        await using var stream = await client.StreamAsync(HttpMethod.Post, "/containers/web/wait?condition=next-exit", null, null, default);
        Assert.Equal("wait web next-exit", server.Engine.Calls[^1]);
        server.Engine.Exit.SetResult(new WaitResponse { StatusCode = 7 });
        Assert.Equal("{\"StatusCode\":7}\n", await new StreamReader(stream.Body).ReadToEndAsync());
    }

    [Fact]
    public async Task A_client_that_leaves_cancels_what_it_waited_for_and_one_that_half_closes_does_not()
    {
        await using var server = await TestServer.StartAsync();
        using (var leaver = await server.ConnectAsync())
        {
            await leaver.SendAsync("POST /containers/web/wait HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
            await leaver.ReceiveAsync(new byte[1]);
        }

        using var patient = await server.ConnectAsync();
        await patient.SendAsync("POST /containers/web/wait HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
        patient.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        var text = new StringBuilder();
        var buffer = new byte[4096];
        text.Append(Encoding.ASCII.GetString(buffer, 0, await patient.ReceiveAsync(buffer)));
        await Task.Delay(300);
        server.Engine.Exit.SetResult(new WaitResponse { StatusCode = 7 });
        int n;
        while ((n = await patient.ReceiveAsync(buffer)) > 0)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, n));
        }

        Assert.Contains("{\"StatusCode\":7}", text.ToString());
        Assert.Contains("POST /containers/web/wait: the client has gone", server.Log.ToString());
    }

    [Theory]
    [InlineData("1.41", "application/vnd.docker.raw-stream")]
    [InlineData("1.42", "application/vnd.docker.multiplexed-stream")]
    public async Task Logs_without_a_terminal_come_in_frames(string version, string type)
    {
        await using var server = await TestServer.StartAsync();
        server.Engine.Tty = false;
        using var client = server.Client(version);
        await using var stream = await client.StreamAsync(HttpMethod.Get, "/containers/web/logs?stdout=1&stderr=1", null, null, default);
        Assert.Equal(type, stream.MediaType);
        var (stdout, stderr) = (new MemoryStream(), new MemoryStream());
        await StdCopy.DemultiplexAsync(stream.Body, stdout, stderr, default);
        Assert.Equal(("line\n", "oops\n"), (Encoding.ASCII.GetString(stdout.ToArray()), Encoding.ASCII.GetString(stderr.ToArray())));
    }

    [Fact]
    public async Task Events_stream_as_they_happen_in_the_clients_shape()
    {
        await using var server = await TestServer.StartAsync();
        using var client = server.Client("1.51");
        await using var stream = await client.StreamAsync(HttpMethod.Get, "/events", null, null, default);
        server.Engine.Events.Writer.TryWrite(new EventMessage
        {
            Type = "container",
            Action = "start",
            Actor = new EventActor { ID = "c1", Attributes = new() { ["image"] = "busybox" } },
            Time = 1,
            TimeNano = 2,
        });
        var line = await new StreamReader(stream.Body).ReadLineAsync();
        Assert.Equal("{\"status\":\"start\",\"id\":\"c1\",\"from\":\"busybox\",\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"c1\",\"Attributes\":{\"image\":\"busybox\"}},\"scope\":\"local\",\"time\":1,\"timeNano\":2}", line);
    }

    [Fact]
    public async Task Builds_take_every_parameter_and_tell_errors_as_lines_once_begun()
    {
        await using var server = await TestServer.StartAsync();
        var query = "t=a&t=b:1&dockerfile=D&nocache=1&target=late&memory=4194304&buildargs=%7B%22A%22%3A%221%22%2C%22B%22%3Anull%7D&labels=%7B%22l%22%3A%22v%22%7D"
            + "&cachefrom=%5B%22x%22%5D&ulimits=%5B%7B%22Name%22%3A%22nofile%22%2C%22Hard%22%3A2%2C%22Soft%22%3A1%7D%5D&networkmode=none&version=1";
        var config = Convert.ToBase64String("{\"reg\":{\"username\":\"u\"}}"u8);
        var answer = await server.SendAsync("POST", $"/v1.50/build?{query}", "context", $"X-Registry-Config: {config}\r\n");
        Assert.Equal(200, answer.Status);
        Assert.Equal(
            "{\"stream\":\"Step 1/2 : FROM scratch\\n\"}\r\n{\"errorDetail\":{\"code\":3,\"message\":\"the command '/bin/false' returned a non-zero code: 3\"},"
            + "\"error\":\"the command '/bin/false' returned a non-zero code: 3\"}\r\n",
            answer.Body);
        var built = server.Engine.Built!;
        Assert.Equal(["a", "b:1"], built.Tags);
        Assert.Equal(("D", true, 4194304L, "none", "u"), (built.Dockerfile, built.NoCache, built.Memory, built.NetworkMode, built.AuthConfigs["reg"].Username));
        Assert.Equal([KeyValuePair.Create<string, string?>("A", "1"), new("B", null)], built.BuildArgs);
        Assert.Equal(("v", "x", 2L), (built.Labels["l"], built.CacheFrom[0], built.Ulimits[0].Hard));

        var quiet = await server.SendAsync("POST", "/build?q=1");
        Assert.Equal("{\"stream\":\"sha256:1234\\n\"}\r\n", quiet.Body);
    }

    [Fact]
    public async Task A_build_takes_what_was_attached_to_it()
    {
        await using var server = await TestServer.StartAsync();
        var attached = await server.SendAsync("POST", "/build/attachments?kind=secret&name=token", "value");
        Assert.Equal((201, "{\"Id\":\"a77ac4\"}\n"), (attached.Status, attached.Body));
        Assert.Contains("attach secret token", server.Engine.Calls);
        Assert.Equal(400, (await server.SendAsync("POST", "/build/attachments?kind=secret")).Status);
        await server.SendAsync("POST", "/build?attachment=1&attachment=2&status=1&buildid=me&namedcontexts=%7B%22a%22%3A%22docker-image%3A%2F%2Fb%22%7D");
        var built = server.Engine.Built!;
        Assert.Equal(["1", "2"], built.Attachments);
        Assert.Equal((true, "me", "docker-image://b"), (built.TellsSteps, built.BuildId, built.NamedContexts["a"]));
        Assert.Equal("files of x", (await server.SendAsync("GET", "/build/output?image=x")).Body);
    }

    [Fact]
    public async Task Imports_and_archives_stream_their_bodies()
    {
        await using var server = await TestServer.StartAsync();
        using var client = server.Client();
        var lines = new List<JsonMessage>();
        await foreach (var line in client.LinesAsync(HttpMethod.Post, "/images/create?fromSrc=-&repo=a&tag=b&changes=CMD+x&message=m", new MemoryStream(new byte[5_000_000]), null, ApiJson.Wire.JsonMessage, default))
        {
            lines.Add(line);
        }

        Assert.Equal("sha256:1234", lines.Single().Status);
        Assert.Equal(("a", "b", "m", "CMD x"), (server.Engine.Imported!.Repo, server.Engine.Imported.Tag, server.Engine.Imported.Message, server.Engine.Imported.Changes[0]));
        await using (await client.StreamAsync(HttpMethod.Put, "/containers/web/archive?path=/tmp", new MemoryStream(new byte[3_000_000]), null, default))
        {
            Assert.Equal("put web /tmp 3000000", server.Engine.Calls[^1]);
        }

        var stat = (await client.HeadAsync("/containers/web/archive?path=/etc/hosts", default))["X-Docker-Container-Path-Stat"];
        Assert.Equal("{\"name\":\"hosts\",\"size\":12,\"mode\":420,\"mtime\":\"0001-01-01T00:00:00Z\",\"linkTarget\":\"\"}", Encoding.UTF8.GetString(Convert.FromBase64String(stat)));
    }

    [Fact]
    public async Task Hundreds_of_requests_on_one_connection_and_at_once_are_answered()
    {
        await using var server = await TestServer.StartAsync();
        using var client = server.Client();
        await Parallel.ForEachAsync(Enumerable.Range(0, 300), async (_, cancel) => Assert.Equal("1.55", await client.PingAsync(cancel)));
    }
}
