using Sampan.Api;
using Sampan.Oci;
using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>What a container finds on this machine.</summary>
/// <param name="Directory">Where its hosts, hostname and resolv.conf are.</param>
/// <param name="Seccomp">The daemon's usual policy.</param>
internal sealed record Surroundings(string Directory, SeccompPolicy Seccomp)
{
    /// <summary>The sandbox's path; null for the host's network.</summary>
    public string? NetworkNamespace { get; init; }

    /// <summary>Another container's; null for one of its own, or the host's.</summary>
    public string? PidNamespace { get; init; }

    /// <summary>As <see cref="PidNamespace"/>.</summary>
    public string? IpcNamespace { get; init; }

    /// <summary>What is to be its /dev/shm; null for one of its own, or none.</summary>
    public string? SharedMemory { get; init; }

    /// <summary>Variables that tell of linked containers.</summary>
    public IReadOnlyList<string> Links { get; init; } = [];
}

/// <summary>config.json from what was asked, with Docker's defaults for the rest.</summary>
internal static class SpecBuilder
{
    /// <param name="container">What was asked.</param>
    /// <param name="user">Its user, resolved in its own /etc/passwd.</param>
    /// <param name="around">What it finds on this machine.</param>
    /// <exception cref="EngineException">It asks for what cannot be given.</exception>
    public static Spec Build(ContainerRecord container, ContainerUser user, Surroundings around)
    {
        var (config, host) = (container.Config, container.HostConfig);
        var capabilities = Capabilities(host);
        return new Spec
        {
            Hostname = host.UTSMode == "host" ? null : config.Hostname,
            Domainname = config.Domainname.Length > 0 && host.UTSMode != "host" ? config.Domainname : null,
            Root = new Root { Readonly = host.ReadonlyRootfs },
            Process = WithLinks(Process(container, user, [.. config.Entrypoint ?? [], .. config.Cmd ?? []], config.Tty, capabilities), around.Links),
            Mounts = [.. Mounts(container, around)],
            Linux = new LinuxSpec
            {
                Namespaces = [.. Namespaces(host, around)],
                Devices = [.. DockerDefaults.Devices, .. HostDevices.Of(host)],
                Resources = Resources(host),
                Seccomp = SecurityOptions.PolicyOf(host, around.Seccomp)(capabilities),
                Sysctl = host.Sysctls,
                MaskedPaths = host.Privileged ? null : host.MaskedPaths ?? DockerDefaults.MaskedPaths,
                ReadonlyPaths = host.Privileged ? null : host.ReadonlyPaths ?? DockerDefaults.ReadonlyPaths,
                RootfsPropagation = container.Mounts.Exists(m => m.Propagation.Length > 0) ? "rslave" : null,
            },
        };
    }

    private static Process WithLinks(Process process, IReadOnlyList<string> links) => links.Count == 0 ? process : process with { Env = [.. process.Env ?? [], .. links] };

    /// <summary>A process of the container: its program, or an exec.</summary>
    public static Process Process(ContainerRecord container, ContainerUser user, List<string> arguments, bool terminal, IReadOnlyList<string> capabilities)
    {
        var host = container.HostConfig;

        return new Process
        {
            Terminal = terminal,
            ConsoleSize = terminal && host.ConsoleSize is [> 0, > 0] ? new ConsoleSize(host.ConsoleSize[0], host.ConsoleSize[1]) : null,
            User = new User { Uid = user.Uid, Gid = user.Gid, AdditionalGids = [.. user.AdditionalGids] },
            Args = arguments,
            Env = Environment(container, user.Home, terminal),
            Cwd = MountParser.CleanPath(container.Config.WorkingDir),
            Capabilities = DockerDefaults.CapabilitiesFor(user.Uid, capabilities),
            Rlimits = host.Ulimits?.Select(u => new Rlimit("RLIMIT_" + u.Name.ToUpperInvariant(), (ulong)u.Hard, (ulong)u.Soft)).ToList(),
            NoNewPrivileges = SecurityOptions.Of(host).NoNewPrivileges == true,
            OomScoreAdj = host.OomScoreAdj,
        };
    }

    /// <summary>What Docker adds to the configured variables: HOSTNAME, TERM on a terminal, and HOME where none is set.</summary>
    private static List<string> Environment(ContainerRecord container, string home, bool terminal)
    {
        var variables = new List<string>(container.Config.Env ?? []);
        void Add(string name, string value)
        {
            if (!variables.Exists(v => v.StartsWith(name + "=", StringComparison.Ordinal)))
            {
                variables.Add($"{name}={value}");
            }
        }

        Add("PATH", DockerDefaults.Path["PATH=".Length..]);
        Add("HOSTNAME", container.Config.Hostname);
        Add("HOME", home);
        if (terminal)
        {
            Add("TERM", "xterm");
        }

        return variables;
    }

    /// <summary>The capability set: the default, or all when privileged, with what is added and dropped.</summary>
    public static List<string> Capabilities(HostConfig host)
    {
        static string Full(string name) => name.StartsWith("CAP_", StringComparison.OrdinalIgnoreCase) ? name.ToUpperInvariant() : "CAP_" + name.ToUpperInvariant();
        List<string> add = [.. (host.CapAdd ?? []).Select(Full)], drop = [.. (host.CapDrop ?? []).Select(Full)];
        foreach (var name in add.Concat(drop))
        {
            if (name != "CAP_ALL" && !CapabilityNames.All.Contains(name))
            {
                throw EngineException.Invalid($"invalid capability: \"{name}\"");
            }
        }

        // "All" is what this daemon can give: inside another container, or a restricted machine, not all there are.
        IEnumerable<string> set = host.Privileged || add.Contains("CAP_ALL") ? Available : CapabilityNames.Default;
        set = host.Privileged ? set : drop.Contains("CAP_ALL") ? add.Where(c => c != "CAP_ALL") : set.Union(add.Where(c => c != "CAP_ALL")).Except(drop);
        return [.. CapabilityNames.All.Intersect(set)];
    }

