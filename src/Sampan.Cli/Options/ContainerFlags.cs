using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Options;

/// <summary>The flags that describe a container, shared by run and create.</summary>
internal sealed class ContainerFlags
{
    public ContainerFlags(FlagSet f)
    {
        Process = new ProcessFlags(f);
        Resources = new ResourceFlags(f);
        Limits = new RuntimeFlags(f);
        Network = new NetworkFlags(f);
        Health = new HealthFlags(f);
        CidFile = f.Text("cidfile", "Write the container's ID to this file");
        Name = f.Text("name", "Name of the container");
        Platform = f.Text("platform", "Platform of the image (os[/arch[/variant]])");
        Pull = f.Text("pull", "When to pull the image first (\"always\", \"missing\", \"never\")", "missing");
        Quiet = f.Switch("quiet", 'q', "Do not show the progress of a pull");
        f.Switch("disable-content-trust", "Skip the verification of the image's signature", initial: true);
        f.Switch("use-api-socket", "Give the container the daemon's socket");
    }

    public ProcessFlags Process { get; }

    public ResourceFlags Resources { get; }

    public RuntimeFlags Limits { get; }

    public NetworkFlags Network { get; }

    public HealthFlags Health { get; }

    public ValueFlag<string> CidFile { get; }

    public ValueFlag<string> Name { get; }

    public ValueFlag<string> Platform { get; }

    public ValueFlag<string> Pull { get; }

    public SwitchFlag Quiet { get; }
}

/// <summary>What runs: command, environment, streams, labels.</summary>
internal sealed class ProcessFlags(FlagSet f)
{
    public readonly ListFlag Attach = f.List("attach", 'a', "Attach to STDIN, STDOUT or STDERR", OptionChecks.Attach);
    public readonly ListFlag Annotations = f.List("annotation", "Annotation for the OCI runtime (key=value)", type: "map", defaultText: "map[]");
    public readonly ValueFlag<string> Entrypoint = f.Text("entrypoint", "Run this instead of the image's ENTRYPOINT");
    public readonly ListFlag Env = f.List("env", 'e', "Set an environment variable, or pass one of ours on", OptionChecks.Env);
    public readonly ListFlag EnvFiles = f.List("env-file", "Read environment variables from a file");
    public readonly SwitchFlag Interactive = f.Switch("interactive", 'i', "Keep STDIN open, attached or not");
    public readonly ListFlag Labels = f.List("label", 'l', "Label of the container (key=value)", OptionChecks.Label);
    public readonly ListFlag LabelFiles = f.List("label-file", "Read labels from a file");
    public readonly SwitchFlag Tty = f.Switch("tty", 't', "Give it a terminal");
    public readonly ValueFlag<string> User = f.Text("user", 'u', "User, and group after a colon: names or numbers");
    public readonly ValueFlag<string> WorkDir = f.Text("workdir", 'w', "Working directory inside the container");
    public readonly ValueFlag<string> StopSignal = f.Text("stop-signal", "Signal that stops the container");
    public readonly ValueFlag<long> StopTimeout = f.Int("stop-timeout", "Seconds between that signal and SIGKILL");
}

