using System.Text;
using System.Text.Json;
using Sampan.Api;
using Xunit;

namespace Sampan.Tests.Unit.Api;

/// <summary>JSON as moby writes and reads it.</summary>
public sealed class WireTests
{
    [Fact]
    public void An_empty_HostConfig_is_written_as_moby_does() => Assert.Equal(
        """{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":null},"NetworkMode":"","PortBindings":null,"RestartPolicy":{"Name":"","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[0,0],"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":null,"DnsOptions":null,"DnsSearch":null,"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":null,"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,"BlkioDeviceReadIOps":null,"BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":null,"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":null,"OomKillDisable":null,"PidsLimit":null,"Ulimits":null,"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null}""",
        Sorted(JsonSerializer.Serialize(new HostConfig(), ApiJson.Wire.HostConfig)), ignoreLineEndingDifferences: true);

    /// <summary>The order of members means nothing in JSON; compare in the order of the expectation.</summary>
    private static string Sorted(string json)
    {
        string[] first = ["Binds", "ContainerIDFile", "LogConfig", "NetworkMode", "PortBindings", "RestartPolicy", "AutoRemove", "VolumeDriver", "VolumesFrom", "ConsoleSize", "CapAdd", "CapDrop", "CgroupnsMode", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "IpcMode", "Cgroup", "Links", "OomScoreAdj", "PidMode", "Privileged", "PublishAllPorts", "ReadonlyRootfs", "SecurityOpt", "UTSMode", "UsernsMode", "ShmSize", "Isolation"];
        string[] last = ["MaskedPaths", "ReadonlyPaths"];
        using var document = JsonDocument.Parse(json);
        var members = document.RootElement.EnumerateObject().ToList();
        var order = first.Concat(members.Select(m => m.Name).Where(n => !first.Contains(n) && !last.Contains(n))).Concat(last);
        return "{" + string.Join(',', order.Select(n => $"\"{n}\":{document.RootElement.GetProperty(n).GetRawText()}")) + "}";
    }

    [Fact]
    public void An_empty_ContainerConfig_is_written_as_moby_does() => Assert.Equal(
        """{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null}""",
        JsonSerializer.Serialize(new ContainerConfig(), ApiJson.Wire.ContainerConfig));

    [Fact]
    public void Requests_survive_a_round_trip_with_what_is_not_known()
    {
        const string json = """{"image":"a","CMD":["x"],"Volumes":{"/v":{}},"ExposedPorts":{"80/tcp":null},"New":[1],"HostConfig":{"Binds":["/a:/b"],"Other":{"x":null},"Mounts":[{"Type":"volume","Target":"/t","Odd":1}]},"NetworkingConfig":{"EndpointsConfig":{"n":null}}}""";
        var request = JsonSerializer.Deserialize(json, ApiJson.Wire.CreateContainerRequest)!;
        Assert.Equal("a", request.Image);
        Assert.Equal(["x"], request.Cmd);
        var again = JsonSerializer.Deserialize(JsonSerializer.Serialize(request, ApiJson.Wire.CreateContainerRequest), ApiJson.Wire.CreateContainerRequest)!;
        Assert.Equal("[1]", again.Unknown!["New"].GetRawText());
        Assert.Equal("{\"x\":null}", again.HostConfig!.Unknown!["Other"].GetRawText());
        Assert.Equal("1", again.HostConfig.Mounts![0].Unknown!["Odd"].GetRawText());
        Assert.True(again.NetworkingConfig!.EndpointsConfig!.ContainsKey("n"));
    }

    [Fact]
    public void Text_is_written_as_it_is() => Assert.Equal(
        """{"Id":"<a> & 'b' + é"}""", JsonSerializer.Serialize(new IdResponse { Id = "<a> & 'b' + é" }, ApiJson.Wire.IdResponse));

    [Theory]
    [InlineData("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z")]
    [InlineData("2026-01-02T03:04:05.120000000Z", "2026-01-02T03:04:05.12Z")]
    [InlineData("2026-01-02T03:04:05.123456789+02:00", "2026-01-02T01:04:05.1234567Z")]
    [InlineData("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z")]
    [InlineData("", "0001-01-01T00:00:00Z")]
    public void Times_are_RFC_3339_with_the_digits_that_say_something(string text, string written) => Assert.Equal(written, GoTime.Format(GoTime.Parse(text)));

    [Fact]
    public async Task Frames_are_taken_apart_whatever_their_pieces_and_a_torn_one_is_an_error()
    {
        var stream = new MemoryStream();
        await StdCopy.WriteFrameAsync(stream, StdCopy.Stdout, new byte[100_000], default);
        await StdCopy.WriteFrameAsync(stream, StdCopy.Stderr, "err"u8.ToArray(), default);
        await StdCopy.WriteFrameAsync(stream, StdCopy.Stdout, ReadOnlyMemory<byte>.Empty, default);
        var (stdout, stderr) = (new MemoryStream(), new MemoryStream());
        await StdCopy.DemultiplexAsync(new MemoryStream(stream.ToArray()), stdout, stderr, default);
        Assert.Equal((100_000, "err"), (stdout.Length, Encoding.ASCII.GetString(stderr.ToArray())));
        await Assert.ThrowsAsync<EndOfStreamException>(() => StdCopy.DemultiplexAsync(new MemoryStream(stream.ToArray()[..50]), stdout, stderr, default));
        await Assert.ThrowsAsync<InvalidDataException>(() => StdCopy.DemultiplexAsync(new MemoryStream("plain text"u8.ToArray()), stdout, stderr, default));
        await StdCopy.WriteFrameAsync(stream, StdCopy.SystemError, "boom"u8.ToArray(), default);
        var e = await Assert.ThrowsAsync<IOException>(() => StdCopy.DemultiplexAsync(new MemoryStream(stream.ToArray()), stdout, stderr, default));
        Assert.Contains("boom", e.Message);
    }

    [Theory]
    [InlineData("unix:///run/a.sock", "/run/a.sock", null, 0)]
    [InlineData("tcp://127.0.0.1:2375", null, "127.0.0.1", 2375)]
    [InlineData("tcp://:99", null, "127.0.0.1", 99)]
    [InlineData("tcp://[::1]:99", null, "::1", 99)]
    [InlineData("tcp://host", null, "host", 2375)]
    public void Endpoints_are_parsed(string text, string? path, string? host, int port)
    {
        var endpoint = ApiEndpoint.Parse(text);
        Assert.Equal((path, host, port), (endpoint.UnixPath, endpoint.Host, endpoint.Port));
    }

    [Theory]
    [InlineData("ssh://x"), InlineData("unix://"), InlineData("tcp://h:99999"), InlineData("")]
    public void Other_endpoints_are_refused(string text) => Assert.Throws<FormatException>(() => ApiEndpoint.Parse(text));

    [Fact]
    public async Task A_server_that_is_not_there_is_told_apart_from_an_error_of_one()
    {
        using var client = new ApiClient(ApiEndpoint.Parse("unix:///nonexistent/s.sock"));
        var e = await Assert.ThrowsAsync<ApiConnectionException>(() => client.PingAsync(default));
        Assert.Equal("Cannot connect to the Docker daemon at unix:///nonexistent/s.sock. Is the docker daemon running?", e.Message);
    }
}
