using System.Text.Json;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// The process that looks after one container and outlives the daemon: it makes the container, keeps its streams, writes its log, takes
/// its exit code, and serves <see cref="MonitorRequest"/>s on a socket. One thread, one loop over poll(2): it forks, and a forked .NET
/// child is only safe where no other managed thread exists. Once the container runs it allocates next to nothing.
/// </summary>
public sealed partial class MonitorProcess : IPollOwner
{
    /// <summary>The launcher's socket: it reads the first line from it and keeps it as a subscription.</summary>
    private const int LauncherFd = 3;

    /// <summary>In milliseconds: for a container that nobody starts, for clients that have connected but not asked when it ends, and for
    /// execs outside its pid namespace to be gone after it.</summary>
    private const int UnstartedMs = 60_000, LateRequestMs = 1000, ExecsMs = 2000;

    /// <summary>Below the daemon's, so that want of memory takes the container's processes first.</summary>
    private const string OomScoreAdj = "-500";

    /// <summary>How long it is quiet after a request until the heap is given back, in milliseconds.</summary>
    private const int TrimMs = 500;

    private const int ConnectionLimit = 512, EndedExecLimit = 64;

    private readonly MonitorConfig _config;
    private readonly Spec _spec;
    private readonly ContainerProcess _container;
    private readonly StreamHub _hub;
    private readonly LogWriter? _log;
    private readonly PollSet _set = new();
    private readonly List<Connection> _connections = [];
    private readonly List<ExecSession> _execs = [];
    private readonly List<ExecState> _endedExecs = [];
    private readonly byte[] _buffer = new byte[MonitorFrames.HeadLength + MonitorFrames.PayloadLimit];
    private readonly Action<Connection> _serve;
    private int _listener;
    private long _trimAt = long.MaxValue;
    private long _startedAt;
    private long _deserted = Environment.TickCount64;
    private long _exitedAt;
    private bool _discard;
    private ExitInfo? _exit;

