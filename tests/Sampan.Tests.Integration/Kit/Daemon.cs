using System.Diagnostics;
using System.Net.Sockets;

namespace Sampan.Tests.Integration.Kit;

/// <summary>A daemon with roots and socket of its own on a <see cref="Machine"/>. Several fit on one machine.</summary>
public sealed class Daemon : IAsyncDisposable
{
    private readonly Machine _machine;
    private readonly bool _ownsMachine;
    private Running? _process;
    private (string Name, string Value)? _environment;

    private Daemon(Machine machine, bool ownsMachine, string name)
    {
        _machine = machine;
        _ownsMachine = ownsMachine;
        Folder = Path.Combine(machine.Folder, name);
        Directory.CreateDirectory(Folder);
        Docker = new Cli(Subject.Docker, Host);
        Sampan = new Cli(Subject.Sampan, Host);
    }

    /// <summary>The machine that the daemon runs on.</summary>
    public Machine Machine => _machine;

    /// <summary>The folder that holds the daemon's roots (<c>data</c>, <c>exec</c>) and socket.</summary>
    public string Folder { get; }

    /// <summary>The data root.</summary>
    public string DataRoot => Path.Combine(Folder, "data");

    /// <summary>The path of the socket.</summary>
    public string Socket => Path.Combine(Folder, "docker.sock");

    /// <summary>The socket as DOCKER_HOST wants it.</summary>
    public string Host => $"unix://{Socket}";

    /// <summary>Docker's command line.</summary>
    public Cli Docker { get; }

    /// <summary>Sampan's command line.</summary>
    public Cli Sampan { get; }

    /// <summary>The daemon's process id on the real machine.</summary>
    public int Pid { get; private set; }

    /// <summary>What the daemon has written to standard error.</summary>
    public string Log => _process?.ErrorSoFar ?? "";

    /// <summary>Starts a daemon on a machine of its own, with <c>busybox:latest</c> imported.</summary>
    public static async Task<Daemon> StartAsync(string? options = null)
    {
        Daemon daemon = await StartOnAsync(new Machine(), "d", options, ownsMachine: true);
        try
        {
            (await daemon.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
        return daemon;
    }

    /// <summary>Starts a daemon on a given machine, with nothing imported.</summary>
    /// <param name="environment">A variable on top of the test's own.</param>
    public static async Task<Daemon> StartOnAsync(Machine machine, string name, string? options = null, bool ownsMachine = false,
        (string Name, string Value)? environment = null)
    {
        var daemon = new Daemon(machine, ownsMachine, name) { _environment = environment };
        try
        {
            await daemon.LaunchAsync(options);
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
        return daemon;
    }

    /// <summary>Starts the daemon's process (again) and waits until it answers.</summary>
    public async Task LaunchAsync(string? options = null)
    {
        ProcessStartInfo command = Command(options);
        if (_environment is var (name, value))
            command.Environment[name] = value;
        _process = new Running(command);
        var watch = Stopwatch.StartNew();
        while (!await AnswersAsync())
        {
            if (_process.HasExited)
                throw new InvalidOperationException($"the daemon does not start: {await _process.ResultAsync()}");
            if (watch.Elapsed > Patience.Seconds(60))
                throw new TimeoutException($"the daemon does not answer within 60 s:\n{Log}");
            await Task.Delay(5);
        }
        ReadyAfter = watch.Elapsed;
        Pid = Machine.ChildOf(_process.Pid) ?? throw new InvalidOperationException("the daemon's process is gone");
    }

    /// <summary>The time from the start of the process to its first answer.</summary>
    public TimeSpan ReadyAfter { get; private set; }

    /// <summary>The command that starts a daemon with this one's roots; for tests of start-up errors.</summary>
    public ProcessStartInfo Command(string? options = null)
    {
        string[] common =
        [
            "--data-root", DataRoot, "--exec-root", Path.Combine(Folder, "exec"),
            "--pidfile", Path.Combine(Folder, "pid"), "-H", Host, .. Words.Split(options ?? ""),
            .. Words.Split(Environment.GetEnvironmentVariable("SAMPAN_TEST_DAEMON_OPTIONS") ?? ""),
        ];
        if (!Subject.IsReference)
            return _machine.Inside(Subject.Sampan, ["daemon", .. common]);
        ProcessStartInfo start = _machine.Inside("dockerd", common);
        start.Environment["PATH"] = Subject.ReferenceBin + ":" + Environment.GetEnvironmentVariable("PATH");
        return start;
    }

    /// <summary>Kills the daemon's process alone, as a crash would.</summary>
    public async Task KillAsync()
    {
        Native.Kill(Pid, Native.SIGKILL);
        await _process!.ResultAsync();
        // dockerd writes its pid file but does not lock it: a stale one would be taken for a running daemon.
        if (Subject.IsReference)
            File.Delete(Path.Combine(Folder, "pid"));
    }

    /// <summary>Asks the daemon to end and returns its exit code.</summary>
    public async Task<CommandResult> StopAsync()
    {
        Native.Kill(Pid, Native.SIGTERM);
        return await _process!.ResultAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_ownsMachine)
            _machine.Dispose();
        else if (Pid != 0)
            Native.Kill(Pid, Native.SIGKILL);
        if (_process is not null)
            await _process.DisposeAsync();
    }

    private async Task<bool> AnswersAsync()
    {
        if (!File.Exists(Socket))
            return false;
        try
        {
            using var api = new RawApi(Socket);
            return (await api.GetAsync("/_ping")).Status == 200;
        }
        catch (Exception e) when (e is HttpRequestException or SocketException)
        {
            return false;
        }
    }
}
