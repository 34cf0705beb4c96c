using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// A whole container, worked out before the fork. <see cref="RunChild"/> is what the child does, from top to bottom: it allocates
/// nothing and makes no decision that could have been made before (design: a forked .NET child must stay on the straight path).
/// </summary>
internal sealed class ContainerPlan
{
    private static readonly CString Empty = CString.Of(""), Dot = CString.Of("."), Slash = CString.Of("/"), Overlay = CString.Of("overlay"),
        DevNull = CString.Of("/dev/null"), Ptmx = CString.Of("/dev/ptmx"), Tmpfs = CString.Of("tmpfs"), OomFile = CString.Of("/proc/self/oom_score_adj"),
        HostOomFile = OomFile, Size = CString.Of("size"), Zero = CString.Of("0");

    private static readonly TargetPath Console = new("/dev/console");

    /// <summary>Links that every container has in /dev (runtime-linux.md, Dev symbolic links).</summary>
    private static readonly (CString Target, TargetPath Path)[] DevLinks =
    [
        (CString.Of("/proc/self/fd"), new TargetPath("/dev/fd")), (CString.Of("/proc/self/fd/0"), new TargetPath("/dev/stdin")),
        (CString.Of("/proc/self/fd/1"), new TargetPath("/dev/stdout")), (CString.Of("/proc/self/fd/2"), new TargetPath("/dev/stderr")),
        (CString.Of("pts/ptmx"), new TargetPath("/dev/ptmx")), (CString.Of("/proc/kcore"), new TargetPath("/dev/core")),
    ];

    private readonly record struct Node(TargetPath Path, uint Mode, ulong Device, uint Uid, uint Gid);

    private readonly Spec _spec;
    private readonly CreateOptions _options;
    private readonly (int Fd, ulong Flag)[] _joined;
    private readonly CString _rootfs;
    private readonly (CString Directory, CString Options)? _overlay;
    private readonly List<string> _mountTexts = [];
    private readonly MountPlan[] _mounts;
    private readonly TargetPath[] _sealed;
    private readonly Node[] _nodes;
    private readonly CString[] _masked, _readonly;
    private readonly (CString Path, CString Value)[] _sysctls;
    private readonly CString _hostname, _domainname;
    private readonly ulong _rootPropagation;

    public ContainerPlan(Spec spec, CreateOptions options)
    {
        (_spec, _options) = (spec, options);
        var linux = spec.Linux ?? new LinuxSpec();
        Process = new ProcessPlan(spec.Process ?? throw new ArgumentException("config.json has no process"), linux.Seccomp);
        (NewNamespaces, _joined) = Namespaces(linux.Namespaces ?? []);
        _rootfs = CString.Of(Path.Combine(options.BundleDirectory, spec.Root?.Path ?? "rootfs"));
        _overlay = options.Overlay?.Prepare();
        var mounts = (spec.Mounts ?? []).SelectMany(CgroupMounts.Expand).ToList();
        _mounts = [.. mounts.Select(MountPlan.Of)];
        _sealed = [.. mounts.Where(m => m.Destination == CgroupMounts.Point && m.Type == "tmpfs").Select(m => new TargetPath(m.Destination))];
        _nodes = [.. (linux.Devices ?? []).Select(NodeOf)];
        _masked = [.. (linux.MaskedPaths ?? []).Select(p => CString.Of(p))];
        _readonly = [.. (linux.ReadonlyPaths ?? []).Select(p => CString.Of(p))];
        _sysctls = [.. (linux.Sysctl ?? []).Select(s => (CString.Of("/proc/sys/" + s.Key.Replace('.', '/')), CString.Of(s.Value)))];
        (_hostname, _domainname) = (CString.Of(spec.Hostname), CString.Of(spec.Domainname));
        _rootPropagation = linux.RootfsPropagation is "shared" or "rshared" or "slave" or "rslave" ? Raw.MS_SLAVE : Raw.MS_PRIVATE;
    }

    public ProcessPlan Process { get; }

    /// <summary>CLONE_NEW* for clone3.</summary>
    public ulong NewNamespaces { get; }

