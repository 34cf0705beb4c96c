using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>The pipes of a process without a terminal; with one, none.</summary>
internal sealed class StreamPipes
{
    /// <summary>Bytes; four times the kernel's default, so that writer, monitor and reader wake each other less often. Empty it costs nothing.</summary>
    private const int PipeLength = 256 * 1024;

    private readonly bool _terminal;
    private readonly int _stdin = -1, _stdout = -1, _stderr = -1;

    /// <param name="terminal">The child opens a terminal instead.</param>
    /// <param name="openStdin">A pipe for input; else it is /dev/null.</param>
    /// <param name="uid">Who the program runs as: it may open /dev/stdout again, which is the pipe.</param>
    public StreamPipes(bool terminal, bool openStdin, uint uid)
    {
        _terminal = terminal;
        if (terminal)
        {
            return;
        }

        (ChildStdin, _stdin) = openStdin ? Pipe.Create() : (FileDescriptor.Open("/dev/null", Raw.O_RDONLY), -1);
        (_stdout, ChildStdout) = Pipe.Create();
        (_stderr, ChildStderr) = Pipe.Create();
        foreach (var fd in (ReadOnlySpan<int>)[_stdin, _stdout, _stderr])
        {
            if (fd >= 0)
            {
                FileDescriptor.SetNonBlocking(fd);
                FileDescriptor.TrySetPipeSize(fd, PipeLength);
                Raw.Fchown(fd, uid, uint.MaxValue);
            }
        }
    }

    public int ChildStdin { get; } = -1;

    public int ChildStdout { get; } = -1;

    public int ChildStderr { get; } = -1;

    /// <summary>The child has its ends: ours become a hub.</summary>
    public StreamHub ToHub(int terminalFd, bool stdinOnce, LogWriter? log, byte[] buffer)
    {
        if (_terminal)
        {
            FileDescriptor.SetNonBlocking(terminalFd);
            return new StreamHub(terminalFd, terminalFd, -1, true, log, buffer) { StdinOnce = stdinOnce };
        }

        CloseChild();
        return new StreamHub(_stdin, _stdout, _stderr, false, log, buffer) { StdinOnce = stdinOnce };
    }

    public void CloseAll()
    {
        CloseChild();
        Close(_stdin);
        Close(_stdout);
        Close(_stderr);
    }

    private void CloseChild()
    {
        Close(ChildStdin);
        Close(ChildStdout);
        Close(ChildStderr);
    }

    private static void Close(int fd)
    {
        if (fd >= 0)
        {
            Raw.Close(fd);
        }
    }
}
