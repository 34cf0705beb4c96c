using System.Text;
using System.Text.Json;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Oci;

/// <summary>The JSON of images is read leniently and written the same way every time.</summary>
public sealed class ImageJsonTests
{
    [Fact]
    public void A_configuration_is_written_in_the_order_of_docker()
    {
        var config = new ImageConfig
        {
            Architecture = "amd64",
            Os = "linux",
            Created = new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.FromHours(1)).AddTicks(1234500),
            Config = new ImageRuntimeConfig
            {
                Env = ["A=<b>&'c' é"],
                ExposedPorts = ["80/tcp", "443/tcp"],
                Volumes = ["/data"],
                Labels = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["b"] = "2", ["a"] = "1" },
                Healthcheck = new Healthcheck { Test = ["NONE"] },
            },
            History = [new HistoryEntry { CreatedBy = "RUN x && y", EmptyLayer = true }],
        };
        Assert.Equal("""{"architecture":"amd64","config":{"ExposedPorts":{"443/tcp":{},"80/tcp":{}},"Env":["A=<b>&'c' é"],"Healthcheck":{"Test":["NONE"]},"Volumes":{"/data":{}},"Labels":{"a":"1","b":"2"}},"created":"2024-01-02T02:04:05.12345Z","history":[{"created_by":"RUN x && y","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}""",
            Encoding.UTF8.GetString(ImageJson.Serialize(config)));
    }

    [Fact]
    public void A_configuration_of_docker_is_read()
    {
        var config = ImageJson.ParseConfig("""
            {"architecture":"amd64","config":{"Hostname":"","Env":["PATH=/bin"],"Cmd":["sh"],"Entrypoint":null,"Volumes":null,"ExposedPorts":{"80/tcp":{}},"OnBuild":[],"ArgsEscaped":true,"Healthcheck":{"Interval":30000000000}},
            "created":"2023-05-11T02:05:24.123456789Z","container_config":{},"history":[{"created":"0001-01-01T00:00:00Z","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}
            """u8);
        Assert.Equal(["80/tcp"], config.Config!.ExposedPorts!);
        Assert.Equal(30_000_000_000, config.Config.Healthcheck!.IntervalNanoseconds);
        Assert.Equal(new DateTime(2023, 5, 11, 2, 5, 24).AddTicks(1234567), config.Created!.Value.UtcDateTime);
        Assert.Equal("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", config.ChainId.ToString());
    }

    [Theory]
    [InlineData("""{"rootfs":{"diff_ids":["sha256:12"]}}""")]
    [InlineData("""{"config":{"Cmd":5}}""")]
    [InlineData("""{"created":"yesterday"}""")]
    [InlineData("null")]
    [InlineData("[")]
    public void What_is_no_configuration_is_an_error(string json) => Assert.ThrowsAny<JsonException>(() => ImageJson.ParseConfig(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void A_chain_id_covers_everything_below()
    {
        var a = Digest.OfSha256("a"u8);
        var b = Digest.OfSha256("b"u8);
        Assert.Null(ChainId.Of([]));
        Assert.Equal(a, ChainId.Of([a])!.Value.Digest);
        Assert.Equal(Digest.OfSha256(Encoding.ASCII.GetBytes($"{a} {b}")), ChainId.Of([a, b])!.Value.Digest);
    }

    [Theory]
    [InlineData("sha256:")]
    [InlineData("sha256")]
    [InlineData("sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709")]
    [InlineData("sha256:5F70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")]
    [InlineData("../../etc/passwd")]
    public void What_is_no_digest_is_refused(string text) => Assert.Throws<FormatException>(() => Digest.Parse(text));
}