    /// <summary>The subject of a failure, for people.</summary>
    public string Describe(SetupStep step, int index) => step switch
    {
        SetupStep.Mount => _mounts[index].Description,
        SetupStep.Device => _spec.Linux!.Devices![index].Path,
        SetupStep.MaskedPath => _masked[index].ToString(),
        SetupStep.ReadonlyPath => _readonly[index].ToString(),
        SetupStep.Sysctl => $"'{_sysctls[index].Path}' = '{_sysctls[index].Value}'",
        SetupStep.Namespace => _spec.Linux!.Namespaces!.FirstOrDefault(n => n.Path is not null)?.Path ?? "",
        SetupStep.Hostname => $"\"{_spec.Hostname}\"",
        SetupStep.Rootfs => _overlay is { } o ? $"overlay ({o.Options})" : _rootfs.ToString(),
        SetupStep.Exec => Process.Command,
        SetupStep.Cwd => Process.Cwd,
        SetupStep.Rlimit => Process.RlimitsText,
        _ => "",
    };

    /// <summary>The child. Never returns.</summary>
    public void RunChild(int reportFd, int goFd, int[] cgroupFds)
    {
        var (step, index, errno) = SetUp(cgroupFds, out var master);
        if (errno == 0)
        {
            ChildReport.Send(reportFd, SetupStep.None, master, 0);
            Span<byte> go = stackalloc byte[1];
            if (Raw.Read(goFd, go) != 1)
            {
                Raw.Exit(1);
            }

            Raw.CloseRange(3, onExec: true);
            (step, errno) = _options.Init ? InitProcess.Run(Process, reportFd) : Process.Execute();
            index = 0;
        }

        ChildReport.Send(reportFd, step, index, errno);
        Raw.Exit(1);
    }

    private (SetupStep Step, int Index, int Errno) SetUp(int[] cgroupFds, out int master)
    {
        master = -1;
        int result;
        Raw.Prctl(Raw.PR_SET_DUMPABLE, 0);
        if ((result = Raw.Setsid()) < 0)
        {
            return (SetupStep.Session, 0, -result);
        }

        // Join the cgroups before the cgroup namespace is made: its root is where the process is at that moment.
        foreach (var fd in cgroupFds)
        {
            if ((result = Raw.Write(fd, Zero.Span)) < 0)
            {
                return (SetupStep.Cgroup, 0, -result);
            }
        }

        if ((result = JoinNamespaces()) < 0)
        {
            return (SetupStep.Namespace, 0, -result);
        }

        var (limit, errno) = Process.ApplyLimits(HostOomFile);
        if (errno != 0)
        {
            return (limit, 0, errno);
        }

        var root = MountRoot(out var failed);
        if (root < 0)
        {
            return (failed, 0, -root);
        }

        Raw.Umask(0);
        for (var i = 0; i < _mounts.Length; i++)
        {
            if ((result = _mounts[i].Apply(root, Empty)) < 0)
            {
                return (SetupStep.Mount, i, -result);
            }
        }

        for (var i = 0; i < _nodes.Length; i++)
        {
            if ((result = MakeNode(root, _nodes[i])) < 0)
            {
                return (SetupStep.Device, i, -result);
            }
        }

        MakeLinks(root);
        if ((result = Raw.Fchdir(root)) < 0 || (result = Raw.PivotRoot(Dot, Dot)) < 0 || (result = Raw.Umount(Dot, Raw.MNT_DETACH)) < 0 || (result = Raw.Chdir(Slash)) < 0)
        {
            return (SetupStep.PivotRoot, 0, -result);
        }

        if ((result = SetUpStdio(root, out master)) < 0)
        {
            return (SetupStep.Terminal, 0, -result);
        }

        return Finish(root);
    }

    private int JoinNamespaces()
    {
        foreach (var (fd, flag) in _joined)
        {
            var result = Raw.Setns(fd, flag);
            if (result < 0)
            {
                return result;
            }
        }

        return (NewNamespaces & Raw.CLONE_NEWCGROUP) != 0 ? Raw.Unshare(Raw.CLONE_NEWCGROUP) : 0;
    }

