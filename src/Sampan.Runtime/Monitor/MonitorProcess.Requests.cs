using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>What clients ask of a monitor.</summary>
public sealed partial class MonitorProcess
{
    private void Accept()
    {
        int fd;
        while ((fd = Descriptors.Accept(_listener)) >= 0)
        {
            _connections.Add(new Connection(fd));
        }
    }

    private void Serve(Connection connection)
    {
        connection.Flush();
        if (connection.IsDead || connection.InputEnded)
        {
            // Input was ended before: an event without pending output is the client's hang-up.
            connection.IsDead |= connection.Pending == 0 && connection.Hub is null;
            return;
        }

        var read = Raw.Read(connection.Fd, _buffer);
        if (read == -Errno.EAGAIN)
        {
            return;
        }

        if (read <= 0)
        {
            InputEnded(connection, read);
            return;
        }

        ReadOnlySpan<byte> data = _buffer.AsSpan(0, read);
        if (connection.IsReadingRequest)
        {
            if (connection.Take(data, out data) is { } request)
            {
                Answer(connection, request);
            }
        }

        if (connection.WantsStdin && !data.IsEmpty)
        {
            connection.Hub?.TakeInput(data);
        }
    }

    private static void InputEnded(Connection connection, int read)
    {
        connection.InputEnded = true;
        if (connection.WantsStdin)
        {
            connection.Hub?.EndInput();
        }

        // Without streams to wait for there is nothing more to say to it.
        connection.IsDead = read < 0 || connection.Hub is null;
    }

    private void Answer(Connection connection, MonitorRequest request)
    {
        MonitorReply reply;
        try
        {
            reply = Handle(connection, request);
        }
        catch (Exception e)
        {
            reply = new MonitorReply { Error = MonitorError.Of(e) };
        }

        connection.CloseWhenSent = connection is { Hub: null, IsSubscriber: false };
        var attached = connection.Hub;
        connection.Send(MonitorJson.Line(reply));
        attached?.Attach(connection);
        if (reply.Error is { } error && request.Op == "start")
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
                return State();
            case "start":
                _container.Start();
                _startedAt = Timestamp.Now();
                return State();
            case "attach":
                (connection.WantsStdin, connection.WantsStdout, connection.WantsStderr) = (request.Stdin, request.Stdout, request.Stderr);
                connection.Hub = _hub;
                return State();
            case "exec":
                return StartExec(connection, request);
            case "resize":
                var terminal = request.ExecId is null ? _container.TerminalFd : _execs.GetValueOrDefault(request.ExecId)?.TerminalFd ?? -1;
                Raw.SetWindowSize(terminal, request.Rows, request.Columns);
                return State();
            case "signal":
                _container.Signal(request.Signal);
                return State();
            case "shutdown":
                _container.Signal(9);
                return State();
            default:
                throw new ArgumentException($"unknown request \"{request.Op}\"");
        }
    }

    private MonitorReply State() => new() { Pid = _container.Pid, StartedAt = _startedAt, Exit = _exit };

    private MonitorReply StartExec(Connection connection, MonitorRequest request)
    {
        var streams = new StreamPipes(request.Terminal, request.Stdin);
        try
        {
            var process = _container.Exec(request.Process!, new ExecOptions(streams.ChildStdin, streams.ChildStdout, streams.ChildStderr, request.Terminal, request.Rows, request.Columns));
            var hub = streams.ToHub(process.TerminalFd, stdinOnce: true, null);
            _execs.Add(request.ExecId!, new Exec(hub, process.Pid, process.PidFd, process.TerminalFd));
            (connection.WantsStdin, connection.WantsStdout, connection.WantsStderr) = (request.Stdin, request.Stdout, request.Stderr);
            connection.Hub = hub;
            return new MonitorReply { Pid = process.Pid, StartedAt = Timestamp.Now() };
        }
        catch
        {
            streams.CloseAll();
            throw;
        }
    }
}
