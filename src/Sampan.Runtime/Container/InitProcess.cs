using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// <c>--init</c>: PID 1 is this forked child itself, so no init program has to be in the image. It starts the program, passes signals on,
/// reaps what others leave, and ends with the program's status. It has the program's user, rights and filter, not ours.
/// </summary>
internal sealed class InitProcess
{
    private const int SIG_SETMASK = 2;

    private readonly CString _name = CString.Of("sampan-init");
    private readonly ProcessArguments _arguments = ProcessArguments.Find();

    /// <summary>Comes back only on failure: in this process before the fork, or in the program's, which reports it itself.</summary>
    public (SetupStep Step, int Index, int Errno) Run(ProcessPlan process, int reportFd)
    {
        Raw.Sigprocmask(SIG_SETMASK, ulong.MaxValue);
        var failure = process.TakeRights();
        if (failure.Errno != 0)
        {
            return failure;
        }

        var child = Raw.Fork();
        if (child < 0)
        {
            return (SetupStep.Exec, 0, -child);
        }

        if (child == 0)
        {
            // A process group of its own, in the foreground: else the terminal's signals would reach it twice, the second time by us.
            Raw.Setpgid(0, 0);
            if (process.HasTerminal)
            {
                Raw.SetForeground(0, Raw.Getpid());
            }

            return process.Execute();
        }

        // The program's copies count: the monitor sees the pipe's end at the program's execve, and the streams' end when it closes them.
        Raw.SetName(_name);
        _arguments.Overwrite(_name); // the monitor's tell where things are on the host
        Raw.Close(reportFd);
        Raw.Close(0);
        Raw.Close(1);
        Raw.Close(2);
        while (true)
        {
            var signal = Raw.Sigwait(ulong.MaxValue);
            if (signal != (int)Raw.SIGCHLD)
            {
                Raw.Kill(child, signal);
                continue;
            }

            int pid;
            while ((pid = Raw.Wait(-1, noHang: true, out var status)) > 0)
            {
                if (pid == child)
                {
                    Raw.Exit(WaitStatus.ExitCode(status));
                }
            }
        }
    }
}

/// <summary>The status word of wait(2).</summary>
public static class WaitStatus
{
    /// <summary>The exit code, or 128 and the signal's number.</summary>
    public static int ExitCode(int status) => (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
}
