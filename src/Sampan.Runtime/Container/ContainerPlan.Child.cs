using Sampan.Linux;

namespace Sampan.Runtime;

internal sealed partial class ContainerPlan
{
    private static readonly CString Empty = CString.Of(""), Dot = CString.Of("."), Slash = CString.Of("/"), Ptmx = CString.Of("/dev/ptmx"), Zero = CString.Of("0");

    private static readonly TargetPath Console = new("/dev/console");

    /// <summary>The child: sets up, says so, waits for the word, and becomes the program. Never returns.</summary>
    public void RunChild(int reportFd, int goFd, int[] cgroupFds)
    {
        var (step, index, errno) = SetUp(cgroupFds, out var master);
        if (errno == 0)
        {
            // Nothing of the monitor's stays open while the container waits, so that it ends when the monitor does.
            Raw.CloseAllBut(reportFd, goFd, master);
            ChildReport.Send(reportFd, SetupStep.None, master, 0);
            if (ChildReport.WaitForGo(goFd))
            {
                Raw.CloseRange(3, onExec: true);
                (step, index, errno) = _init?.Run(Process, reportFd) ?? Process.Become();
            }
        }

        ChildReport.Send(reportFd, step, index, errno);
        Raw.Exit(1);
    }

    /// <summary>
    /// Steps: (1) apart from the monitor, (2) cgroups and namespaces, (3) root, (4) mounts, (5) /dev, (6) pivot, (7) streams, (8) kernel
    /// settings, (9) seals, (10) limits. Their order is a matter of rights and views: see each.
    /// </summary>
    private (SetupStep Step, int Index, int Errno) SetUp(int[] cgroupFds, out int master)
    {
        int result, index;
        master = -1;

        // :: 1 apart — not dumpable, or a process in a namespace that is joined could trace this one and reach the host through it
        Raw.Prctl(Raw.PR_SET_DUMPABLE, 0);
        Raw.JoinSessionKeyring();
        if ((result = Raw.Setsid()) < 0)
        {
            return (SetupStep.Session, 0, -result);
        }

        // :: 2 cgroups, then namespaces — the root of a cgroup namespace is where the process is at that moment
        foreach (var fd in cgroupFds)
        {
            if ((result = Raw.Write(fd, Zero.Span)) < 0)
            {
                return (SetupStep.Cgroup, 0, -result);
            }
        }

        if ((result = Namespaces.Enter(out index)) < 0)
        {
            return (SetupStep.Namespace, index, -result);
        }

        // while /proc is the host's
        if ((result = Process.ApplyOomScore()) < 0)
        {
            return (SetupStep.OomScore, 0, -result);
        }

        // :: 3 root
        var root = MountRoot(out var failed, out index);
        if (root < 0)
        {
            return (failed, index, -root);
        }

        // :: 4 mounts, in the spec's order
        Raw.Umask(0);
        for (var i = 0; i < _mounts.Length; i++)
        {
            if ((result = _mounts[i].Apply(root, _propagation)) < 0)
            {
                return (SetupStep.Mount, i, -result);
            }
        }

        // :: 5 /dev, links, and the working directory, which an image need not have
        if ((result = _devices?.Apply(root, out index) ?? 0) < 0)
        {
            return (SetupStep.Device, index, -result);
        }

        MakeLinks(root);
        Raw.Close(_cwd.Open(root, makeFile: false)); // a file in the way is told by chdir later

        // :: 6 pivot — both roots in one place, then the old one off (pivot_root(2), NOTES)
        if ((result = Raw.Fchdir(root)) < 0 || (result = Raw.PivotRoot(Dot, Dot)) < 0 || (result = Raw.Umount(Dot, Raw.MNT_DETACH)) < 0 || (result = Raw.Chdir(Slash)) < 0)
        {
            return (SetupStep.PivotRoot, 0, -result);
        }

        // :: 7 streams — the terminal comes from the container's own devpts
        if ((result = SetUpStreams(root, out master)) < 0)
        {
            return (_options.Terminal ? SetupStep.Terminal : SetupStep.Stdio, 0, -result);
        }

        // :: 8 kernel settings — before /proc/sys is read-only
        (failed, index, result) = ApplySettings();
        if (result < 0)
        {
            return (failed, index, -result);
        }

        // :: 9 seals
        (failed, index, result) = Seal(root);
        if (result < 0)
        {
            return (failed, index, -result);
        }

        // :: 10 limits — last, for the setup itself needs descriptors and memory
        return (result = Process.ApplyLimits(out index)) < 0 ? (SetupStep.Rlimit, index, -result) : default;
    }

