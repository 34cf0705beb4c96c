using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>The pipes of a process without a terminal; with one, none.</summary>
internal sealed class StreamPipes
{
    private readonly bool _terminal;
    private readonly int _stdin = -1, _stdout = -1, _stderr = -1;

    public StreamPipes(bool terminal, bool openStdin)
    {
        _terminal = terminal;
        if (terminal)
        {
            return;
        }

        (ChildStdin, _stdin) = openStdin ? Pipe.Create() : (Raw.Openat2(Raw.AT_FDCWD, CString.Of("/dev/null"), Raw.O_RDONLY | Raw.O_CLOEXEC, 0, 0), -1);
        (_stdout, ChildStdout) = Pipe.Create();
        (_stderr, ChildStderr) = Pipe.Create();
    }

    public int ChildStdin { get; } = -1;

    public int ChildStdout { get; } = -1;

    public int ChildStderr { get; } = -1;

    /// <summary>The child has its ends: ours become a hub.</summary>
    public StreamHub ToHub(int terminalFd, bool stdinOnce, LogWriter? log)
    {
        if (_terminal)
        {
            Descriptors.SetNonBlocking(terminalFd);
            return new StreamHub(terminalFd, [(terminalFd, 1)], true, log) { StdinOnce = stdinOnce };
        }

        CloseChild();
        foreach (var fd in (int[])[_stdin, _stdout, _stderr])
        {
            if (fd >= 0)
            {
                Descriptors.SetNonBlocking(fd);
            }
        }

        return new StreamHub(_stdin, [(_stdout, 1), (_stderr, 2)], false, log) { StdinOnce = stdinOnce };
    }

    public void CloseAll()
    {
        CloseChild();
        Raw.Close(_stdin);
        Raw.Close(_stdout);
        Raw.Close(_stderr);
    }

    private void CloseChild()
    {
        Raw.Close(ChildStdin);
        Raw.Close(ChildStdout);
        Raw.Close(ChildStderr);
    }
}
