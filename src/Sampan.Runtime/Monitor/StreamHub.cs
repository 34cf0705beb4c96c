using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// The standard streams of one process: its input from whoever is attached, its output to the log and to everyone attached. A client
/// that does not read holds the process up once <see cref="ClientLimit"/> is pending, as a full pipe would; one that goes away does not.
/// </summary>
internal sealed class StreamHub(int stdinFd, int stdoutFd, int stderrFd, bool terminal, LogWriter? log, byte[] buffer) : IPollOwner
{
    /// <summary>Bytes that may wait for one client.</summary>
    public const int ClientLimit = 1 << 20;

    /// <summary>
    /// What is still read for slow clients after the process has ended: all that its pipes can hold, so that the log is whole and the exit
    /// code waits for nobody, but not the output without end of someone who has inherited them.
    /// </summary>
    private const int DrainLimit = 2 << 20;

    private readonly List<Connection> _clients = [];
    private readonly ByteQueue _input = new();
    private int _stdin = stdinFd, _stdout = stdoutFd, _stderr = stderrFd;
    private int _drained;
    private bool _inputEnds;

    public bool OutputEnded => _stdout < 0 && _stderr < 0;

    public bool MayTakeInput => _input.Count == 0;

    /// <summary>The input is closed with the first client that ends its own.</summary>
    public bool StdinOnce { get; init; }

    public bool HasExited { get; private set; }

    public bool IsFinished { get; private set; }

    public int ExitCode { get; private set; }

    /// <summary>After this tick count the output counts as ended, whoever still holds it.</summary>
    public long DrainDeadline { get; private set; } = long.MaxValue;

    /// <summary>The terminal while it is open; -1 without one.</summary>
    public int TerminalFd => terminal ? _stdout : -1;

    public void Attach(Connection client)
    {
        if (IsFinished)
        {
            client.SendExit(ExitCode);
            return;
        }

        _clients.Add(client);
    }

    public void Detach(Connection client)
    {
        if (_clients.Remove(client) && client is { WantsStdin: true, InputEnded: false })
        {
            EndInput();
        }
    }

    public void Collect(PollSet set)
    {
        var reads = MayReadOutput();
        var writes = _stdin >= 0 && _input.Count > 0;
        if (terminal)
        {
            var events = (short)((reads ? Poll.POLLIN : 0) | (writes ? Poll.POLLOUT : 0));
            if (_stdout >= 0 && events != 0)
            {
                set.Add(_stdout, events, this);
            }

            return;
        }

        if (writes)
        {
            set.Add(_stdin, Poll.POLLOUT, this);
        }

        if (reads && _stdout >= 0)
        {
            set.Add(_stdout, Poll.POLLIN, this);
        }

        if (reads && _stderr >= 0)
        {
            set.Add(_stderr, Poll.POLLIN, this);
        }
    }

    public void OnReady(int fd, short events)
    {
        if (fd == _stdin && (events & (Poll.POLLOUT | Poll.POLLERR)) != 0)
        {
            WriteInput();
        }

        if ((fd == _stdout || fd == _stderr) && MayReadOutput())
        {
            Pump(fd);
        }
    }

    public void TakeInput(ReadOnlySpan<byte> data)
    {
        if (_stdin >= 0 && !_inputEnds)
        {
            _input.Append(data[WriteSome(data, _input.Count == 0)..]);
            CloseEndedInput();
        }
    }

    /// <summary>A client has ended its input.</summary>
    public void EndInput()
    {
        // On a terminal the end of input is a character, which the client sends; the master must stay open for the output.
        if (StdinOnce && !terminal)
        {
            _inputEnds = true;
            CloseEndedInput();
        }
    }

    /// <summary>The process has ended: what its pipes hold is taken at once, whatever the clients do.</summary>
    public void Exit(int exitCode, long drainDeadline)
    {
        (HasExited, ExitCode, DrainDeadline) = (true, exitCode, drainDeadline);
        while (_stdout >= 0 && MayReadOutput() && Pump(_stdout))
        {
        }

        while (_stderr >= 0 && MayReadOutput() && Pump(_stderr))
        {
        }
    }

    /// <summary>Says how it ended when the process itself could not, as when it was never executed.</summary>
    public void SetExit(int exitCode) => ExitCode = exitCode;

    /// <summary>The process and its output have ended: the log is closed, the exit code goes last, then the clients are let go.</summary>
    public void Finish()
    {
        if (IsFinished)
        {
            return;
        }

        (IsFinished, HasExited, DrainDeadline) = (true, true, long.MaxValue);
        Drop(_stdout);
        Drop(_stderr);
        CloseInput();
        log?.Close();
        foreach (var client in _clients)
        {
            client.SendExit(ExitCode);
        }

        _clients.Clear();
    }

    private bool MayReadOutput()
    {
        foreach (var client in _clients)
        {
            if (client.Pending >= ClientLimit)
            {
                return HasExited && _drained < DrainLimit;
            }
        }

        return true;
    }

    /// <summary>Reads what one output has and passes it on; false when there is nothing now or no more.</summary>
    private bool Pump(int fd)
    {
        var read = Raw.Read(fd, buffer.AsSpan(MonitorFrames.HeadLength, MonitorFrames.PayloadLimit));
        if (read == -Errno.EAGAIN)
        {
            return false;
        }

        // A terminal whose last process is gone answers EIO.
        if (read <= 0)
        {
            Drop(fd);
            return false;
        }

        var stream = fd == _stdout ? MonitorFrames.Stdout : MonitorFrames.Stderr;
        _drained += HasExited ? read : 0;
        MonitorFrames.WriteHead(buffer, stream, read);
        log?.Write(stream, buffer.AsSpan(MonitorFrames.HeadLength, read));
        foreach (var client in _clients)
        {
            if (stream == MonitorFrames.Stdout ? client.WantsStdout : client.WantsStderr)
            {
                client.Send(buffer.AsSpan(0, MonitorFrames.HeadLength + read));
            }
        }

        return true;
    }

    private void WriteInput()
    {
        _input.Drop(WriteSome(_input.Head, true));
        CloseEndedInput();
    }

    /// <summary>Writes what the process takes now; all of it counts as taken once nobody reads any more.</summary>
    private int WriteSome(ReadOnlySpan<byte> data, bool mayWrite)
    {
        var sent = 0;
        while (mayWrite && sent < data.Length)
        {
            var written = Raw.Write(_stdin, data[sent..]);
            if (written == -Errno.EAGAIN)
            {
                break;
            }

            if (written < 0)
            {
                _inputEnds = true;
                return data.Length;
            }

            sent += written;
        }

        return sent;
    }

    private void CloseEndedInput()
    {
        if (_inputEnds && _input.Count == 0)
        {
            CloseInput();
        }
    }

    private void CloseInput()
    {
        if (_stdin >= 0 && !terminal)
        {
            Raw.Close(_stdin);
        }

        _stdin = -1;
        _input.Drop(_input.Count);
    }

    private void Drop(int fd)
    {
        if (fd < 0)
        {
            return;
        }

        Raw.Close(fd);
        (_stdout, _stderr) = (_stdout == fd ? -1 : _stdout, _stderr == fd ? -1 : _stderr);
        if (terminal)
        {
            CloseInput();
        }
    }
}
