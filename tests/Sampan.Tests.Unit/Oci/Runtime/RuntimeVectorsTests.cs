using System.Text.Json;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Oci.Runtime;

/// <summary>The runtime-spec's own vectors: the good ones parse and survive a round trip, the bad ones are refused.</summary>
public sealed class RuntimeVectorsTests
{
    [Theory]
    [InlineData("""{"ociVersion":"1.0.0","root":{"path":"rootfs"}}""")]
    [InlineData("""{"ociVersion":"1.0.0","root":{"path":"rootfs"},"process":{"cwd":"/","args":["sh"],"user":{"uid":0,"gid":0}}}""")]
    [InlineData("""{"ociVersion":"1.0.0","linux":{"netDevices":{"eth0":{"name":"container_eth0"},"ens4":{}}}}""")]
    [InlineData("""{"ociVersion":"1.0.0","linux":{"resources":{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000}}}}}""")]
    [InlineData("""{"ociVersion":"1.3.0","linux":{"memoryPolicy":{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES"]},"timeOffsets":{"boottime":{"secs":3}}}}""")]
    public void A_spec_reads_back_as_it_was_written(string json)
    {
        var spec = JsonSerializer.Deserialize(json, RuntimeJson.Default.Spec)!;
        var again = JsonSerializer.Deserialize(JsonSerializer.Serialize(spec, RuntimeJson.Default.Spec), RuntimeJson.Default.Spec)!;
        Assert.Equal(JsonSerializer.Serialize(spec, RuntimeJson.Default.Spec), JsonSerializer.Serialize(again, RuntimeJson.Default.Spec));
    }

    [Theory]
    [InlineData("{]")]
    [InlineData("""{"ociVersion":"1.0.0","linux":{"resources":{"hugepageLimits":[{"limit":1234123,"pageSize":"64kB"}]}}}""")]
    [InlineData("""{"ociVersion":"1.0.0","linux":{"netDevices":{"eth0":{"name":23}}}}""")]
    [InlineData("""{"ociVersion":"1.0.0","linux":{"resources":{"rdma":{"mlx5_1":{"hcaHandles":"not a uint32"}}}}}""")]
    public void A_bad_spec_is_refused(string json) => Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(json, RuntimeJson.Default.Spec));

    [Fact]
    public void Every_vector_of_the_conformance_set_behaves_as_its_folder_says()
    {
        foreach (var file in Directory.EnumerateFiles(Conformance.Path("oci/runtime/test"), "*.json", SearchOption.AllDirectories))
        {
            var kind = Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(file)));
            var error = Record.Exception(() => Parse(kind!, File.ReadAllText(file)));
            Assert.True(error is null == file.Contains("/good/"), $"{file}: {error?.Message ?? "was accepted"}");
        }
    }

    [Fact]
    public void The_example_of_the_spec_is_read_in_full()
    {
        var example = Conformance.Path("oci/runtime/test/config/good/spec-example.json");
        var spec = JsonSerializer.Deserialize(File.ReadAllText(example), RuntimeJson.Default.Spec)!;

        using var before = JsonDocument.Parse(File.ReadAllText(example));
        using var after = JsonDocument.Parse(JsonSerializer.Serialize(spec, RuntimeJson.Default.Spec));

        // oomScoreAdj among the resources was in drafts of the spec only; the example has kept it.
        Assert.Equal(["$.linux.resources.oomScoreAdj"], Missing(before.RootElement, after.RootElement, "$"));
    }

    private static void Parse(string kind, string json)
    {
        switch (kind)
        {
            case "config":
                JsonSerializer.Deserialize(json, RuntimeJson.Default.Spec);
                break;
            case "state":
                JsonSerializer.Deserialize(json, RuntimeJson.Default.State);
                break;
            default:
                JsonSerializer.Deserialize(json, RuntimeJson.Default.Features);
                break;
        }
    }

    /// <summary>Paths of members that got lost or changed.</summary>
    private static IEnumerable<string> Missing(JsonElement before, JsonElement after, string path) => before.ValueKind switch
    {
        JsonValueKind.Object => before.EnumerateObject().SelectMany(m => after.TryGetProperty(m.Name, out var other)
            ? Missing(m.Value, other, $"{path}.{m.Name}")
            : [$"{path}.{m.Name}"]),
        JsonValueKind.Array => before.GetArrayLength() == after.GetArrayLength()
            ? before.EnumerateArray().Zip(after.EnumerateArray()).SelectMany((p, i) => Missing(p.First, p.Second, $"{path}[{i}]"))
            : [path],
        _ => before.GetRawText() == after.GetRawText() ? [] : [path],
    };
}
