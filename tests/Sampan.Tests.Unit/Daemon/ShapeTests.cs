using System.Text.Json.Nodes;
using Sampan.Api;
using Sampan.Daemon.Shapes;
using Xunit;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>What old clients see, version by version.</summary>
public sealed class ShapeTests
{
    [Theory]
    [InlineData(24), InlineData(43), InlineData(44), InlineData(45), InlineData(48), InlineData(51), InlineData(52), InlineData(55)]
    public void Container_inspect(int version)
    {
        var node = ContainerShapes.Inspect(Samples.Inspect(), version).AsObject();
        var settings = node["NetworkSettings"]!.AsObject();
        Assert.Equal(version < 52, settings.ContainsKey("IPAddress"));
        Assert.Equal(version < 52 ? "172.17.0.2" : null, settings["IPAddress"]?.ToString());
        Assert.Equal(version < 52, settings.ContainsKey("SecondaryIPAddresses"));
        var mine = settings["Networks"]!["mine"]!.AsObject();
        Assert.Equal(version >= 44, mine.ContainsKey("DNSNames"));
        Assert.Equal(version >= 48, mine.ContainsKey("GwPriority"));
        Assert.Equal(version < 45 ? "[\"c0ffee012345\"]" : "null", mine["Aliases"]?.ToJsonString() ?? "null");
        Assert.Equal(version >= 48, node.ContainsKey("ImageManifestDescriptor"));
        Assert.Equal(version >= 43, node["HostConfig"]!.AsObject().ContainsKey("Annotations"));
        Assert.Equal("null", node["Config"]!["Volumes"]?.ToJsonString() ?? "null");
        Assert.True(node["Config"]!.AsObject().ContainsKey("Volumes"));
        Assert.Equal("[]", node["Mounts"]!.ToJsonString());
        Assert.True(node.ContainsKey("ExecIDs"));
    }

    [Theory]
    [InlineData(24), InlineData(43), InlineData(44), InlineData(45), InlineData(49), InlineData(50), InlineData(51), InlineData(52)]
    public void Image_inspect(int version)
    {
        var node = ImageShapes.Inspect(Samples.Image(), version).AsObject();
        Assert.Equal(version < 44, node.ContainsKey("VirtualSize"));
        Assert.Equal(version < 45, node.ContainsKey("ContainerConfig"));
        Assert.Equal(version < 45, node.ContainsKey("Container"));
        Assert.Equal(version < 50, node["Config"]!.AsObject().ContainsKey("AttachStdin"));
        Assert.Equal(version < 52, node["Config"]!.AsObject().ContainsKey("Volumes"));
        Assert.Equal(version < 52, node.ContainsKey("Parent"));
        Assert.Equal(version < 52, node.ContainsKey("DockerVersion"));
        Assert.Equal(version >= 48, node.ContainsKey("Descriptor"));
    }

    [Fact]
    public void Image_lists()
    {
        Assert.Equal("<none>:<none>", ImageShapes.Summary(Samples.ImageSummary(), 42)["RepoTags"]![0]!.ToString());
        Assert.Empty(ImageShapes.Summary(Samples.ImageSummary(), 43)["RepoTags"]!.AsArray());
        Assert.Equal("4000000", ImageShapes.Summary(Samples.ImageSummary(), 43)["VirtualSize"]!.ToString());
        Assert.Null(ImageShapes.Summary(Samples.ImageSummary(), 44)["VirtualSize"]);
    }

    [Fact]
    public void Container_lists()
    {
        static JsonObject Of(int version) => ContainerShapes.List([Samples.Summary()], version)[0]!.AsObject();
        Assert.Null(Of(51)["Health"]);
        Assert.Equal("none", Of(52)["Health"]!["Status"]!.ToString());
        Assert.Null(Of(45)["HostConfig"]!["Annotations"]);
        Assert.NotNull(Of(46)["HostConfig"]!["Annotations"]);
    }

    [Fact]
    public void Disk_usage_is_lists_until_1_51_and_counts_since()
    {
        var old = SystemShapes.DiskUsage(Samples.DiskUsage(), 41, verbose: false).AsObject();
        Assert.Equal(["LayersSize", "Images", "Containers", "Volumes", "BuildCache", "BuilderSize"], old.Select(m => m.Key));
        Assert.Equal("4000000", old["LayersSize"]!.ToString());
        Assert.Equal("p", old["BuildCache"]![0]!["Parent"]!.ToString());
        Assert.False(SystemShapes.DiskUsage(Samples.DiskUsage(), 51, verbose: false).AsObject().ContainsKey("BuilderSize"));
        var bare = SystemShapes.DiskUsage(Samples.DiskUsage(), 52, verbose: false)["ImageUsage"]!.AsObject();
        Assert.Equal(["ActiveCount", "Reclaimable", "TotalCount", "TotalSize"], bare.Select(m => m.Key));
        Assert.Single(SystemShapes.DiskUsage(Samples.DiskUsage(), 52, verbose: true)["ImageUsage"]!["Items"]!.AsArray());
    }

    [Fact]
    public void Info_and_networks()
    {
        Assert.True(SystemShapes.Info(Samples.Info(), 49).AsObject().ContainsKey("BridgeNfIptables"));
        Assert.False(SystemShapes.Info(Samples.Info(), 50).AsObject().ContainsKey("BridgeNfIptables"));
        Assert.Equal("seccomp", SystemShapes.Info(Samples.Info(), 24)["SecurityOptions"]![0]!.ToString());
        Assert.True(SystemShapes.Info(Samples.Info(), 48)["RuncCommit"]!.AsObject().ContainsKey("Expected"));
        Assert.False(NetworkShapes.Inspect(Samples.Network(), 47).AsObject().ContainsKey("EnableIPv4"));
        Assert.False(NetworkShapes.List([Samples.Network()], 52)[0]!.AsObject().ContainsKey("Containers"));
        Assert.True(NetworkShapes.Inspect(Samples.Network(), 52).AsObject().ContainsKey("Status"));
    }

    [Fact]
    public void Requests_of_old_clients_mean_what_they_meant()
    {
        static CreateContainerRequest Of(int version)
        {
            var request = new CreateContainerRequest
            {
                MacAddress = version < 52 ? "02:00:00:00:00:01" : null,
                Healthcheck = new HealthConfig { StartInterval = 5 },
                HostConfig = new HostConfig { ConsoleSize = [24, 80], Mounts = [new Mount { Type = "bind", ReadOnly = true }] },
            };
            RequestShapes.Create(request, version);
            return request;
        }

        Assert.Equal("host", Of(40).HostConfig!.CgroupnsMode);
        Assert.Equal("", Of(41).HostConfig!.CgroupnsMode);
        Assert.Equal([0, 0], Of(41).HostConfig!.ConsoleSize);
        Assert.Equal([24, 80], Of(42).HostConfig!.ConsoleSize);
        Assert.True(Of(43).HostConfig!.Mounts![0].BindOptions!.ReadOnlyNonRecursive);
        Assert.Null(Of(44).HostConfig!.Mounts![0].BindOptions);
        Assert.Equal((0, 5), (Of(43).Healthcheck!.StartInterval, Of(44).Healthcheck!.StartInterval));
        Assert.Equal("02:00:00:00:00:01", Of(43).NetworkingConfig!.EndpointsConfig!["bridge"]!.MacAddress);
        Assert.Null(Of(52).NetworkingConfig);
    }
}
