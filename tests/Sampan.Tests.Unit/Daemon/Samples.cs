using Sampan.Api;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>Objects as the engine gives them.</summary>
internal static class Samples
{
    public const string Id = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789";

    public static EndpointSettings Endpoint(string address) => new()
    {
        NetworkID = "n1",
        EndpointID = "ep1",
        Gateway = "172.17.0.1",
        IPAddress = address,
        IPPrefixLen = 16,
        MacAddress = "02:42:ac:11:00:02",
        DNSNames = ["web"],
    };

    public static ContainerInspect Inspect() => new()
    {
        Id = Id,
        Created = "2026-01-02T03:04:05.123Z",
        Path = "sh",
        Args = ["-c", "a && b"],
        Image = "sha256:1234",
        Name = "/web",
        Driver = "overlay2",
        ResolvConfPath = "/r",
        HostnamePath = "/h",
        HostsPath = "/hosts",
        LogPath = "/log",
        State = new ContainerState { Status = "running", Running = true, Pid = 42, StartedAt = "2026-01-02T03:04:06Z" },
        HostConfig = new HostConfig { NetworkMode = "bridge", IpcMode = "private", CgroupnsMode = "private", Annotations = new() { ["a"] = "b" } },
        GraphDriver = new GraphDriver { Name = "overlay2", Data = new() { ["UpperDir"] = "/u" } },
        Config = new ContainerConfig { Hostname = "c0ffee012345", Image = "busybox", Cmd = ["sh"], Env = ["PATH=/bin"], Labels = [] },
        NetworkSettings = new NetworkSettings
        {
            SandboxID = "s1",
            SandboxKey = "/run/ns",
            Ports = new() { ["80/tcp"] = null },
            Networks = new() { ["bridge"] = Endpoint("172.17.0.2"), ["mine"] = Endpoint("172.20.0.2") },
        },
        ImageManifestDescriptor = new OCIDescriptor { MediaType = "m", Digest = "sha256:1", Size = 1 },
    };

    public static ContainerSummary Summary() => new()
    {
        Id = Id,
        Names = ["/web"],
        Image = "busybox",
        ImageID = "sha256:1234",
        Command = "sh -c 'a && b'",
        Created = 1767323045,
        State = "running",
        Status = "Up 3 minutes",
        Ports = [new PortSummary { PrivatePort = 80, Type = "tcp" }],
        HostConfig = new ContainerSummaryHostConfig { NetworkMode = "bridge", Annotations = new() { ["a"] = "b" } },
        NetworkSettings = new ContainerSummaryNetworkSettings { Networks = new() { ["bridge"] = Endpoint("172.17.0.2") } },
        Mounts = [new MountPoint { Type = "bind", Source = "/a", Destination = "/b", RW = true, Propagation = "rprivate" }],
        Health = new ContainerSummaryHealth(),
    };

    public static ImageInspect Image() => new()
    {
        Id = "sha256:1234",
        RepoTags = ["busybox:latest"],
        Created = "2026-01-02T03:04:05Z",
        Architecture = "amd64",
        Os = "linux",
        Size = 4_000_000,
        Parent = "sha256:99",
        Config = new ImageConfig { Cmd = ["sh"], Env = ["PATH=/bin"] },
        Descriptor = new OCIDescriptor { MediaType = "m", Digest = "sha256:1", Size = 1 },
        GraphDriver = new GraphDriver { Name = "overlay2", Data = new() { ["UpperDir"] = "/u" } },
        RootFS = new RootFS { Layers = ["sha256:aa"] },
    };

    public static ImageSummary ImageSummary() => new() { Id = "sha256:1234", Created = 1767323045, Size = 4_000_000, RepoTags = [], RepoDigests = [] };

    public static Sampan.Api.Network Network() => new()
    {
        Name = "bridge",
        Id = "n1",
        Driver = "bridge",
        IPAM = new IPAM { Config = [new IPAMConfig { Subnet = "172.17.0.0/16", Gateway = "172.17.0.1" }] },
        Created = "2026-01-02T03:04:05Z",
        Status = new NetworkStatus(),
    };

    public static SystemInfo Info() => new()
    {
        ID = "id",
        Driver = "overlay2",
        SecurityOptions = ["name=seccomp,profile=builtin", "name=cgroupns"],
        CgroupVersion = "2",
        NCPU = 2,
        MemTotal = 1,
        KernelVersion = "6.18",
        OperatingSystem = "Debian",
        Architecture = "x86_64",
        DockerRootDir = "/var/lib/sampan",
        Name = "host",
        FirewallBackend = new FirewallInfo(),
    };

    public static DiskUsage DiskUsage() => new()
    {
        ImageUsage = new DiskUsageOf<ImageSummary> { TotalCount = 1, TotalSize = 4_000_000, Items = [ImageSummary()] },
        ContainerUsage = new DiskUsageOf<ContainerSummary> { TotalCount = 1, Items = [Summary()] },
        VolumeUsage = new DiskUsageOf<Volume> { TotalCount = 1, Items = [new Volume { Name = "v", UsageData = new VolumeUsageData() }] },
        BuildCacheUsage = new DiskUsageOf<BuildCache> { TotalCount = 1, TotalSize = 7, Items = [new BuildCache { ID = "b", Parents = ["p"] }] },
    };
}
