using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// A whole container, worked out before the fork. The other half of this class is what the child does with it; it allocates nothing and
/// makes no decision that could have been made here (design: a forked .NET child must stay on the straight path).
/// </summary>
internal sealed partial class ContainerPlan
{
    /// <summary>Kernel settings that each ipc namespace has for itself (ipc_namespaces(7)).</summary>
    private static readonly string[] IpcSysctls =
    [
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
    ];

    private readonly Spec _spec;
    private readonly CreateOptions _options;
    private readonly CString _rootfs;
    private readonly OverlayMount? _overlay;
    private readonly MountPlan[] _mounts;
    private readonly TargetPath[] _sealed;
    private readonly (CString Target, TargetPath Path)[] _links;
    private readonly DevicePlan? _devices;
    private readonly TargetPath _cwd;
    private readonly CString[] _masked, _readonly;
    private readonly (CString Path, CString Value)[] _sysctls;
    private readonly CString _hostname, _domainname;
    private readonly ulong _propagation;
    private readonly InitProcess? _init;

    /// <exception cref="ArgumentException">The spec asks for something that does not exist or is not supported.</exception>
    /// <exception cref="SyscallException">A namespace to join cannot be opened.</exception>
    public ContainerPlan(Spec spec, CreateOptions options)
    {
        UnsupportedSettings.Refuse(spec);
        (_spec, _options) = (spec, options);
        var linux = spec.Linux ?? new LinuxSpec();
        Seccomp = SeccompFilter.Of(linux.Seccomp);
        Process = new ProcessPlan(spec.Process ?? throw new ArgumentException("the spec has no process"), Seccomp, options.Terminal);
        Namespaces = new NamespacePlan(linux.Namespaces ?? []);
        _init = options.Init ? new InitProcess() : null;
        RootfsPath = Path.Combine(options.BundleDirectory, spec.Root?.Path ?? "rootfs");
        _rootfs = CString.Of(RootfsPath);
        _overlay = options.Overlay?.Prepare(RootfsPath);
        var layout = CgroupLayout.Current;
        var cgroup = (Namespaces.New & Raw.CLONE_NEWCGROUP) == 0 ? options.CgroupPath : null;
        var mounts = (spec.Mounts ?? []).ToList();
        _mounts = [.. mounts.SelectMany(m => CgroupMounts.Expand(m, layout, cgroup)).Select(m => new MountPlan(m, options.BundleDirectory))];
        _sealed = [.. mounts.Where(m => m.Type == "cgroup" && !layout.IsV2 && m.Options?.Contains("ro") == true).Select(m => new TargetPath(m.Destination))];
        _links = [.. mounts.SelectMany(m => CgroupMounts.Links(m, layout)).Select(l => (CString.Of(l.Target), new TargetPath(l.Path)))];

        // A /dev that is lent from outside is complete, and nothing of ours is to appear in it.
        _devices = mounts.Any(m => m.Destination.TrimEnd('/') == "/dev" && MountOptions.Parse(m).Bind) ? null : new DevicePlan(linux.Devices ?? []);
        _cwd = new TargetPath(spec.Process.Cwd);
        _masked = [.. (linux.MaskedPaths ?? []).Select(p => CString.Of(p))];
        _readonly = [.. (linux.ReadonlyPaths ?? []).Select(p => CString.Of(p))];
        RequireNamespaces(spec.Hostname ?? spec.Domainname, linux.Sysctl ?? []);
        _sysctls = [.. (linux.Sysctl ?? []).Select(s => (CString.Of(SysctlPath(s.Key)), CString.Of(s.Value)))];
        (_hostname, _domainname) = (CString.Of(NullIfEmpty(spec.Hostname)), CString.Of(NullIfEmpty(spec.Domainname)));
        _propagation = linux.RootfsPropagation switch
        {
            null or "" or "private" or "rprivate" => Raw.MS_PRIVATE,
            "slave" or "rslave" => Raw.MS_SLAVE,
            "shared" or "rshared" => Raw.MS_SHARED,
            "unbindable" or "runbindable" => Raw.MS_UNBINDABLE,
            var other => throw new ArgumentException($"unknown propagation \"{other}\""),
        };
    }

    public ProcessPlan Process { get; }

    public SeccompFilter? Seccomp { get; }

    public NamespacePlan Namespaces { get; }

    /// <summary>Where the root is mounted, in the container's mount namespace; an empty directory in the host's.</summary>
    public string RootfsPath { get; }

    /// <summary>The subject of a failure, for people.</summary>
    public string Describe(SetupStep step, int index) => step switch
    {
        SetupStep.Cgroup => $"'{_options.CgroupPath}'",
        SetupStep.Namespace => $"'{Namespaces.PathOf(index)}'",
        SetupStep.Rootfs => _overlay?.Description ?? $"'{RootfsPath}'",
        SetupStep.Mount => _mounts[index].Description,
        SetupStep.Device => $"'{_devices!.NameOf(index)}'",
        SetupStep.MaskedPath => $"'{_masked[index]}'",
        SetupStep.ReadonlyPath => $"'{_readonly[index]}'",
        SetupStep.Sysctl => $"'{_sysctls[index].Path}' = '{_sysctls[index].Value}'",
        SetupStep.Hostname => $"\"{_spec.Hostname}\"",
        SetupStep.Propagation => "'/'",
        SetupStep.PivotRoot => $"'{RootfsPath}'",
        _ => Process.Describe(step, index),
    };

    /// <summary>What is set for a container must not be the host's.</summary>
    private void RequireNamespaces(string? hostname, IReadOnlyDictionary<string, string> sysctls)
    {
        if (!string.IsNullOrEmpty(hostname) && !Namespaces.Has(Raw.CLONE_NEWUTS))
        {
            throw new ArgumentException($"hostname \"{hostname}\": the container has no uts namespace of its own");
        }

        foreach (var name in sysctls.Keys.Select(k => k.Contains('/') ? k.Replace('/', '.') : k))
        {
            var flag = name.StartsWith("net.", StringComparison.Ordinal) ? Raw.CLONE_NEWNET
                : name.StartsWith("fs.mqueue.", StringComparison.Ordinal) || IpcSysctls.Contains(name) ? Raw.CLONE_NEWIPC
                : name is "kernel.domainname" or "kernel.hostname" ? Raw.CLONE_NEWUTS
                : throw new ArgumentException($"sysctl \"{name}\" is not in a namespace of its own: it is the whole machine's");
            if (!Namespaces.Has(flag))
            {
                throw new ArgumentException($"sysctl \"{name}\": the container has no namespace of its own for it");
            }
        }
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    /// <summary>Dots separate, unless a slash does, as in net/ipv4/conf/eth0.100/forwarding (sysctl.d(5)).</summary>
    private static string SysctlPath(string key)
    {
        var path = key.Contains('/') ? key : key.Replace('.', '/');
        return path.Split('/').Contains("..") ? throw new ArgumentException($"sysctl: bad name \"{key}\"") : "/proc/sys/" + path;
    }
}