/// <summary>Limits of the control groups.</summary>
internal sealed class ResourceFlags(FlagSet f)
{
    public readonly ValueFlag<ushort> BlkioWeight = f.Value("blkio-weight", '\0', "uint16", "Relative weight of block I/O, 10 to 1000, 0 for none", (ushort)0, FlagValues.UInt16, "0");
    public readonly ListFlag BlkioWeightDevice = f.List("blkio-weight-device", "Relative weight for one device (path:weight)", static v => Checked(v, OptionChecks.Weight), defaultText: "[]");
    public readonly ValueFlag<long> CpuPeriod = f.Int("cpu-period", "Microseconds of a period of the CPU scheduler");
    public readonly ValueFlag<long> CpuQuota = f.Int("cpu-quota", "Microseconds of CPU time in a period");
    public readonly ValueFlag<long> CpuRtPeriod = f.Int("cpu-rt-period", "Microseconds of a real-time period");
    public readonly ValueFlag<long> CpuRtRuntime = f.Int("cpu-rt-runtime", "Microseconds of real-time CPU in a period");
    public readonly ValueFlag<long> CpuShares = f.Int("cpu-shares", 'c', "Relative weight of CPU time");
    public readonly ValueFlag<long> Cpus = f.Value("cpus", '\0', "decimal", "Number of CPUs", 0L, FlagValues.Cpus);
    public readonly ValueFlag<string> CpusetCpus = f.Text("cpuset-cpus", "CPUs to run on (0-3, 0,1)");
    public readonly ValueFlag<string> CpusetMems = f.Text("cpuset-mems", "Memory nodes to use (0-3, 0,1)");
    public readonly ValueFlag<long> CpuCount = f.Int("cpu-count", "Number of CPUs (Windows only)");
    public readonly ValueFlag<long> CpuPercent = f.Int("cpu-percent", "Percent of CPU (Windows only)");
    public readonly ListFlag ReadBps = f.List("device-read-bps", "Bytes a second to read from a device", static v => Checked(v, OptionChecks.ByteRate), defaultText: "[]");
    public readonly ListFlag ReadIops = f.List("device-read-iops", "Reads a second from a device", static v => Checked(v, OptionChecks.Rate), defaultText: "[]");
    public readonly ListFlag WriteBps = f.List("device-write-bps", "Bytes a second to write to a device", static v => Checked(v, OptionChecks.ByteRate), defaultText: "[]");
    public readonly ListFlag WriteIops = f.List("device-write-iops", "Writes a second to a device", static v => Checked(v, OptionChecks.Rate), defaultText: "[]");
    public readonly ValueFlag<long> IoMaxBandwidth = f.Bytes("io-maxbandwidth", '\0', "Bandwidth of the system drive (Windows only)");
    public readonly ValueFlag<ulong> IoMaxIops = f.Value("io-maxiops", '\0', "uint", "Operations of the system drive (Windows only)", 0UL, FlagValues.UInt);
    public readonly ValueFlag<long> KernelMemory = f.Bytes("kernel-memory", '\0', "Limit of kernel memory");
    public readonly ValueFlag<long> Memory = f.Bytes("memory", 'm', "Limit of memory");
    public readonly ValueFlag<long> MemoryReservation = f.Bytes("memory-reservation", '\0', "Soft limit of memory");
    public readonly ValueFlag<long> MemorySwap = f.SwapBytes("memory-swap", "Limit of memory and swap together, -1 for unlimited swap");
    public readonly ValueFlag<long> MemorySwappiness = f.Int("memory-swappiness", "How readily memory is swapped, 0 to 100", -1);
    public readonly SwitchFlag OomKillDisable = f.Switch("oom-kill-disable", "Do not kill when memory runs out");
    public readonly ValueFlag<long> OomScoreAdj = f.Int("oom-score-adj", "Preference of the host's OOM killer (-1000 to 1000)");
    public readonly ValueFlag<long> PidsLimit = f.Int("pids-limit", "Limit of processes, -1 for none");
    public readonly ListFlag Ulimits = f.List("ulimit", "Resource limit (name=soft[:hard])", static v => Checked(v, OptionChecks.Ulimit), "ulimit", "[]");
    public readonly ListFlag Gpus = f.List("gpus", "GPUs for the container ('all' or a number)", static v => Checked(v, OptionChecks.Gpu), "gpu-request");

    /// <summary>Keeps the text of what was understood; the request reads it again.</summary>
    private static string Checked(string value, Func<string, JsonObject> parse)
    {
        parse(value);
        return value;
    }
}

/// <summary>What it is given of the host, and how it is confined.</summary>
internal sealed class RuntimeFlags(FlagSet f)
{
    public readonly ListFlag CapAdd = f.List("cap-add", "Add a capability");
    public readonly ListFlag CapDrop = f.List("cap-drop", "Drop a capability");
    public readonly ValueFlag<string> CgroupParent = f.Text("cgroup-parent", "Parent of the container's cgroup");
    public readonly ValueFlag<string> CgroupNs = f.Text("cgroupns", "Cgroup namespace (host|private)");
    public readonly ListFlag Devices = f.List("device", "Give it a device of the host (host[:container][:rwm])");
    public readonly ListFlag DeviceRules = f.List("device-cgroup-rule", "Add a rule of the cgroup's device list");
    public readonly ListFlag GroupAdd = f.List("group-add", "Join another group");
    public readonly SwitchFlag Init = f.Switch("init", "Run a small init that passes signals on and reaps processes");
    public readonly ValueFlag<string> Ipc = f.Text("ipc", "IPC namespace");
    public readonly ValueFlag<string> Isolation = f.Text("isolation", "Isolation technology");
    public readonly ValueFlag<string> LogDriver = f.Text("log-driver", "Log driver");
    public readonly ListFlag LogOpts = f.List("log-opt", "Option of the log driver (key=value)");
    public readonly ListFlag Mounts = f.List("mount", "Attach a mount (type=…,source=…,target=…)", CheckMount, "mount");
    public readonly ValueFlag<string> Pid = f.Text("pid", "PID namespace");
    public readonly SwitchFlag Privileged = f.Switch("privileged", "Give it all capabilities and devices");
    public readonly SwitchFlag ReadOnly = f.Switch("read-only", "Make the root file system read-only");
    public readonly ValueFlag<string> Restart = f.Text("restart", "When to start again after an exit", "no");
    public readonly SwitchFlag Remove = f.Switch("rm", "Remove the container and its anonymous volumes when it exits");
    public readonly ValueFlag<string> Runtime = f.Text("runtime", "OCI runtime to use");
    public readonly ListFlag SecurityOpts = f.List("security-opt", "Security option");
    public readonly ValueFlag<long> ShmSize = f.Bytes("shm-size", '\0', "Size of /dev/shm");
    public readonly ListFlag StorageOpts = f.List("storage-opt", "Option of the storage driver (key=value)");
    public readonly ListFlag Sysctls = f.List("sysctl", "Kernel parameter (name=value)", OptionChecks.Sysctl, "map", "map[]");
    public readonly ListFlag Tmpfs = f.List("tmpfs", "Mount a tmpfs (path[:options])");
    public readonly ValueFlag<string> UserNs = f.Text("userns", "User namespace");
    public readonly ValueFlag<string> Uts = f.Text("uts", "UTS namespace");
    public readonly ListFlag Volumes = f.List("volume", 'v', "Bind a directory or volume (source:target[:options])");
    public readonly ValueFlag<string> VolumeDriver = f.Text("volume-driver", "Driver of the volumes");
    public readonly ListFlag VolumesFrom = f.List("volumes-from", "Mount the volumes of another container");

