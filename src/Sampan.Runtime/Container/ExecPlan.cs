using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A program to run inside a running container, worked out before the fork.</summary>
internal sealed class ExecPlan(Process process, Seccomp? seccomp, ExecOptions options, int containerPidFd)
{
    private static readonly CString Zero = CString.Of("0"), Ptmx = CString.Of("/dev/ptmx"), OomFile = CString.Of("/proc/self/oom_score_adj");

    private const ulong AllButPid = Raw.CLONE_NEWNS | Raw.CLONE_NEWUTS | Raw.CLONE_NEWIPC | Raw.CLONE_NEWNET | Raw.CLONE_NEWCGROUP;

    private readonly ProcessPlan _process = new(process, seccomp);

    public string Describe(SetupStep step, int index) => step switch
    {
        SetupStep.Exec => _process.Command,
        SetupStep.Cwd => _process.Cwd,
        _ => "",
    };

    public void RunChild(int reportFd, int goFd, int[] cgroupFds)
    {
        var (step, errno) = SetUp(cgroupFds, out var master);
        if (errno == 0)
        {
            ChildReport.Send(reportFd, SetupStep.None, master, 0);
            Span<byte> go = stackalloc byte[1];
            if (Raw.Read(goFd, go) != 1)
            {
                Raw.Exit(1);
            }

            Raw.CloseRange(3, onExec: true);
            (step, errno) = _process.Execute();
        }

        ChildReport.Send(reportFd, step, 0, errno);
        Raw.Exit(1);
    }

    private (SetupStep, int) SetUp(int[] cgroupFds, out int master)
    {
        master = -1;
        int result;
        Raw.Prctl(Raw.PR_SET_DUMPABLE, 0);
        if ((result = Raw.Setsid()) < 0)
        {
            return (SetupStep.Session, -result);
        }

        foreach (var fd in cgroupFds)
        {
            if ((result = Raw.Write(fd, Zero.Span)) < 0)
            {
                return (SetupStep.Cgroup, -result);
            }
        }

        var (limit, errno) = _process.ApplyLimits(OomFile);
        if (errno != 0)
        {
            return (limit, errno);
        }

        if ((result = Raw.Setns(containerPidFd, AllButPid)) < 0)
        {
            return (SetupStep.Namespace, -result);
        }

        if (options.Terminal)
        {
            result = PseudoTerminal.Open(Ptmx, process.User.Uid, options.Rows, options.Columns, out master);
            return result < 0 ? (SetupStep.Terminal, -result) : default;
        }

        return (result = Raw.Dup(options.StdinFd, 0)) < 0 || (result = Raw.Dup(options.StdoutFd, 1)) < 0 || (result = Raw.Dup(options.StderrFd, 2)) < 0
            ? (SetupStep.Stdio, -result)
            : default;
    }
}
