using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>How a container is made, beside its spec.</summary>
public sealed record CreateOptions
{
    /// <summary>The layers, or null when the bundle has a root file system of its own.</summary>
    public OverlayRootfs? Overlay { get; init; }

    public required string BundleDirectory { get; init; }

    /// <summary>Descriptors that become 0, 1 and 2, each 3 or more; unused with a terminal.</summary>
    public int StdinFd { get; init; } = -1;

    public int StdoutFd { get; init; } = -1;

    public int StderrFd { get; init; } = -1;

    public bool Terminal { get; init; }

    public int Rows { get; init; }

    public int Columns { get; init; }

    /// <summary>PID 1 is an init of ours that starts the program.</summary>
    public bool Init { get; init; }

    /// <summary>Below each hierarchy's root, as /sampan/ID. The group must be the container's alone.</summary>
    public required string CgroupPath { get; init; }
}

/// <summary>
/// A container's PID 1 and what can be done with it. For a process with a single managed thread only (the monitor): it forks.
/// </summary>
public sealed class ContainerProcess : IDisposable
{
    private readonly ForkedChild _child;
    private readonly ContainerPlan _plan;

    private ContainerProcess(ForkedChild child, Cgroup cgroup, ContainerPlan plan) => (_child, Cgroup, _plan) = (child, cgroup, plan);

    public int Pid => _child.Pid;

    /// <summary>-1 after a failed start and after Dispose.</summary>
    public int PidFd => _child.PidFd;

    /// <summary>The terminal's master side; -1 without one. The caller's to close.</summary>
    public int TerminalFd => _child.TerminalFd;

    public Cgroup Cgroup { get; }

    /// <summary>Makes the container; it then waits just before its program is executed.</summary>
    /// <exception cref="ContainerSetupException">A step failed; nothing is left.</exception>
    /// <exception cref="ArgumentException">The spec asks for something that does not exist or is not supported.</exception>
    public static ContainerProcess Create(Spec spec, CreateOptions options)
    {
        // :: 1 work everything out
        var plan = new ContainerPlan(spec, options);
        if (options.Overlay is not null)
        {
            Directory.CreateDirectory(plan.RootfsPath);
        }

        // :: 2 cgroup
        var cgroup = Cgroup.Open(options.CgroupPath);
        try
        {
            cgroup.Create(DeviceRules.WithEssentials(spec.Linux?.Resources));
            var cgroupFds = cgroup.OpenProcs();

            // :: 3 fork, and wait until it stands
            try
            {
                var child = ForkedChild.Start(
                    plan.Namespaces.CloneFlags, plan.Namespaces.PidNamespaceFd, (report, go) => plan.RunChild(report, go, cgroupFds), plan.Describe);
                return new ContainerProcess(child, cgroup, plan);
            }
            finally
            {
                CloseAll(cgroupFds);
            }
        }
        catch
        {
            cgroup.KillAll();
            cgroup.Remove();
            throw;
        }
        finally
        {
            plan.Namespaces.Close();
        }
    }

    /// <summary>Lets the program run.</summary>
    /// <exception cref="ContainerSetupException">It cannot be executed; the process is gone, <see cref="Delete"/> is still due.</exception>
    public void Start() => _child.Go(_plan.Describe);

    /// <summary>Runs another program in the container's namespaces and cgroup.</summary>
    /// <exception cref="ContainerSetupException">It cannot be executed.</exception>
    public ExecProcess Exec(Process process, ExecOptions options)
    {
        UnsupportedSettings.Refuse(process);
        var plan = new ExecPlan(process, _plan.Seccomp, options, PidFd);
        var cgroupFds = Cgroup.OpenProcs();
        try
        {
            var child = ForkedChild.Start(0, PidFd, (report, go) => plan.RunChild(report, go, cgroupFds), plan.Describe);
            child.Go(plan.Describe);
            return new ExecProcess(child.Pid, child.PidFd, child.TerminalFd);
        }
        finally
        {
            CloseAll(cgroupFds);
        }
    }

    /// <summary>Sends a signal to PID 1; one that has ended already is no error.</summary>
    public void Signal(int signal)
    {
        var result = Raw.PidfdSendSignal(PidFd, signal);
        if (result < 0 && result != -Errno.ESRCH)
        {
            throw new SyscallException("pidfd_send_signal", $"{signal} to process {Pid}", -result);
        }
    }

    /// <summary>Kills what is left and removes the cgroup. May be called twice; after the end of PID 1, or instead of waiting for it.</summary>
    public void Delete()
    {
        Cgroup.KillAll();
        Cgroup.Remove();
    }

    /// <summary>Closes the pidfd. A container that was not started ends. The terminal stays open.</summary>
    public void Dispose() => _child.Dispose();

    private static void CloseAll(int[] fds)
    {
        foreach (var fd in fds)
        {
            Raw.Close(fd);
        }
    }
}

/// <summary>How an exec's streams are set up; descriptors are 3 or more.</summary>
public sealed record ExecOptions(int StdinFd, int StdoutFd, int StderrFd, bool Terminal, int Rows, int Columns);

/// <summary>A running exec; the descriptors are the caller's to close.</summary>
public sealed record ExecProcess(int Pid, int PidFd, int TerminalFd);
