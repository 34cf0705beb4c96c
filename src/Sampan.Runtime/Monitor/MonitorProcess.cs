using System.Text.Json;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// The process that looks after one container and outlives the daemon: it makes the container, keeps its streams, writes its log, takes
/// its exit code, and serves <see cref="MonitorRequest"/>s on a socket. One thread, one loop over poll(2): it forks, and a forked .NET
/// child is only safe where no other managed thread exists.
/// </summary>
public sealed partial class MonitorProcess
{
    /// <summary>The launcher reads the first reply from this descriptor.</summary>
    private const int StatusFd = 3;

    private const int DrainMs = 2000, FarewellMs = 10_000;

    private readonly MonitorConfig _config;
    private readonly ContainerProcess _container;
    private readonly StreamHub _hub;
    private readonly int _listener;
    private readonly List<Connection> _connections = [];
    private readonly Dictionary<string, Exec> _execs = [];
    private readonly byte[] _buffer = new byte[64 * 1024];
    private long _startedAt;
    private ExitInfo? _exit;
    private bool _shutDown;
    private long _farewell = long.MaxValue;

    private sealed record Exec(StreamHub Hub, int Pid, int PidFd, int TerminalFd);

    private MonitorProcess(MonitorConfig config)
    {
        _config = config;
        var spec = JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(config.RunDirectory, "config.json")), RuntimeJson.Default.Spec)!;
        var log = config.LogPath is { } path ? new LogWriter(path, config.LogMaxBytes, config.LogMaxFiles) : null;
        var streams = new StreamPipes(config.Terminal, config.OpenStdin);
        _container = ContainerProcess.Create(spec, new CreateOptions
        {
            Overlay = config.Overlay,
            BundleDirectory = config.RunDirectory,
            StdinFd = streams.ChildStdin,
            StdoutFd = streams.ChildStdout,
            StderrFd = streams.ChildStderr,
            Terminal = config.Terminal,
            Rows = config.Rows,
            Columns = config.Columns,
            Init = config.Init,
            CgroupPath = config.CgroupPath,
        });
        _hub = streams.ToHub(_container.TerminalFd, config.StdinOnce, log);
        _listener = Descriptors.ListenUnix(Path.Combine(config.RunDirectory, "monitor.sock"));
    }

    /// <summary>The whole life of a monitor. The exit status says whether a container was made.</summary>
    public static int Run(string runDirectory)
    {
        MonitorProcess monitor;
        try
        {
            var config = JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(runDirectory, "monitor.json")), MonitorJson.Default.MonitorConfig)!;
            monitor = new MonitorProcess(config);
        }
        catch (Exception e)
        {
            Raw.Write(StatusFd, MonitorJson.Line(new MonitorReply { Error = MonitorError.Of(e) }));
            return 1;
        }

        Raw.Write(StatusFd, MonitorJson.Line(new MonitorReply { Pid = monitor._container.Pid }));
        Raw.Close(StatusFd);
        monitor.Loop();
        return 0;
    }

    private void Loop()
    {
        var fds = new List<PollFd>();
        var actions = new List<Action>();
        while (!_shutDown)
        {
            fds.Clear();
            actions.Clear();
            Collect((fd, events, action) =>
            {
                fds.Add(new PollFd { Fd = fd, Events = events });
                actions.Add(action);
            });
            var ready = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(fds);
            Descriptors.Poll(ready, NextTimeout());
            for (var i = 0; i < ready.Length; i++)
            {
                if (ready[i].Revents != 0)
                {
                    actions[i]();
                }
            }

            Settle();
        }
    }

    /// <summary>What to wait for.</summary>
    private void Collect(Action<int, short, Action> add)
    {
        add(_listener, Descriptors.POLLIN, Accept);
        if (_exit is null)
        {
            add(_container.PidFd, Descriptors.POLLIN, ContainerEnded);
        }

        CollectHub(_hub, add);
        foreach (var exec in _execs.Values)
        {
            if (!exec.Hub.HasExited)
            {
                add(exec.PidFd, Descriptors.POLLIN, () => ExecEnded(exec));
            }

            CollectHub(exec.Hub, add);
        }

        foreach (var connection in _connections)
        {
            var reads = connection.IsReadingRequest || (!connection.InputEnded && (connection.Hub?.MayTakeInput ?? true));
            var events = (short)((reads ? Descriptors.POLLIN : 0) | (connection.Pending > 0 ? Descriptors.POLLOUT : 0));
            add(connection.Fd, events, () => Serve(connection));
        }
    }

    private void CollectHub(StreamHub hub, Action<int, short, Action> add)
    {
        if (hub.HasInput)
        {
            add(hub.StdinFd, Descriptors.POLLOUT, hub.WriteInput);
        }

        if (hub.MayReadOutput)
        {
            foreach (var (fd, _) in hub.Outputs)
            {
                add(fd, Descriptors.POLLIN, () => hub.Pump(fd, _buffer));
            }
        }
    }

    private int NextTimeout()
    {
        var next = Math.Min(_farewell, _hub.DrainDeadline);
        foreach (var exec in _execs.Values)
        {
            next = Math.Min(next, exec.Hub.DrainDeadline);
        }

        return next == long.MaxValue ? -1 : (int)Math.Clamp(next - Environment.TickCount64, 0, FarewellMs);
    }

    /// <summary>After each round: finish what has ended, drop what is dead, and go when nothing is left to do.</summary>
    private void Settle()
    {
        var now = Environment.TickCount64;
        foreach (var (id, exec) in _execs.ToArray())
        {
            if (exec.Hub.HasExited && (exec.Hub.OutputEnded || now >= exec.Hub.DrainDeadline))
            {
                exec.Hub.Finish();
                Raw.Close(exec.PidFd);
                _execs.Remove(id);
            }
        }

        if (_hub.HasExited && _exit is null && (_hub.OutputEnded || now >= _hub.DrainDeadline))
        {
            RecordExit(_hub.ExitCode, "");
        }

        foreach (var dead in _connections.Where(c => c.IsDead).ToArray())
        {
            dead.Hub?.Detach(dead);
            Raw.Close(dead.Fd);
            _connections.Remove(dead);
        }

        if (_exit is not null && (_connections.TrueForAll(c => c.Pending == 0) || now >= _farewell))
        {
            _shutDown = true;
            File.Delete(Path.Combine(_config.RunDirectory, "monitor.sock"));
        }
    }

    private void ContainerEnded()
    {
        Raw.Wait(_container.Pid, noHang: false, out var status);
        _hub.ExitCode = WaitStatus.ExitCode(status);
        _hub.HasExited = true;
        _hub.DrainDeadline = Environment.TickCount64 + DrainMs;
        if (_hub.OutputEnded)
        {
            RecordExit(_hub.ExitCode, "");
        }
    }

    private static void ExecEnded(Exec exec)
    {
        Raw.Wait(exec.Pid, noHang: false, out var status);
        exec.Hub.ExitCode = WaitStatus.ExitCode(status);
        exec.Hub.HasExited = true;
        exec.Hub.DrainDeadline = Environment.TickCount64 + DrainMs;
    }

    /// <summary>The exit status is on disk before anyone is told.</summary>
    private void RecordExit(int code, string error)
    {
        _exit = new ExitInfo
        {
            ExitCode = code,
            OomKilled = _container.Cgroup.OomKilled(),
            StartedAt = _startedAt,
            FinishedAt = Timestamp.Now(),
            Error = error,
        };
        _hub.DrainDeadline = long.MaxValue;
        _farewell = Environment.TickCount64 + FarewellMs;
        using (var file = new FileStream(_config.ExitPath + ".tmp", FileMode.Create, FileAccess.Write, FileShare.None, 0))
        {
            file.Write(JsonSerializer.SerializeToUtf8Bytes(_exit, MonitorJson.Default.ExitInfo));
        }

        File.Move(_config.ExitPath + ".tmp", _config.ExitPath, overwrite: true);
        _container.Cgroup.KillAll();
        _container.Cgroup.Remove();
        _hub.Finish();
        foreach (var connection in _connections.Where(c => c.IsSubscriber))
        {
            connection.CloseWhenSent = true;
            connection.Send(MonitorJson.Line(new MonitorReply { Exit = _exit }));
        }
    }
}
