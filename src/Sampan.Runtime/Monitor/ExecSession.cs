using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>A program that was started in the running container, until it has ended and its output with it.</summary>
internal sealed class ExecSession(string id, ExecProcess process, StreamHub hub) : IPollOwner
{
    /// <summary>How long output may go on that something else has inherited, in milliseconds.</summary>
    public const int DrainMs = 2000;

    public string Id { get; } = id;

    public int Pid { get; } = process.Pid;

    public StreamHub Hub { get; } = hub;

    /// <summary>Null while it runs.</summary>
    public int? ExitCode { get; private set; }

    public void Collect(PollSet set)
    {
        if (ExitCode is null)
        {
            set.Add(process.PidFd, Poll.POLLIN, this);
        }

        Hub.Collect(set);
    }

    /// <summary>The process has ended. It must be reaped even while the container ends: PID 1 waits for it.</summary>
    public void OnReady(int fd, short events)
    {
        if (ExitCode is null && Raw.Wait(Pid, noHang: true, out var status) == Pid)
        {
            ExitCode = WaitStatus.ExitCode(status);
            Raw.Close(process.PidFd);
            Hub.Exit(ExitCode.Value, Environment.TickCount64 + DrainMs);
        }
    }

    /// <summary>Signals the program unless it has ended.</summary>
    public void Signal(int signal)
    {
        if (ExitCode is null)
        {
            _ = Raw.PidfdSendSignal(process.PidFd, signal);
        }
    }

    /// <summary>True when nothing more is to come; the clients have been told then.</summary>
    public bool TryFinish(long now)
    {
        if (!Hub.HasExited || (!Hub.OutputEnded && now < Hub.DrainDeadline))
        {
            return false;
        }

        Hub.Finish();
        return true;
    }
}
