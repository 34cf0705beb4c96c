using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>What happens when something of a monitor ends: an exec, a client, the container, the monitor itself.</summary>
public sealed partial class MonitorProcess
{
    /// <summary>After each round: finish what has ended, drop what is dead. True when nothing is left to do.</summary>
    private bool Settle(long now)
    {
        FinishExecs(now);
        if (_hub.HasExited && _exit is null && (_hub.OutputEnded || now >= _hub.DrainDeadline))
        {
            RecordExit(_hub.ExitCode, "");
        }

        if (_exit is not null && _execs.Count > 0 && now >= _exitedAt + ExecsMs)
        {
            // They were killed with the cgroup; what is left cannot die (state D) and is nobody's to wait for.
            _execs.ForEach(e => e.Hub.Finish());
            _execs.Clear();
        }

        DropConnections(now);
        if (IsUnstarted && _deserted != 0 && now >= _deserted + UnstartedMs)
        {
            Discard();
        }

        return _exit is not null && _execs.Count == 0 && !HasUnfinishedConnection(now);
    }

    /// <summary>Ends a container that was never started; nothing is remembered of it.</summary>
    private void Discard()
    {
        _discard = true;
        _container.Signal(SignalDisposition.SIGKILL);
    }

    private void FinishExecs(long now)
    {
        for (var i = _execs.Count - 1; i >= 0; i--)
        {
            var exec = _execs[i];
            if (exec.TryFinish(now))
            {
                _execs.RemoveAt(i);
                if (_endedExecs.Count == EndedExecLimit)
                {
                    _endedExecs.RemoveAt(0);
                }

                _endedExecs.Add(new ExecState(exec.Id, exec.Pid, exec.ExitCode));
            }
        }
    }

    private void DropConnections(long now)
    {
        var subscribed = false;
        for (var i = _connections.Count - 1; i >= 0; i--)
        {
            var connection = _connections[i];
            if (connection.IsDead || (connection.Pending > 0 && now >= connection.ProgressAt + StallMs))
            {
                connection.Hub?.Detach(connection);
                Raw.Close(connection.Fd);
                _connections.RemoveAt(i);
                _trimAt = now + TrimMs;
                continue;
            }

            subscribed |= connection.IsSubscriber;
        }

        _deserted = subscribed ? 0 : _deserted == 0 ? now : _deserted;
    }

    private bool HasUnfinishedConnection(long now)
    {
        foreach (var connection in _connections)
        {
            if (connection.Pending > 0 || IsLate(connection, now))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// The container has ended: (1) its group, (2) the exit status on disk, (3) everyone is told, (4) the disk has it for good.
    /// A client that is told finds the group and the socket gone, and may start the container again at once.
    /// </summary>
    private void RecordExit(int code, string error)
    {
        // :: 1 the group
        var oomKilled = _container.Cgroup.OomKilled();
        error = RemoveCgroup() is { } failure ? (error.Length > 0 ? error + "; " : "") + failure : error;

        // :: 2 the exit status
        _exit = new ExitInfo { ExitCode = code, OomKilled = oomKilled, StartedAt = _startedAt, FinishedAt = Timestamp.Now(), Error = error };
        _exitedAt = Environment.TickCount64;
        if (!_discard)
        {
            Try("exit status", () => ExitFile.Write(_config.ExitPath, _exit));
        }

        // :: 3 everyone; who is in the queue of the socket is still answered
        Accept();
        Raw.Close(_listener);
        _listener = -1;
        Try("socket", () => FileDescriptor.Unlink(SocketPath));
        _hub.SetExit(code);
        _hub.Finish();
        var line = MonitorJson.Line(new MonitorReply { Pid = _container.Pid, StartedAt = _startedAt, Exit = _exit });
        foreach (var connection in _connections)
        {
            if (connection.IsSubscriber)
            {
                connection.Send(line);
            }
        }

        // :: 4 for good
        if (!_discard)
        {
            Try("exit status", () => ExitFile.Sync(_config.ExitPath));
        }
    }

    /// <summary>Kills what is left of the container outside its pid namespace, and removes the group; what failed, or null.</summary>
    private string? RemoveCgroup()
    {
        try
        {
            _container.Cgroup.KillAll();
            _container.Cgroup.Remove();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SyscallException)
        {
            return $"remove cgroup '{_config.CgroupPath}': {e.Message}";
        }
    }

    /// <summary>A step that must not keep the others from being done: its failure becomes part of what is told.</summary>
    private void Try(string what, Action step)
    {
        try
        {
            step();
        }
        catch (SyscallException e)
        {
            _exit!.Error = (_exit.Error.Length > 0 ? _exit.Error + "; " : "") + $"{what}: {e.Message}";
        }
    }
}