    /// <summary>The root as a mount of its own, in a mount namespace that tells the host nothing; an O_PATH descriptor of it.</summary>
    private int MountRoot(out SetupStep failed)
    {
        failed = SetupStep.Propagation;
        var result = Raw.Mount(default, Slash, default, Raw.MS_REC | _rootPropagation, default);
        if (result < 0)
        {
            return result;
        }

        failed = SetupStep.Rootfs;
        result = _overlay is { } overlay
            ? (result = Raw.Chdir(overlay.Directory)) < 0 ? result : Raw.Mount(Overlay, _rootfs, Overlay, 0, overlay.Options)
            : Raw.Mount(_rootfs, _rootfs, default, Raw.MS_BIND | Raw.MS_REC, default);
        result = result < 0 ? result : Raw.Mount(default, _rootfs, default, Raw.MS_PRIVATE, default);
        return result < 0 ? result : Raw.Openat2(Raw.AT_FDCWD, _rootfs, Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, 0);
    }

    private static int MakeNode(int root, Node node)
    {
        var parent = node.Path.OpenParent(root);
        if (parent < 0)
        {
            return parent;
        }

        var result = Raw.Mknodat(parent, node.Path.Name, node.Mode, node.Device);
        result = result < 0 ? result : Raw.Fchownat(parent, node.Path.Name, node.Uid, node.Gid, Raw.AT_SYMLINK_NOFOLLOW);
        Raw.Close(parent);
        return result == -Errno.EEXIST ? 0 : result;
    }

    private void MakeLinks(int root)
    {
        foreach (var (target, path) in DevLinks)
        {
            var parent = path.OpenParent(root);
            if (parent >= 0)
            {
                // An image without /dev as a mount may have them already; then they are the image's.
                Raw.Symlinkat(target, parent, path.Name);
                Raw.Close(parent);
            }
        }
    }

    private int SetUpStdio(int root, out int master)
    {
        master = -1;
        if (!_options.Terminal)
        {
            int done;
            return (done = Raw.Dup(_options.StdinFd, 0)) < 0 || (done = Raw.Dup(_options.StdoutFd, 1)) < 0 || (done = Raw.Dup(_options.StderrFd, 2)) < 0 ? done : 0;
        }

        var result = PseudoTerminal.Open(Ptmx, _spec.Process!.User.Uid, _options.Rows, _options.Columns, out master);
        if (result < 0)
        {
            return result;
        }

        // /dev/console is the terminal: a bind of the slave over an empty file.
        var target = Console.Open(root, makeFile: true);
        var mount = target < 0 ? target : Raw.OpenTree(0, Empty, false);
        result = mount < 0 ? mount : Raw.MoveMount(mount, Empty, target);
        Raw.Close(mount);
        Raw.Close(target);
        return result;
    }

    private (SetupStep, int, int) Finish(int root)
    {
        int result;
        if ((!_hostname.IsNull && (result = Raw.Sethostname(_hostname)) < 0) || (!_domainname.IsNull && (result = Raw.Setdomainname(_domainname)) < 0))
        {
            return (SetupStep.Hostname, 0, -result);
        }

        for (var i = 0; i < _sysctls.Length; i++)
        {
            var fd = Raw.Openat2(Raw.AT_FDCWD, _sysctls[i].Path, Raw.O_WRONLY | Raw.O_CLOEXEC, 0, 0);
            result = fd < 0 ? fd : Raw.Write(fd, _sysctls[i].Value.Span);
            Raw.Close(fd);
            if (result < 0)
            {
                return (SetupStep.Sysctl, i, -result);
            }
        }

        foreach (var target in _sealed)
        {
            var fd = target.Open(root, false);
            Raw.MountSetattr(fd, Empty, false, Raw.MOUNT_ATTR_RDONLY, 0, 0);
            Raw.Close(fd);
        }

        for (var i = 0; i < _readonly.Length; i++)
        {
            if ((result = MakeReadonly(_readonly[i])) < 0)
            {
                return (SetupStep.ReadonlyPath, i, -result);
            }
        }

        for (var i = 0; i < _masked.Length; i++)
        {
            if ((result = Mask(_masked[i])) < 0)
            {
                return (SetupStep.MaskedPath, i, -result);
            }
        }

        if (_spec.Root?.Readonly == true && (result = Raw.MountSetattr(root, Empty, false, Raw.MOUNT_ATTR_RDONLY, 0, 0)) < 0)
        {
            return (SetupStep.Rootfs, 0, -result);
        }

        return default;
    }

