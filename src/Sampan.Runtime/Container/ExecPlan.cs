using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A program to run inside a running container, worked out before the fork.</summary>
internal sealed class ExecPlan(Process process, SeccompFilter? seccomp, ExecOptions options, int containerPidFd)
{
    /// <summary>Not the pid namespace: it is for children only, and the monitor's are born into the container's.</summary>
    private const ulong Namespaces = Raw.CLONE_NEWNS | Raw.CLONE_NEWUTS | Raw.CLONE_NEWIPC | Raw.CLONE_NEWNET | Raw.CLONE_NEWCGROUP;

    // Not static: a class constructor that waits for its first use would run in every child.
    private readonly CString _zero = CString.Of("0"), _ptmx = CString.Of("/dev/ptmx");
    private readonly ProcessPlan _process = new(process, seccomp, options.Terminal);

    public string Describe(SetupStep step, int index) => _process.Describe(step, index);

    /// <summary>The child. Never returns.</summary>
    public void RunChild(int reportFd, int goFd, int[] cgroupFds)
    {
        var (step, index, errno) = SetUp(cgroupFds, out var master);
        if (errno == 0)
        {
            Raw.CloseAllBut(reportFd, goFd, master);
            ChildReport.Send(reportFd, SetupStep.None, master, 0);
            if (ChildReport.WaitForGo(goFd))
            {
                Raw.CloseRange(3, onExec: true);
                (step, index, errno) = _process.Become();
            }
        }

        ChildReport.Send(reportFd, step, index, errno);
        Raw.Exit(1);
    }

    private (SetupStep Step, int Index, int Errno) SetUp(int[] cgroupFds, out int master)
    {
        master = -1;
        int result;

        // Before it can be seen in the container: what runs there must not trace it and reach the host through it.
        Raw.Prctl(Raw.PR_SET_DUMPABLE, 0);
        Raw.JoinSessionKeyring();
        if ((result = Raw.Setsid()) < 0)
        {
            return (SetupStep.Session, 0, -result);
        }

        foreach (var fd in cgroupFds)
        {
            if ((result = Raw.Write(fd, _zero.Span)) < 0)
            {
                return (SetupStep.Cgroup, 0, -result);
            }
        }

        if ((result = _process.ApplyOomScore()) < 0)
        {
            return (SetupStep.OomScore, 0, -result);
        }

        if ((result = Raw.Setns(containerPidFd, Namespaces)) < 0)
        {
            return (SetupStep.Namespace, 0, -result);
        }

        result = options.Terminal
            ? PseudoTerminal.Open(_ptmx, process.User.Uid, options.Rows, options.Columns, out master)
            : _process.ConnectStreams(options.StdinFd, options.StdoutFd, options.StderrFd);
        if (result < 0)
        {
            return (options.Terminal ? SetupStep.Terminal : SetupStep.Stdio, 0, -result);
        }

        return (result = _process.ApplyLimits(out var index)) < 0 ? (SetupStep.Rlimit, index, -result) : default;
    }
}