    /// <summary>The root as a mount of its own, in a mount namespace that tells the host nothing; an O_PATH descriptor of it.</summary>
    private int MountRoot(out SetupStep failed, out int index)
    {
        failed = SetupStep.Mount;
        int result;
        for (index = 0; index < _mounts.Length; index++)
        {
            if ((result = _mounts[index].OpenSource()) < 0)
            {
                return result;
            }
        }

        // Never shared here: what is mounted below must not reach the host. A root that is to be shared gets its own group at the end.
        index = 0;
        failed = SetupStep.Propagation;
        if ((result = Raw.Mount(default, Slash, default, Raw.MS_REC | (_propagation == Raw.MS_PRIVATE ? Raw.MS_PRIVATE : Raw.MS_SLAVE), default)) < 0)
        {
            return result;
        }

        failed = SetupStep.Rootfs;
        result = _overlay?.Apply(_rootfs) ?? Raw.Mount(_rootfs, _rootfs, default, Raw.MS_BIND | Raw.MS_REC, default);

        // pivot_root wants a root, and a mount that holds it, that are not shared.
        result = result < 0 ? result : Raw.Mount(default, _rootfs, default, Raw.MS_PRIVATE, default);
        return result < 0 ? result : Raw.Openat2(Raw.AT_FDCWD, _rootfs, Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, 0);
    }

    private void MakeLinks(int root)
    {
        foreach (var (target, path) in _links)
        {
            var parent = path.OpenParent(root);
            Raw.Symlinkat(target, parent, path.Name);
            Raw.Close(parent);
        }
    }

    private int SetUpStreams(int root, out int master)
    {
        master = -1;
        if (!_options.Terminal)
        {
            return Process.ConnectStreams(_options.StdinFd, _options.StdoutFd, _options.StderrFd);
        }

        var result = PseudoTerminal.Open(Ptmx, _spec.Process!.User.Uid, _options.Rows, _options.Columns, out master);
        if (result < 0 || _devices is null)
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

    private (SetupStep Step, int Index, int Result) ApplySettings()
    {
        int result;
        if ((!_hostname.IsNull && (result = Raw.Sethostname(_hostname)) < 0) || (!_domainname.IsNull && (result = Raw.Setdomainname(_domainname)) < 0))
        {
            return (SetupStep.Hostname, 0, result);
        }

        for (var i = 0; i < _sysctls.Length; i++)
        {
            var fd = Raw.Openat2(Raw.AT_FDCWD, _sysctls[i].Path, Raw.O_WRONLY | Raw.O_CLOEXEC, 0, Raw.RESOLVE_NO_SYMLINKS);
            result = fd < 0 ? fd : Raw.Write(fd, _sysctls[i].Value.Span);
            Raw.Close(fd);
            if (result < 0)
            {
                return (SetupStep.Sysctl, i, result);
            }
        }

        return default;
    }

    private (SetupStep Step, int Index, int Result) Seal(int root)
    {
        int result;
        for (var i = 0; i < _sealed.Length; i++)
        {
            if ((result = SealedPaths.Seal(root, _sealed[i])) < 0)
            {
                return (SetupStep.Cgroup, i, result);
            }
        }

        for (var i = 0; i < _readonly.Length; i++)
        {
            if ((result = SealedPaths.MakeReadonly(_readonly[i])) < 0)
            {
                return (SetupStep.ReadonlyPath, i, result);
            }
        }

        for (var i = 0; i < _masked.Length; i++)
        {
            if ((result = SealedPaths.Mask(_masked[i])) < 0)
            {
                return (SetupStep.MaskedPath, i, result);
            }
        }

        var readOnly = _spec.Root?.Readonly == true ? Raw.MOUNT_ATTR_RDONLY : 0;
        return (readOnly | _propagation) != Raw.MS_PRIVATE && (result = Raw.MountSetattr(root, Empty, false, readOnly, 0, _propagation)) < 0
            ? (SetupStep.Rootfs, 0, result)
            : default;
    }
}