    private static string CheckMount(string value)
    {
        MountSpec.Parse(value);
        return value;
    }
}

/// <summary>Names, addresses and ports.</summary>
internal sealed class NetworkFlags
{
    public NetworkFlags(FlagSet f)
    {
        AddHosts = f.List("add-host", "Line for /etc/hosts (host:ip)", OptionChecks.ExtraHost);
        Dns = f.List("dns", "DNS server", OptionChecks.Address);
        DnsOptions = f.List("dns-option", "DNS option");
        f.HiddenAlias(DnsOptions, "dns-opt");
        DnsSearch = f.List("dns-search", "DNS search domain", OptionChecks.Domain);
        DomainName = f.Text("domainname", "NIS domain name");
        Expose = f.List("expose", "Expose a port or a range of ports");
        HostName = f.Text("hostname", 'h', "Host name of the container");
        Ip = f.Text("ip", "IPv4 address");
        Ip6 = f.Text("ip6", "IPv6 address");
        Links = f.List("link", "Link to another container (name[:alias])");
        LinkLocalIps = f.List("link-local-ip", "Link-local address");
        MacAddress = f.Text("mac-address", "MAC address");
        Networks = f.List("network", "Join a network", EndpointSpec.Check, "network");
        f.HiddenAlias(Networks, "net");
        Aliases = f.List("network-alias", "Further name in its network");
        f.HiddenAlias(Aliases, "net-alias");
        Publish = f.List("publish", 'p', "Publish a port on the host ([ip:]host:container[/proto])");
        PublishAll = f.Switch("publish-all", 'P', "Publish every exposed port at a free port");
    }

    public ListFlag AddHosts { get; }

    public ListFlag Dns { get; }

    public ListFlag DnsOptions { get; }

    public ListFlag DnsSearch { get; }

    public ValueFlag<string> DomainName { get; }

    public ListFlag Expose { get; }

    public ValueFlag<string> HostName { get; }

    public ValueFlag<string> Ip { get; }

    public ValueFlag<string> Ip6 { get; }

    public ListFlag Links { get; }

    public ListFlag LinkLocalIps { get; }

    public ValueFlag<string> MacAddress { get; }

    public ListFlag Networks { get; }

    public ListFlag Aliases { get; }

    public ListFlag Publish { get; }

    public SwitchFlag PublishAll { get; }
}

/// <summary>The health check.</summary>
internal sealed class HealthFlags(FlagSet f)
{
    private readonly ValueFlag<string> _command = f.Text("health-cmd", "Command line that tells whether it is healthy");
    private readonly ValueFlag<long> _interval = f.Duration("health-interval", "Time between two checks (ms|s|m|h)");
    private readonly ValueFlag<long> _retries = f.Int("health-retries", "Failures in a row that mean unhealthy");
    private readonly ValueFlag<long> _startInterval = f.Duration("health-start-interval", "Time between two checks while it starts (ms|s|m|h)");
    private readonly ValueFlag<long> _startPeriod = f.Duration("health-start-period", "Time to start in, while failures do not count (ms|s|m|h)");
    private readonly ValueFlag<long> _timeout = f.Duration("health-timeout", "Longest time of one check (ms|s|m|h)");
    private readonly SwitchFlag _none = f.Switch("no-healthcheck", "Do not run the image's HEALTHCHECK");

    /// <summary>The API's HealthConfig, or null when nothing was asked for.</summary>
    public JsonObject? Build()
    {
        var any = _command.Value.Length > 0 || _interval.Value != 0 || _timeout.Value != 0 || _startPeriod.Value != 0
            || _startInterval.Value != 0 || _retries.Value != 0;
        if (_none)
        {
            return any ? throw new CliException("--no-healthcheck conflicts with --health-* options") : new JsonObject { ["Test"] = new JsonArray("NONE") };
        }

        if (!any) return null;
        foreach (var flag in (ValueFlag<long>[])[_interval, _timeout, _retries, _startPeriod, _startInterval])
        {
            if (flag.Value < 0) throw new CliException($"--{flag.Name} cannot be negative");
        }

        var health = new JsonObject
        {
            ["Interval"] = _interval.Value,
            ["Timeout"] = _timeout.Value,
            ["StartPeriod"] = _startPeriod.Value,
            ["StartInterval"] = _startInterval.Value,
            ["Retries"] = _retries.Value,
        };
        if (_command.Value.Length > 0) health["Test"] = new JsonArray("CMD-SHELL", _command.Value);
        return health;
    }
}
