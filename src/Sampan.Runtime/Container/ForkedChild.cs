using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>A forked child and the two pipes of <see cref="ChildReport"/>.</summary>
internal sealed class ForkedChild
{
    /// <summary>Setting up takes milliseconds; a bind from a network file system that does not answer would wait for ever.</summary>
    private const int SetupTimeoutMs = 120_000;

    private static readonly CString OwnPidNamespace = CString.Of("/proc/self/ns/pid");

    private int _report, _go;

    private ForkedChild(int pid, int pidFd, int report, int go) => (Pid, PidFd, _report, _go) = (pid, pidFd, report, go);

    public int Pid { get; }

    /// <summary>-1 after <see cref="Dispose"/>.</summary>
    public int PidFd { get; private set; }

    /// <summary>The terminal's master side, fetched from the child; -1 without one. The caller's to close.</summary>
    public int TerminalFd { get; private set; } = -1;

    /// <summary>Forks; returns when the child has set everything up and waits.</summary>
    /// <param name="flags">CLONE_*.</param>
    /// <param name="pidNamespaceFd">A pid namespace, or the pidfd of a process in it, to be born into; negative for this process's own.</param>
    /// <param name="run">The child: takes the pipe to report on and the one to wait on; never returns.</param>
    /// <param name="describe">The subject of a failed step.</param>
    public static ForkedChild Start(ulong flags, int pidNamespaceFd, Action<int, int> run, Func<SetupStep, int, string> describe)
    {
        // A process whose children are born elsewhere cannot start threads (clone(2), EINVAL), so it is set back right after the fork.
        var own = pidNamespaceFd < 0 ? -1 : Raw.Openat2(Raw.AT_FDCWD, OwnPidNamespace, Raw.O_RDONLY | Raw.O_CLOEXEC, 0, 0);
        EnterPidNamespace(pidNamespaceFd);
        var (reportRead, reportWrite) = Pipe.Create();
        var (goRead, goWrite) = Pipe.Create();
        var pid = Raw.Clone(flags, out var pidFd);
        if (pid == 0)
        {
            // Its own copies of the monitor's ends would keep it from seeing that the monitor is gone.
            Raw.Close(reportRead);
            Raw.Close(goWrite);
            run(reportWrite, goRead);
        }

        Raw.Close(reportWrite);
        Raw.Close(goRead);
        EnterPidNamespace(own);
        Raw.Close(own);
        if (pid < 0)
        {
            Raw.Close(reportRead);
            Raw.Close(goWrite);
            throw new SyscallException("clone3", $"flags 0x{flags:x}", -pid);
        }

        var child = new ForkedChild(pid, pidFd, reportRead, goWrite);
        var report = ChildReport.Receive(reportRead, SetupStep.Session, SetupTimeoutMs);
        if (report is not { Step: SetupStep.None } ready)
        {
            throw child.Fail(report, describe);
        }

        if (ready.Index >= 0)
        {
            var terminal = Raw.PidfdGetfd(pidFd, ready.Index);
            if (terminal < 0)
            {
                throw child.Fail((SetupStep.Terminal, 0, -terminal), describe);
            }

            child.TerminalFd = terminal;
        }

        return child;
    }

    /// <summary>Lets the child execute its program and waits until it has.</summary>
    public void Go(Func<SetupStep, int, string> describe)
    {
        Raw.Write(_go, "g"u8);
        var report = ChildReport.Receive(_report, SetupStep.Exec, SetupTimeoutMs);
        if (report is not null)
        {
            throw Fail(report, describe);
        }

        ClosePipes();
    }

    /// <summary>Closes what is held of the child, which ends if it still waits. May be called twice.</summary>
    public void Dispose()
    {
        ClosePipes();
        if (PidFd >= 0)
        {
            Raw.Close(PidFd);
            PidFd = -1;
        }
    }

    private static void EnterPidNamespace(int fd)
    {
        var result = fd < 0 ? 0 : Raw.Setns(fd, Raw.CLONE_NEWPID);
        if (result < 0)
        {
            throw new SyscallException("setns", "pid namespace", -result);
        }
    }

    private void ClosePipes()
    {
        if (_report >= 0)
        {
            Raw.Close(_report);
            Raw.Close(_go);
            (_report, _go) = (-1, -1);
        }
    }

    private Exception Fail((SetupStep Step, int Index, int Errno)? report, Func<SetupStep, int, string> describe)
    {
        Raw.PidfdSendSignal(PidFd, 9); // it may hang
        Raw.Wait(Pid, noHang: false, out var status);
        if (TerminalFd >= 0)
        {
            Raw.Close(TerminalFd);
            TerminalFd = -1;
        }

        Dispose();
        return report is var (step, index, errno)
            ? new ContainerSetupException(step, describe(step, index), errno)
            : new InvalidOperationException($"the container's first process ended during setup, exit status {WaitStatus.ExitCode(status)}");
    }
}