    private static int MakeReadonly(CString path)
    {
        var mount = Raw.OpenTree(Raw.AT_FDCWD, path, true);
        if (mount < 0)
        {
            return mount is -Errno.ENOENT or -Errno.ENOTDIR ? 0 : mount;
        }

        var result = Raw.MountSetattr(mount, Empty, true, Raw.MOUNT_ATTR_RDONLY, 0, 0);
        return result < 0 ? result : Over(path, mount);
    }

    private static int Mask(CString path)
    {
        var target = Raw.Openat2(Raw.AT_FDCWD, path, Raw.O_PATH | Raw.O_CLOEXEC, 0, 0);
        if (target < 0)
        {
            return target is -Errno.ENOENT or -Errno.ENOTDIR ? 0 : target;
        }

        Raw.Close(target);
        var directory = Raw.Openat2(Raw.AT_FDCWD, path, Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, 0);
        if (directory < 0)
        {
            var none = Raw.OpenTree(Raw.AT_FDCWD, DevNull, false);
            return none < 0 ? none : Over(path, none);
        }

        Raw.Close(directory);
        var fs = Raw.Fsopen(Tmpfs);
        var result = fs < 0 ? fs : Raw.FsconfigSet(fs, Size, Zero);
        result = result < 0 ? result : Raw.FsconfigCreate(fs);
        var mount = result < 0 ? result : Raw.Fsmount(fs, Raw.MOUNT_ATTR_RDONLY);
        Raw.Close(fs);
        return mount < 0 ? mount : Over(path, mount);
    }

    private static int Over(CString path, int mount)
    {
        var target = Raw.Openat2(Raw.AT_FDCWD, path, Raw.O_PATH | Raw.O_CLOEXEC, 0, 0);
        var result = target < 0 ? target : Raw.MoveMount(mount, Empty, target);
        Raw.Close(target);
        Raw.Close(mount);
        return result;
    }

    private static (ulong New, (int, ulong)[] Joined) Namespaces(List<Namespace> namespaces)
    {
        var made = 0UL;
        var joined = new List<(int, ulong)>();
        foreach (var ns in namespaces)
        {
            var flag = ns.Type switch
            {
                "pid" => Raw.CLONE_NEWPID,
                "network" => Raw.CLONE_NEWNET,
                "mount" => Raw.CLONE_NEWNS,
                "ipc" => Raw.CLONE_NEWIPC,
                "uts" => Raw.CLONE_NEWUTS,
                "cgroup" => Raw.CLONE_NEWCGROUP,
                _ => throw new ArgumentException($"namespaces of type \"{ns.Type}\" are not supported"),
            };
            if (ns.Path is null)
            {
                made |= flag;
                continue;
            }

            var fd = Raw.Openat2(Raw.AT_FDCWD, CString.Of(ns.Path), Raw.O_RDONLY | Raw.O_CLOEXEC, 0, 0);
            joined.Add(fd >= 0 ? (fd, flag) : throw new SyscallException("open", $"'{ns.Path}'", -fd));
        }

        return (made, [.. joined]);
    }

    private static Node NodeOf(Device device)
    {
        var type = device.Type switch { "c" or "u" => 0x2000u, "b" => 0x6000u, "p" => 0x1000u, _ => throw new ArgumentException($"device {device.Path}: unknown type \"{device.Type}\"") };
        var number = (ulong)((device.Major & 0xfff) << 8 | (device.Minor & 0xff) | (device.Minor & ~0xffL) << 12);
        return new Node(new TargetPath(device.Path), type | (device.FileMode ?? 0x1B6), number, device.Uid ?? 0, device.Gid ?? 0);
    }
}
