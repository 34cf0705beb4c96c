using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>How a container is made, beside its spec.</summary>
public sealed record CreateOptions
{
    /// <summary>The layers, or null when the bundle has a root file system of its own.</summary>
    public OverlayRootfs? Overlay { get; init; }

    public required string BundleDirectory { get; init; }

    /// <summary>Descriptors that become 0, 1 and 2; unused with a terminal.</summary>
    public int StdinFd { get; init; } = -1;

    public int StdoutFd { get; init; } = -1;

    public int StderrFd { get; init; } = -1;

    public bool Terminal { get; init; }

    public int Rows { get; init; }

    public int Columns { get; init; }

    /// <summary>PID 1 is an init of ours that starts the program.</summary>
    public bool Init { get; init; }

    public required string CgroupPath { get; init; }
}

/// <summary>
/// A container's PID 1 and what can be done with it. For a process with a single managed thread only (the monitor): it forks.
/// </summary>
public sealed class ContainerProcess
{
    private readonly Spec _spec;
    private readonly ForkedChild _child;
    private readonly Func<SetupStep, int, string> _describe;

    private ContainerProcess(Spec spec, ForkedChild child, Cgroup cgroup, Func<SetupStep, int, string> describe) =>
        (_spec, _child, Cgroup, _describe) = (spec, child, cgroup, describe);

    public int Pid => _child.Pid;

    public int PidFd => _child.PidFd;

    /// <summary>The terminal's master side; -1 without one.</summary>
    public int TerminalFd => _child.TerminalFd;

    public Cgroup Cgroup { get; }

    /// <summary>Makes the container; it then waits just before its program is executed.</summary>
    /// <exception cref="ContainerSetupException">A step failed; nothing is left.</exception>
    public static ContainerProcess Create(Spec spec, CreateOptions options)
    {
        var plan = new ContainerPlan(spec, options);
        Directory.CreateDirectory(Path.Combine(options.BundleDirectory, spec.Root?.Path ?? "rootfs"));
        var cgroup = Cgroup.Open(options.CgroupPath);
        cgroup.Create(spec.Linux?.Resources);
        int[] cgroupFds = [.. cgroup.OpenProcs()];
        try
        {
            // The cgroup namespace is made by the child itself, after it has joined.
            var child = ForkedChild.Start(plan.NewNamespaces & ~Raw.CLONE_NEWCGROUP, (report, go) => plan.RunChild(report, go, cgroupFds), plan.Describe);

            // From now on this process's children, the execs, are born into the container's pid namespace.
            if ((plan.NewNamespaces & Raw.CLONE_NEWPID) != 0)
            {
                Raw.Setns(child.PidFd, Raw.CLONE_NEWPID);
            }

            return new ContainerProcess(spec, child, cgroup, plan.Describe);
        }
        catch
        {
            cgroup.KillAll();
            cgroup.Remove();
            throw;
        }
        finally
        {
            foreach (var fd in cgroupFds)
            {
                Raw.Close(fd);
            }
        }
    }

    /// <summary>Lets the program run.</summary>
    /// <exception cref="ContainerSetupException">It cannot be executed.</exception>
    public void Start() => _child.Go(_describe);

    /// <summary>Runs another program in the container's namespaces and cgroup.</summary>
    public ExecProcess Exec(Process process, ExecOptions options)
    {
        var plan = new ExecPlan(process, _spec.Linux?.Seccomp, options, PidFd);
        int[] cgroupFds = [.. Cgroup.OpenProcs()];
        try
        {
            var child = ForkedChild.Start(0, (report, go) => plan.RunChild(report, go, cgroupFds), plan.Describe);
            child.Go(plan.Describe);
            return new ExecProcess(child.Pid, child.PidFd, child.TerminalFd);
        }
        finally
        {
            foreach (var fd in cgroupFds)
            {
                Raw.Close(fd);
            }
        }
    }

    public void Signal(int signal)
    {
        var result = Raw.PidfdSendSignal(PidFd, signal);
        if (result < 0)
        {
            throw new SyscallException("pidfd_send_signal", $"{signal} to process {Pid}", -result);
        }
    }
}

/// <summary>How an exec's streams are set up.</summary>
public sealed record ExecOptions(int StdinFd, int StdoutFd, int StderrFd, bool Terminal, int Rows, int Columns);

/// <summary>A running exec; the descriptors are the caller's to close.</summary>
public sealed record ExecProcess(int Pid, int PidFd, int TerminalFd);
