using System.Runtime.InteropServices;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>The daemon about itself.</summary>
public sealed partial class EngineService
{
    private static string KernelVersion => File.ReadAllText("/proc/sys/kernel/osrelease").Trim();

    private static string GoArchitecture => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "amd64";

    public Task<Api.SystemInfo> InfoAsync(CancellationToken cancel)
    {
        var containers = _containers.List();
        int Count(ContainerStatus status) => containers.Count(c => c.Record.Status == status);
        var v2 = Cgroup.IsV2;
        var warnings = new List<string>();
        if (File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim() == "0")
        {
            warnings.Add("WARNING: IPv4 forwarding is disabled");
        }

        return Task.FromResult(new Api.SystemInfo
        {
            ID = _networks.DefaultBridge.Record.Id,
            Name = Environment.MachineName,
            Containers = containers.Count,
            ContainersRunning = Count(ContainerStatus.Running),
            ContainersPaused = Count(ContainerStatus.Paused),
            ContainersStopped = containers.Count(c => !c.Record.IsRunning),
            Images = _store.Images.List().Count,
            Driver = "overlay2",
            DriverStatus = [["Backing Filesystem", new DriveInfo(_options.DataRoot).DriveFormat], ["Native Overlay Diff", "true"]],
            CgroupDriver = "cgroupfs",
            CgroupVersion = v2 ? "2" : "1",
            MemoryLimit = true,
            PidsLimit = true,
            CPUShares = true,
            CPUSet = true,
            CpuCfsPeriod = true,
            CpuCfsQuota = true,
            KernelVersion = KernelVersion,
            OperatingSystem = OperatingSystemName(),
            Architecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64",
            NCPU = Environment.ProcessorCount,
            MemTotal = MemoryTotal(),
            DockerRootDir = _options.DataRoot,
            Debug = _options.Debug,
            ServerVersion = Product.Version,
            SystemTime = GoTime.Format(_time.GetUtcNow()),
            LoggingDriver = _options.LogDriver ?? "json-file",
            SecurityOptions = v2 ? ["name=seccomp,profile=builtin", "name=cgroupns"] : ["name=seccomp,profile=builtin"],
            Warnings = warnings,
        });
    }

    public SystemVersion Version() => new()
    {
        Version = Product.Version,
        GitCommit = Product.Commit,
        GoVersion = RuntimeInformation.FrameworkDescription,
        ApiVersion = ApiVersions.Newest,
        MinAPIVersion = ApiVersions.Oldest,
        Os = "linux",
        Arch = GoArchitecture,
        KernelVersion = KernelVersion,
    };

    public IAsyncEnumerable<EventMessage> EventsAsync(DateTimeOffset? since, DateTimeOffset? until, Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        _events.ReadAsync(since, until, new Filters(filters, "type", "event", "scope", "container", "image", "volume", "network", "daemon", "label"), cancel);

    private static string OperatingSystemName()
    {
        var line = File.Exists("/etc/os-release") ? File.ReadLines("/etc/os-release").FirstOrDefault(l => l.StartsWith("PRETTY_NAME=", StringComparison.Ordinal)) : null;
        return line?["PRETTY_NAME=".Length..].Trim('"') ?? "Linux";
    }

    private static long MemoryTotal() =>
        long.Parse(File.ReadLines("/proc/meminfo").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) * 1024;
}
