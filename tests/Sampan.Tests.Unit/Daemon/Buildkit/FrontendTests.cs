using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Solve;
using Sampan.Daemon.Buildkit.Wire;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Ignore;
using Xunit;

namespace Sampan.Tests.Unit.Daemon.Buildkit;

/// <summary>What BuildKit's clients ask for, as options of a build.</summary>
public sealed class FrontendTests
{
    [Fact]
    public void Attributes_become_options()
    {
        var options = Frontend.Options(Request(
            ("filename", "x.Dockerfile"), ("target", "tools"), ("platform", "linux/arm64"), ("build-arg:A", "1"), ("build-arg:B", ""), ("label:l", "v=w"),
            ("no-cache", "one,two"), ("image-resolve-mode", "pull"), ("force-network-mode", "host"), ("shm-size", "1024"), ("cgroup-parent", "/c"),
            ("add-hosts", "h=1.2.3.4,six=[::1]"), ("ulimit", "nofile=1:2,nproc=3"),
            ("cache-imports", """[{"Type":"registry","Attrs":{"ref":"r/x"}}]""")),
            Solve() with
            {
                CacheExports = [new("inline", Map()), new("registry", Map(("ref", "r/y"), ("mode", "max"))), new("local", Map(("dest", "/d")))],
                CacheImports = [new("local", Map(("src", "/s"), ("digest", s_digest)))],
                Entitlements = ["network.host"],
            });
        Assert.Equal(("x.Dockerfile", "tools", "linux/arm64", true, "host", 1024L, "/c"),
            (options.Dockerfile, options.Target, options.Platform, options.Pull, options.NetworkMode, options.ShmSize, options.CgroupParent));
        Assert.Equal(new Dictionary<string, string?> { ["A"] = "1", ["B"] = "" }, options.BuildArgs);
        Assert.Equal("v=w", options.Labels["l"]);
        Assert.Equal((false, "one,two"), (options.NoCache, string.Join(',', options.NoCacheStages)));
        Assert.Equal(["h:1.2.3.4", "six:::1"], options.ExtraHosts);
        Assert.Equal([("nofile", 1L, 2L), ("nproc", 3L, 3L)], options.Ulimits.Select(limit => (limit.Name, limit.Soft, limit.Hard)));
        Assert.Equal(["r/x", "type=registry,ref=r/x"], options.CacheFrom);
        Assert.Equal(["type=inline", "type=registry,ref=r/y,mode=max", "type=local,mode=min"], options.CacheTo);
        Assert.Equal(["network.host"], options.Allow);
    }

    private static readonly string s_digest = "sha256:" + new string('a', 64);

    [Fact]
    public void A_directory_with_cache_is_taken_once_wherever_the_client_says_it()
    {
        var request = Request(("cache-imports", $$$"""[{"Type":"local","Attrs":{"src":"/s","digest":"{{{s_digest}}}"}}]"""));
        var solve = Solve() with { CacheImports = [new("local", Map(("src", "/s"), ("digest", s_digest)))] };
        Assert.Equal([("/s", s_digest)], Frontend.LocalImports(request, solve).Select(import => (import.Directory, import.Image.ToString())));
        Assert.Empty(Frontend.Options(request, solve).CacheFrom);
        Assert.Throws<GrpcException>(() => Frontend.LocalImports(request with { Attributes = Map() }, Solve() with { CacheImports = [new("local", Map(("src", "/s")))] }).ToList());
    }

    [Fact]
    public void No_cache_without_stages_is_for_all()
    {
        Assert.True(Frontend.Options(Request(("no-cache", "")), Solve()).NoCache);
        Assert.False(Frontend.Options(Request(), Solve()).NoCache);
    }

    [Theory]
    [InlineData("platform", "linux/amd64,linux/arm64", GrpcCode.Unimplemented)]
    [InlineData("shm-size", "much", GrpcCode.InvalidArgument)]
    [InlineData("add-hosts", "nothing", GrpcCode.InvalidArgument)]
    [InlineData("ulimit", "nofile", GrpcCode.InvalidArgument)]
    [InlineData("cache-imports", "{", GrpcCode.InvalidArgument)]
    [InlineData("cache-imports", """[{"Type":"s3","Attrs":{}}]""", GrpcCode.Unimplemented)]
    internal void What_cannot_be_done_is_said(string name, string value, GrpcCode code) =>
        Assert.Equal(code, Assert.Throws<GrpcException>(() => Frontend.Options(Request((name, value)), Solve())).Code);

    [Fact]
    public void Only_Dockerfiles_are_built()
    {
        Frontend.Require(Request());
        Frontend.Require(new("gateway.v0", Map(("source", "docker/dockerfile:1"))));
        Assert.Throws<GrpcException>(() => Frontend.Require(new("gateway.v0", Map(("source", "tonistiigi/other")))));
    }

    [Fact]
    public void A_result_can_be_anothers_input()
    {
        var definition = new ProtoWriter();
        ResultReference.Write(definition, "sha256:abc");
        Assert.Equal("docker-image://sha256:abc", ResultReference.Source(new Dictionary<string, byte[]> { ["base"] = definition.Written.ToArray() }, "base"));

        // An ExecOp, which is no result of ours.
        var other = new ProtoWriter().Bytes(1, new ProtoWriter().Message(2, _ => { }).Written.Span).Written.ToArray();
        Assert.Throws<GrpcException>(() => ResultReference.Source(new Dictionary<string, byte[]> { ["base"] = other }, "base"));
        Assert.Throws<GrpcException>(() => ResultReference.Source(new Dictionary<string, byte[]>(), "base"));
    }

    [Fact]
    public void A_malformed_ignore_file_is_named_with_its_line()
    {
        var error = Assert.Throws<DockerfileException>(() => IgnoreMatcher.Parse("a\n!\n"));
        var status = GrpcException.Of(error);
        Assert.Equal(GrpcCode.InvalidArgument, status.Code);
        Assert.StartsWith(".dockerignore:2: ", status.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_old_clients_exporter_counts()
    {
        var attributes = new ProtoWriter().String(1, "r").String(3, "moby").Map(4, [new("name", "x")]).String(5, "s");
        var request = SolveRequest.Parse(attributes.Written.Span);
        Assert.Equal(("r", "s", "moby", "x"), (request.Ref, request.Session, request.Exporters[0].Type, request.Exporters[0]["name"]));
        attributes.Message(13, exporter => exporter.String(1, "tar"));
        Assert.Equal("tar", Assert.Single(SolveRequest.Parse(attributes.Written.Span).Exporters).Type);
    }

    private static SolveRequest Solve() => new("", "", Request());

    private static FrontendRequest Request(params (string Name, string Value)[] attributes) => new("dockerfile.v0", Map(attributes));

    private static Dictionary<string, string> Map(params (string Name, string Value)[] pairs) => pairs.ToDictionary(pair => pair.Name, pair => pair.Value);
}
