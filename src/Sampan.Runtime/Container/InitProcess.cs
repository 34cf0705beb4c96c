using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// <c>--init</c>: PID 1 is this forked child itself, so no init program has to be in the image. It starts the program, passes signals on,
/// reaps what others leave, and ends with the program's status.
/// </summary>
internal static class InitProcess
{
    private const int SIG_SETMASK = 2;

    /// <summary>Comes back only when the program could not be started in this process's child, which reports it itself.</summary>
    public static (SetupStep, int) Run(ProcessPlan process, int reportFd)
    {
        Raw.Sigprocmask(SIG_SETMASK, ulong.MaxValue);
        var child = Raw.Clone(0, out _);
        if (child < 0)
        {
            return (SetupStep.Exec, -child);
        }

        if (child == 0)
        {
            return process.Execute();
        }

        // The monitor sees the end of the pipe when the program's own copy closes at its execve. Standard streams are the program's.
        Raw.CloseRange(0, onExec: false);
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
