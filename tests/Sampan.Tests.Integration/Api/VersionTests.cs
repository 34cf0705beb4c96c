using System.Text.Json.Nodes;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Api;

/// <summary>The Engine API by its bytes, in the versions that clients in daily use speak.</summary>
public sealed class VersionTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Docker)
{
    /// <summary>Versions: the oldest, two that clients speak without asking, and one of today.</summary>
    public static TheoryData<string> Versions => Subject.IsReference ? ["1.24", "1.30", "1.41"] : ["1.24", "1.30", "1.41", "1.45", "1.51"];

    [Fact]
    public async Task Ping_tells_the_version_in_its_headers()
    {
        using var api = new RawApi(Daemon.Socket);
        ApiAnswer answer = (await api.GetAsync("/_ping")).Is(200);
        Assert.Equal("OK", answer.Text);
        Assert.Matches(@"^1\.\d\d$", answer.Header("Api-Version"));
        Assert.Equal("linux", answer.Header("Ostype"));
        Assert.Equal("false", answer.Header("Docker-Experimental"));
        Assert.Equal("", (await api.SendAsync(HttpMethod.Head, "/_ping", null)).Is(200).Text);
        (await api.GetAsync("/v1.24/_ping")).Is(200);
    }

    [Fact]
    public async Task Versions_out_of_range_are_refused()
    {
        using var api = new RawApi(Daemon.Socket);
        Assert.Contains("too new", (string?)(await api.GetAsync("/v1.999/version")).Is(400).Json["message"]);
        if (!Subject.IsReference)
            Assert.Contains("too old", (string?)(await api.GetAsync("/v1.10/version")).Is(400).Json["message"]);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_container_s_whole_life_goes_in_every_version(string version)
    {
        using var api = new RawApi(Daemon.Socket);
        string v = $"/v{version}", name = NewName();
        JsonNode created = (await api.PostAsync($"{v}/containers/create?name={name}", """
            {"Image": "busybox", "Cmd": ["sh", "-c", "echo to out; echo to err >&2; exit 3"], "Labels": {"a": "b"}, "HostConfig": {}}
            """)).Is(201).Json;
        string id = (string)created["Id"]!;
        (await api.PostAsync($"{v}/containers/{id}/start")).Is(204);
        Assert.Equal(3, (int)(await api.PostAsync($"{v}/containers/{id}/wait")).Is(200).Json["StatusCode"]!);
        byte[] logs = (await api.GetAsync($"{v}/containers/{name}/logs?stdout=1&stderr=1")).Is(200).Bytes;
        Assert.Equal(2 * 8 + "to out\n".Length + "to err\n".Length, logs.Length);
        Assert.Contains(logs[0], (byte[])[1, 2]);
        JsonNode inspected = (await api.GetAsync($"{v}/containers/{id}/json")).Is(200).Json;
        Assert.Equal("/" + name, (string?)inspected["Name"]);
        Assert.Equal("exited", (string?)inspected["State"]!["Status"]);
        Assert.Equal(3, (int)inspected["State"]!["ExitCode"]!);
        string filter = Uri.EscapeDataString($$"""{"name": ["{{name}}"]}""");
        JsonNode listed = (await api.GetAsync($"{v}/containers/json?all=1&filters={filter}")).Is(200).Json.AsArray().Single()!;
        Assert.Equal(id, (string?)listed["Id"]);
        Assert.Equal("busybox", (string?)listed["Image"]);
        Assert.Equal("b", (string?)listed["Labels"]!["a"]);
        (await api.DeleteAsync($"{v}/containers/{id}?v=1&force=1")).Is(204);
        (await api.GetAsync($"{v}/containers/{id}/json")).Is(404);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Execs_go_in_every_version(string version)
    {
        await using Container container = await Idle();
        using var api = new RawApi(Daemon.Socket);
        string v = $"/v{version}";
        string id = (string)(await api.PostAsync($"{v}/containers/{container}/exec", """
            {"AttachStdout": true, "AttachStderr": true, "Cmd": ["sh", "-c", "echo hello; exit 5"]}
            """)).Is(201).Json["Id"]!;
        Assert.EndsWith("hello\n", (await api.PostAsync($"{v}/exec/{id}/start", """{"Detach": false, "Tty": false}""")).Is(200).Text);
        JsonNode inspected = (await api.GetAsync($"{v}/exec/{id}/json")).Is(200).Json;
        Assert.Equal(5, (int)inspected["ExitCode"]!);
        Assert.False((bool)inspected["Running"]!);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Images_are_told_in_every_version(string version)
    {
        using var api = new RawApi(Daemon.Socket);
        JsonNode image = (await api.GetAsync($"/v{version}/images/json")).Is(200).Json.AsArray()
            .Single(i => i!["RepoTags"]!.AsArray().Any(t => (string?)t == "busybox:latest"))!;
        Assert.StartsWith("sha256:", (string?)image["Id"]);
        // VirtualSize was a copy of Size until 1.43.
        Assert.Equal(Version.Parse(version) < new Version(1, 44), image["VirtualSize"] is not null);
        JsonNode inspected = (await api.GetAsync($"/v{version}/images/busybox/json")).Is(200).Json;
        Assert.Equal((string?)image["Id"], (string?)inspected["Id"]);
    }

    [Theory]
    [InlineData("GET", "/containers/no-such/json", 404)]
    [InlineData("POST", "/containers/no-such/start", 404)]
    [InlineData("GET", "/images/no-such/json", 404)]
    [InlineData("GET", "/exec/no-such/json", 404)]
    [InlineData("GET", "/no-such-path", 404)]
    [InlineData("POST", "/containers/create", 400)]
    [InlineData("GET", "/containers/json?filters=nonsense", 400)]
    public async Task Errors_are_json_with_a_message(string method, string path, int status)
    {
        using var api = new RawApi(Daemon.Socket);
        ApiAnswer answer = (await api.SendAsync(HttpMethod.Parse(method), "/v1.41" + path, method == "POST" ? "{\"nonsense\"" : null));
        if (path.EndsWith("start", StringComparison.Ordinal))
            Assert.Contains(answer.Status, (int[])[400, 404]);
        else // dockerd before 23 answers 500 to JSON that is none
            answer.Is(Subject.IsReference && status == 400 ? 500 : status);
        Assert.False(string.IsNullOrEmpty((string?)answer.Json["message"]));
    }

    [Fact]
    public async Task Starting_what_runs_changes_nothing_and_says_so()
    {
        await using Container container = await Idle();
        using var api = new RawApi(Daemon.Socket);
        (await api.PostAsync($"/v1.41/containers/{container}/start")).Is(304);
        (await api.PostAsync($"/v1.41/containers/{container}/stop?t=0")).Is(204);
        (await api.PostAsync($"/v1.41/containers/{container}/stop")).Is(304);
        (await api.PostAsync("/v1.41/containers/create?name=" + container, """{"Image": "busybox"}""")).Is(409);
    }

    [Fact]
    public async Task Ids_that_begin_with_a_slash_or_hold_paths_find_nothing()
    {
        using var api = new RawApi(Daemon.Socket);
        (await api.GetAsync("/v1.41/containers/..%2f..%2fetc/json")).Is(404);
        (await api.GetAsync("/v1.41/images/..%2f..%2fetc/json")).Json.ToJsonString();
    }
}
