using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>A forked child and the two pipes of <see cref="ChildReport"/>.</summary>
internal sealed class ForkedChild
{
    private readonly int _report, _go;

    private ForkedChild(int pid, int pidFd, int report, int go) => (Pid, PidFd, _report, _go) = (pid, pidFd, report, go);

    public int Pid { get; }

    public int PidFd { get; }

    /// <summary>The terminal's master side, fetched from the child; -1 without one.</summary>
    public int TerminalFd { get; private set; } = -1;

    /// <summary>Forks; returns when the child has set everything up and waits.</summary>
    public static ForkedChild Start(ulong flags, Action<int, int> run, Func<SetupStep, int, string> describe)
    {
        var (reportRead, reportWrite) = Pipe.Create();
        var (goRead, goWrite) = Pipe.Create();
        var pid = Raw.Clone(flags, out var pidFd);
        if (pid == 0)
        {
            run(reportWrite, goRead);
        }

        Raw.Close(reportWrite);
        Raw.Close(goRead);
        if (pid < 0)
        {
            Raw.Close(reportRead);
            Raw.Close(goWrite);
            throw new SyscallException("clone3", $"flags 0x{flags:x}", -pid);
        }

        var child = new ForkedChild(pid, pidFd, reportRead, goWrite);
        var report = ChildReport.Receive(reportRead);
        if (report is not { Step: SetupStep.None } ready)
        {
            throw child.Fail(report, describe);
        }

        if (ready.Index >= 0)
        {
            child.TerminalFd = Raw.PidfdGetfd(pidFd, ready.Index);
            if (child.TerminalFd < 0)
            {
                Raw.PidfdSendSignal(pidFd, 9);
                throw child.Fail((SetupStep.Terminal, 0, -child.TerminalFd), describe);
            }
        }

        return child;
    }

    /// <summary>Lets the child execute its program and waits until it has.</summary>
    public void Go(Func<SetupStep, int, string> describe)
    {
        Raw.Write(_go, "g"u8);
        var report = ChildReport.Receive(_report);
        if (report is not null)
        {
            throw Fail(report, describe);
        }

        Raw.Close(_report);
        Raw.Close(_go);
    }

    private Exception Fail((SetupStep Step, int Index, int Errno)? report, Func<SetupStep, int, string> describe)
    {
        Raw.Close(_report);
        Raw.Close(_go);
        Raw.Wait(Pid, noHang: false, out var status);
        Raw.Close(PidFd);
        return report is var (step, index, errno)
            ? new ContainerSetupException(step, describe(step, index), errno)
            : new InvalidOperationException($"the container's first process ended during setup, exit status {WaitStatus.ExitCode(status)}");
    }
}