    private static readonly string[] Available = ReadAvailable();

    /// <summary>The bounding set of this process (proc_pid_status(5)).</summary>
    private static string[] ReadAvailable()
    {
        var mask = Convert.ToUInt64(File.ReadLines("/proc/self/status").First(l => l.StartsWith("CapBnd:", StringComparison.Ordinal)).Split('\t')[1], 16);
        return [.. CapabilityNames.All.Where((_, number) => (mask >> number & 1) != 0)];
    }

    private static IEnumerable<Namespace> Namespaces(HostConfig host, Surroundings around)
    {
        yield return new Namespace("mount");
        if (host.PidMode != "host")
        {
            yield return new Namespace("pid", around.PidNamespace);
        }

        if (host.IpcMode != "host")
        {
            yield return new Namespace("ipc", around.IpcNamespace);
        }

        if (host.UTSMode != "host")
        {
            yield return new Namespace("uts");
        }

        if (host.CgroupnsMode != "host")
        {
            yield return new Namespace("cgroup");
        }

        if (around.NetworkNamespace is not null)
        {
            yield return new Namespace("network", around.NetworkNamespace);
        }
    }

    /// <summary>The size of a container's /dev/shm. Containers of old say nothing.</summary>
    public static long SharedMemoryBytes(HostConfig host) => host.ShmSize > 0 ? host.ShmSize : DockerDefaults.ShmSize;

    private static IEnumerable<Oci.Mount> Mounts(ContainerRecord container, Surroundings around)
    {
        const string shm = "/dev/shm";
        var host = container.HostConfig;
        foreach (var mount in DockerDefaults.Mounts(SharedMemoryBytes(host), host.Privileged))
        {
            if (mount.Destination != shm || (around.SharedMemory is null && host.IpcMode != "none"))
            {
                yield return mount;
            }
            else if (around.SharedMemory is { } shared)
            {
                yield return new Oci.Mount { Destination = shm, Type = "bind", Source = shared, Options = ["bind", "rprivate", "nosuid", "noexec", "nodev"] };
            }
        }

        foreach (var file in (string[])["resolv.conf", "hostname", "hosts"])
        {
            if (!container.Mounts.Exists(m => m.Destination == "/etc/" + file))
            {
                yield return new Oci.Mount { Destination = "/etc/" + file, Type = "bind", Source = Path.Combine(around.Directory, file), Options = ["rbind", "rprivate"] };
            }
        }

        // Outer mounts before those inside them.
        foreach (var mount in container.Mounts.OrderBy(m => m.Destination.Count(c => c == '/')))
        {
            yield return mount.Type == "tmpfs"
                ? Mount("tmpfs", mount.Destination, ["nosuid", "nodev", "noexec", .. mount.TmpfsOptions.Split(',', StringSplitOptions.RemoveEmptyEntries)])
                : new Oci.Mount
                {
                    Destination = mount.Destination,
                    Type = "bind",
                    Source = mount.Source,
                    Options = [mount.NonRecursive ? "bind" : "rbind", mount.Propagation.Length > 0 ? mount.Propagation : "rprivate", mount.ReadOnly ? mount.ReadOnlyNonRecursive ? "ro" : "rro" : "rw"],
                };
        }
    }

    private static Oci.Mount Mount(string type, string destination, params string[] options) =>
        new() { Destination = destination, Type = type, Source = type, Options = [.. options] };

    public static Oci.Resources Resources(HostConfig host) => new()
    {
        Devices = host.Privileged ? DockerDefaults.PrivilegedDeviceRules : [.. DockerDefaults.DeviceRules, .. HostDevices.RulesOf(host)],
        Memory = new MemoryLimits
        {
            Limit = Set(host.Memory),
            Reservation = Set(host.MemoryReservation),
            Swappiness = host.MemorySwappiness is >= 0 and var s ? (ulong)s : null,
            DisableOOMKiller = host.OomKillDisable,

            // Docker: without a word about swap a container gets as much of it as of memory.
            Swap = host.MemorySwap != 0 ? host.MemorySwap : null,
        },
        Cpu = new CpuLimits
        {
            Shares = host.CpuShares > 0 ? (ulong)host.CpuShares : null,
            Quota = host.NanoCpus > 0 ? host.NanoCpus / 10_000 : Set(host.CpuQuota),
            Period = host.NanoCpus > 0 ? 100_000 : host.CpuPeriod > 0 ? (ulong)host.CpuPeriod : null,
            Cpus = host.CpusetCpus,
            Mems = host.CpusetMems,
            RealtimePeriod = host.CpuRealtimePeriod > 0 ? (ulong)host.CpuRealtimePeriod : null,
            RealtimeRuntime = Set(host.CpuRealtimeRuntime),
        },
        Pids = host.PidsLimit is { } limit and not 0 ? new PidsLimit(limit) : null,
        BlockIo = HostDevices.LimitsOf(host),
    };

    private static long? Set(long value) => value != 0 ? value : null;
}
