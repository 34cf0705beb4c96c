using System.Runtime.InteropServices;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>The daemon about itself.</summary>
public sealed partial class EngineService
{
    private static string KernelVersion => File.ReadAllText("/proc/sys/kernel/osrelease").Trim();

    public Task<Api.SystemInfo> InfoAsync(CancellationToken cancel)
    {
        var containers = _containers.List();
        int Count(ContainerStatus status) => containers.Count(c => c.Record.Status == status);
        var v2 = Cgroup.IsV2;
        var warnings = new List<string>();
        var kernel = CgroupFeatures.Current;

        // The first bridge switches it on.
        var forwards = !_networks.DefaultBridge.IsReady || File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim() != "0";
        if (!forwards)
        {
            warnings.Add("WARNING: IPv4 forwarding is disabled");
        }

        var proxies = RegistryOptionsOf(_options).Proxies!;
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
            MemoryLimit = kernel.Memory,
            SwapLimit = kernel.Swap,
            OomKillDisable = kernel.OomKillDisable,
            PidsLimit = kernel.Pids,
            CPUShares = kernel.CpuShares,
            CPUSet = kernel.Cpuset,
            CpuCfsPeriod = kernel.CpuQuota,
            CpuCfsQuota = kernel.CpuQuota,
            IPv4Forwarding = forwards,
            NFd = Directory.GetFileSystemEntries("/proc/self/fd").Length,
            NGoroutines = ThreadPool.ThreadCount,
            KernelVersion = KernelVersion,
            OperatingSystem = OperatingSystem("PRETTY_NAME") ?? "Linux",
            OSVersion = OperatingSystem("VERSION_ID") ?? "",
            Architecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64",
            NCPU = Environment.ProcessorCount,
            MemTotal = MemoryTotal(),
            DockerRootDir = _options.DataRoot,
            Debug = _options.Debug,
            ServerVersion = Product.Version,
            SystemTime = GoTime.Format(_time.GetUtcNow()),
            LoggingDriver = UsualLogDriver,
            Plugins = new PluginsInfo { Network = ["bridge", "host", "ipvlan", "macvlan", "null"], Log = [.. LogSettings.Drivers] },
            Runtimes = new Dictionary<string, RuntimeInfo> { [RequestChecks.UsualRuntime] = new() { Path = "sampan" } },
            DefaultRuntime = RequestChecks.UsualRuntime,
            InitBinary = "sampan",
            RegistryConfig = RegistryConfigOf(_options),
            HttpProxy = WithoutPassword(proxies.Http),
            HttpsProxy = WithoutPassword(proxies.Https),
            NoProxy = proxies.Except ?? "",
            DefaultAddressPools = _options.DefaultAddressPools.Count > 0 ? [.. _options.DefaultAddressPools] : null,
            SecurityOptions =
            [
                $"name=seccomp,profile={_options.SeccompProfilePath ?? SecurityOptions.Builtin}",
                .. v2 ? (string[])["name=cgroupns"] : [],
                .. _options.NoNewPrivileges ? (string[])["name=no-new-privileges"] : [],
            ],
            Labels = [.. _options.Labels],
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
        Arch = Oci.Platform.Current.Architecture,
        KernelVersion = KernelVersion,
    };

    public IAsyncEnumerable<EventMessage> EventsAsync(DateTimeOffset? since, DateTimeOffset? until, Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        _events.ReadAsync(since, until, new Filters(filters, "type", "event", "scope", "container", "image", "volume", "network", "daemon", "label"), cancel);

    /// <summary>A field of os-release(5).</summary>
    private static string? OperatingSystem(string field) => File.Exists("/etc/os-release")
        ? File.ReadLines("/etc/os-release").FirstOrDefault(l => l.StartsWith(field + "=", StringComparison.Ordinal))?[(field.Length + 1)..].Trim('"') : null;

    private static RegistryServiceConfig RegistryConfigOf(DaemonOptions options)
    {
        // Mirrors of other registries than docker.io (DOMAIN=URL) have no place in Docker's shape.
        List<string> mirrors = [.. options.RegistryMirrors.Where(m => !m.Contains('=', StringComparison.Ordinal))];
        var config = new RegistryServiceConfig { Mirrors = mirrors, IndexConfigs = { ["docker.io"] = new() { Name = "docker.io", Mirrors = mirrors, Official = true } } };
        foreach (var registry in options.InsecureRegistries)
        {
            if (System.Net.IPNetwork.TryParse(registry, out _))
            {
                config.InsecureRegistryCIDRs.Add(registry);
            }
            else
            {
                config.IndexConfigs[registry] = new() { Name = registry, Secure = false };
            }
        }

        return config;
    }

    private static string WithoutPassword(string? proxy) => !Uri.TryCreate(proxy, UriKind.Absolute, out var uri) || uri.UserInfo.Length == 0 ? proxy ?? ""
        : new UriBuilder(uri) { UserName = "xxxxx", Password = "xxxxx" }.Uri.ToString();

    private static long MemoryTotal() =>
        long.Parse(File.ReadLines("/proc/meminfo").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) * 1024;
}