    private MonitorProcess(MonitorConfig config)
    {
        _serve = Serve;
        _config = config.CgroupPath.Trim('/').Length > 0 ? config : throw new ArgumentException("monitor.json has no cgroup path");
        _spec = ReadJson(Path.Combine(config.RunDirectory, "config.json"), RuntimeJson.Default.Spec);
        var process = _spec.Process ?? throw new ArgumentException("config.json has no process");

        // Else it would inherit ours.
        process.OomScoreAdj ??= 0;
        _log = config.LogPath is { } path ? new LogWriter(path, config.LogMaxBytes, config.LogMaxFiles) : null;
        var streams = new StreamPipes(config.Terminal, config.OpenStdin, process.User.Uid);
        _container = ContainerProcess.Create(_spec, new CreateOptions
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
        try
        {
            _hub = streams.ToHub(_container.TerminalFd, config.StdinOnce, _log, _buffer);
            _listener = UnixSocket.Listen(SocketPath);
        }
        catch
        {
            _container.Signal(SignalDisposition.SIGKILL);
            RemoveCgroup();
            throw;
        }
    }

    private string SocketPath => Path.Combine(_config.RunDirectory, "monitor.sock");

    /// <summary>The whole life of a monitor. The exit status says whether a container was made.</summary>
    public static int Run(string runDirectory)
    {
        if (!UnixSocket.IsStream(LauncherFd))
        {
            return 2;
        }

        // :: 1 a process that nobody but its container ends
        FileDescriptor.SetCloseOnExec(LauncherFd);
        FileDescriptor.SetNonBlocking(LauncherFd);
        foreach (var signal in (ReadOnlySpan<int>)[SignalDisposition.SIGHUP, SignalDisposition.SIGINT, SignalDisposition.SIGQUIT, SignalDisposition.SIGTERM, SignalDisposition.SIGPIPE])
        {
            SignalDisposition.Ignore(signal);
        }

        WriteOwn("comm", "sampan-monitor");
        WriteOwn("oom_score_adj", OomScoreAdj);

        // :: 2 the container
        MonitorProcess monitor;
        try
        {
            monitor = new MonitorProcess(ReadJson(Path.Combine(runDirectory, "monitor.json"), MonitorJson.Default.MonitorConfig));
        }
        catch (Exception e)
        {
            UnixSocket.Send(LauncherFd, MonitorJson.Line(new MonitorReply { Error = MonitorError.Of(e) }));
            return 1;
        }

        // :: 3 the loop, until the container has ended and everyone has been told
        var launcher = Connection.Launcher(LauncherFd, monitor._serve);
        monitor._connections.Add(launcher);
        launcher.Send(MonitorJson.Line(monitor.State()));
        monitor.Guard();
        return 0;
    }

    void IPollOwner.OnReady(int fd, short events)
    {
        if (fd == _listener)
        {
            Accept();
        }
        else if (!_hub.HasExited && Raw.Wait(_container.Pid, noHang: true, out var status) == _container.Pid)
        {
            _hub.Exit(WaitStatus.ExitCode(status), Environment.TickCount64 + ExecSession.DrainMs);
        }
    }

    /// <summary>A failure of the monitor's own must not leave a container that nobody looks after.</summary>
    private void Guard()
    {
        try
        {
            Loop();
        }
        catch (Exception e) when (_exit is null)
        {
            RecordExit(128 + SignalDisposition.SIGKILL, $"the monitor failed, the container was killed: {e}");
            Loop();
        }
    }

    private void Loop()
    {
        while (true)
        {
            _set.Clear();
            Collect();
            if (!_set.Wait(NextTimeout()) && Environment.TickCount64 >= _trimAt)
            {
                Trim();
            }

            if (Settle(Environment.TickCount64))
            {
                return;
            }
        }
    }

    /// <summary>
    /// Reading the spec and the requests has filled a heap that an idle monitor never needs again. It is given back when nothing is waiting
    /// for it.
    /// </summary>
    private void Trim()
    {
        _trimAt = long.MaxValue;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    /// <summary>What to wait for.</summary>
    private void Collect()
    {
        if (_listener >= 0)
        {
            _set.Add(_listener, Poll.POLLIN, this);
        }

        if (!_hub.HasExited)
        {
            _set.Add(_container.PidFd, Poll.POLLIN, this);
        }

        _hub.Collect(_set);
        foreach (var exec in _execs)
        {
            exec.Collect(_set);
        }

        foreach (var connection in _connections)
        {
            connection.Collect(_set);
        }
    }

    /// <summary>Milliseconds until the next thing that is due by time alone; -1 for none. What is due is done by <see cref="Settle"/>.</summary>
    private int NextTimeout()
    {
        var now = Environment.TickCount64;
        var next = Math.Min(_hub.DrainDeadline, _trimAt);
        if (IsUnstarted && _deserted != 0)
        {
            next = Math.Min(next, _deserted + UnstartedMs);
        }

        foreach (var exec in _execs)
        {
            next = Math.Min(next, _exit is null ? exec.Hub.DrainDeadline : _exitedAt + ExecsMs);
        }

        foreach (var connection in _connections)
        {
            next = connection.Pending > 0 ? Math.Min(next, connection.ProgressAt + StallMs) : next;
            next = IsLate(connection, now) ? Math.Min(next, _exitedAt + LateRequestMs) : next;
        }

        return next == long.MaxValue ? -1 : (int)Math.Clamp(next - now, 0, int.MaxValue);
    }

    private bool IsUnstarted => _startedAt == 0 && _exit is null && !_discard;

    /// <summary>It has connected before the container ended and may still ask.</summary>
    private bool IsLate(Connection connection, long now) => _exit is not null && connection.IsReadingRequest && now < _exitedAt + LateRequestMs;

    private long StallMs => Math.Max(1, _config.AttachStallSeconds) * 1000L;

    private static void WriteOwn(string file, string value)
    {
        try
        {
            var fd = FileDescriptor.Open("/proc/self/" + file, Raw.O_WRONLY);

            // Without the right to it (CAP_SYS_RESOURCE) the value stays as it was inherited.
            Raw.Write(fd, Bytes.FromText(value));
            Raw.Close(fd);
        }
        catch (SyscallException)
        {
            // A kernel without it, or a masked /proc: nothing that the container would miss.
        }
    }

    private static T ReadJson<T>(string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), type) ?? throw new JsonException("it holds null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{path}': {e.Message}", e);
        }
    }
}
