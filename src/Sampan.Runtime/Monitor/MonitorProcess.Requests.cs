using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>What clients ask of a monitor.</summary>
public sealed partial class MonitorProcess
{
    /// <summary>Bytes have come from a client.</summary>
    private void Serve(Connection connection)
    {
        var read = Raw.Read(connection.Fd, _buffer);
        if (read == -Errno.EAGAIN)
        {
            return;
        }

        if (read <= 0)
        {
            if (connection.WantsStdin && !connection.InputEnded)
            {
                connection.Hub?.EndInput();
            }

            connection.EndInput();
            return;
        }

        ReadOnlySpan<byte> data = _buffer.AsSpan(0, read);
        if (connection.IsReadingRequest)
        {
            Answer(connection, ref data);
        }

        if (connection.WantsStdin && !data.IsEmpty)
        {
            connection.Hub?.TakeInput(data);
        }
    }

    private void Accept()
    {
        int fd;
        while ((fd = UnixSocket.Accept(_listener)) >= 0)
        {
            if (_connections.Count < ConnectionLimit)
            {
                _connections.Add(new Connection(fd, _serve));
            }
            else
            {
                Raw.Close(fd);
            }
        }
    }

    private void Answer(Connection connection, ref ReadOnlySpan<byte> data)
    {
        _trimAt = Environment.TickCount64 + TrimMs;
        MonitorReply reply;
        MonitorRequest? request = null;
        try
        {
            request = connection.Take(data, out data);
            if (request is null)
            {
                return;
            }

            reply = Handle(connection, request);
        }
        catch (Exception e)
        {
            data = [];
            reply = new MonitorReply { Error = MonitorError.Of(e) };
        }

        connection.CloseWhenSent = connection is { Hub: null, IsSubscriber: false };
        connection.Send(MonitorJson.Line(reply));
        connection.Hub?.Attach(connection);
        if (reply.Error is { } error && request?.Op == "start" && _startedAt == 0)
        {
            // A container whose program could not be executed has ended before it began.
            RecordExit(error.ExitCode, error.Message);
        }
    }

    private MonitorReply Handle(Connection connection, MonitorRequest request)
    {
        switch (request.Op)
        {
            case "state":
                connection.IsSubscriber = request.Subscribe && _exit is null;
                break;
            case "start":
                RequireState(started: false);
                _container.Start();
                _startedAt = Timestamp.Now();
                break;
            case "attach":
                (connection.WantsStdin, connection.WantsStdout, connection.WantsStderr) = (request.Stdin, request.Stdout, request.Stderr);
                connection.Hub = _hub;
                break;
            case "exec":
                RequireState(started: true);
                return StartExec(connection, request);
            case "resize":
                Resize(request);
                break;
            case "signal":
                RequireState(started: null);
                if (request.ExecId is null) _container.Signal(request.Signal);
                else _execs.Find(e => e.Id == request.ExecId)?.Signal(request.Signal);
                break;
            case "pause" or "resume":
                RequireState(started: true);
                _container.Cgroup.Freeze(request.Op == "pause");
                break;
            case "shutdown":
                RequireState(started: null);
                Shutdown();
                break;
            default:
                throw new ArgumentException($"unknown request \"{request.Op}\"");
        }

        return State();
    }

    /// <summary>Refuses what does not fit the container's state.</summary>
    private void RequireState(bool? started)
    {
        if (_hub.HasExited || _exit is not null)
        {
            throw new InvalidOperationException("container has ended");
        }

        if (started is { } wanted && wanted != (_startedAt != 0))
        {
            throw new InvalidOperationException(wanted ? "container is not started" : "container is started already");
        }
    }

    private MonitorReply State()
    {
        var execs = new List<ExecState>(_endedExecs);
        foreach (var exec in _execs)
        {
            execs.Add(new ExecState(exec.Id, exec.Pid, exec.ExitCode));
        }

        return new MonitorReply
        {
            Pid = _container.Pid,
            StartedAt = _startedAt,
            Exit = _exit,
            Execs = execs.Count > 0 ? execs : null,
            LogLostLines = _log?.LostLines ?? 0,
            LogError = _log?.LastError,
        };
    }

    private void Resize(MonitorRequest request)
    {
        var terminal = (request.ExecId is null ? _hub : _execs.Find(e => e.Id == request.ExecId)?.Hub)?.TerminalFd ?? -1;
        if (terminal < 0)
        {
            throw new InvalidOperationException(request.ExecId is null ? "container has no terminal" : $"exec {request.ExecId} has no terminal");
        }

        var result = Raw.SetWindowSize(terminal, request.Rows, request.Columns);
        if (result < 0)
        {
            throw new SyscallException("ioctl", $"TIOCSWINSZ {request.Rows}x{request.Columns}", -result);
        }
    }

    private MonitorReply StartExec(Connection connection, MonitorRequest request)
    {
        if (request.Process is not { } process || request.ExecId is not { Length: > 0 } id)
        {
            throw new ArgumentException("exec without a process or an id");
        }

        if (_execs.Exists(e => e.Id == id))
        {
            throw new InvalidOperationException($"exec {id} runs already");
        }

        process.OomScoreAdj ??= _spec.Process!.OomScoreAdj;
        var streams = new StreamPipes(request.Terminal, request.Stdin, process.User.Uid);
        try
        {
            var started = _container.Exec(process, new ExecOptions(streams.ChildStdin, streams.ChildStdout, streams.ChildStderr, request.Terminal, request.Rows, request.Columns));
            var hub = streams.ToHub(started.TerminalFd, stdinOnce: true, null, _buffer);
            _execs.Add(new ExecSession(id, started, hub));
            (connection.WantsStdin, connection.WantsStdout, connection.WantsStderr) = (request.Stdin, request.Stdout, request.Stderr);
            connection.Hub = hub;
            return new MonitorReply { Pid = started.Pid, StartedAt = Timestamp.Now() };
        }
        catch
        {
            streams.CloseAll();
            throw;
        }
    }
}
