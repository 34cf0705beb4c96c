using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// The daemon's hold on one container's monitor. All members may be called from any thread. Disposing lets go of the monitor: a started
/// container runs on, one that was never started is removed.
/// </summary>
public sealed class MonitorClient : IAsyncDisposable
{
    private static readonly TimeSpan ReplyTimeout = TimeSpan.FromSeconds(20), SetupTimeout = TimeSpan.FromSeconds(60);

    private readonly TaskCompletionSource<ExitInfo> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly MonitorConfig _config;
    private readonly ControlChannel _channel;
    private readonly int? _monitorPid;
    private volatile StartedInfo? _started;
    private volatile ExitInfo? _startFailure;
    private volatile bool _letGo;

    private MonitorClient(MonitorConfig config, MonitorSocket socket, int? launchedPid, StartedInfo? started)
    {
        (_config, _monitorPid, _started) = (config, launchedPid, started);
        _channel = new ControlChannel(socket, $"container {config.Id}", OnEvent, OnClosedAsync);
    }

    /// <summary>The monitor's configuration, as it was launched with.</summary>
    public MonitorConfig Config => _config;

    /// <summary>Null until the container's program runs.</summary>
    public StartedInfo? Started => _started;

    /// <summary>
    /// How the container ended. When the monitor is killed, this tells what exit.json says or, without one, that what was left of the
    /// container has been killed. When the start failed it tells so. Cancelled by disposing and by <see cref="ShutdownAsync"/>.
    /// </summary>
    public Task<ExitInfo> Exited => _exited.Task;

    /// <summary>Starts a monitor; on return the container is made and waits. config.json is in the run directory already.</summary>
    /// <param name="executable">Sampan's own, <c>/proc/self/exe</c>.</param>
    /// <exception cref="ContainerStartException">The container could not be made; nothing is left.</exception>
    public static async Task<MonitorClient> LaunchAsync(MonitorConfig config, string executable, CancellationToken ct)
    {
        var (socket, pid, state) = await MonitorLauncher.LaunchAsync(config, executable, ct);
        return new MonitorClient(config, socket, pid, state.Started);
    }

    /// <summary>Finds the monitor of a run directory again; null when none lives there (then see <see cref="SettleAsync"/>).</summary>
    public static async Task<MonitorClient?> ConnectAsync(string runDir, CancellationToken ct)
    {
        if (await MonitorSocket.ConnectAsync(runDir, ct) is not { } socket)
        {
            return null;
        }

        MonitorClient? client = null;
        try
        {
            client = new MonitorClient(MonitorLauncher.ReadConfig(runDir), socket, null, null);
            var state = await client._channel.RequestAsync(FrameType.Subscribe, [], FrameType.State, MonitorJson.Default.MonitorState, ReplyTimeout, ct);
            client._started = state.Started;
            return client;
        }
        catch (MonitorException e) when (e.Kind == MonitorErrorKind.Unreachable && client is { Exited.IsCompleted: true })
        {
            // It ended in the moment it was found.
            await client.DisposeAsync();
            return null;
        }
        catch
        {
            socket.Dispose();
            if (client is not null)
            {
                await client.DisposeAsync();
            }

            throw;
        }
    }

    /// <summary>
    /// How a container ended whose monitor is not there: what exit.json says; without one, kills what is left of the container and says that.
    /// </summary>
    public static Task<ExitInfo> SettleAsync(string runDir, CancellationToken ct) =>
        Task.Run(() => Settle(MonitorLauncher.ReadConfig(runDir)), ct);

    /// <summary>Lets the container's program run.</summary>
    /// <exception cref="ContainerStartException">It could not be executed; the container is gone.</exception>
    public async Task<StartedInfo> StartAsync(CancellationToken ct)
    {
        try
        {
            var started = await _channel.RequestAsync(FrameType.Start, [], FrameType.Started, MonitorJson.Default.StartedInfo, SetupTimeout, ct);
            _started = started;
            return started;
        }
        catch (ContainerStartException e)
        {
            _startFailure = new ExitInfo { ExitCode = e.ExitCode, FinishedAt = DateTimeOffset.UtcNow, Error = e.Message };
            _exited.TrySetResult(_startFailure);
            throw;
        }
    }

    /// <summary>Joins the container's streams; called before <see cref="StartAsync"/>, no output is missed.</summary>
    public async Task<MonitorStream> AttachAsync(AttachRequest request, CancellationToken ct)
    {
        var socket = await OpenStreamAsync(ct);
        try
        {
            await AskAsync(socket, FrameType.Attach, ControlCodec.Write(request, MonitorJson.Default.AttachRequest), FrameType.Ok, ct);
            return new MonitorStream(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Runs another program in the container; on return it has been executed.</summary>
    /// <exception cref="ContainerStartException">It could not be.</exception>
    public async Task<MonitorExec> ExecAsync(ExecRequest request, CancellationToken ct)
    {
        var socket = await OpenStreamAsync(ct);
        try
        {
            var reply = await AskAsync(socket, FrameType.Exec, ControlCodec.Write(request, MonitorJson.Default.ExecRequest), FrameType.ExecStarted, ct);
            return new MonitorExec(request.Id, ControlCodec.Read(reply, MonitorJson.Default.ExecStartedMessage).Pid, socket, request.Detach);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sets a terminal's size.</summary>
    /// <param name="execId">An exec's terminal, or null for the container's own.</param>
    /// <param name="height">Rows.</param>
    /// <param name="width">Columns.</param>
    public Task ResizeAsync(string? execId, int height, int width, CancellationToken ct) =>
        _channel.RequestAsync(FrameType.Resize, ControlCodec.Write(new ResizeMessage(execId, height, width), MonitorJson.Default.ResizeMessage), FrameType.Ok, ReplyTimeout, ct);

    /// <summary>Sends a signal to PID 1.</summary>
    public Task SignalAsync(int signal, CancellationToken ct) =>
        _channel.RequestAsync(FrameType.Signal, ControlCodec.Write(new SignalMessage(signal), MonitorJson.Default.SignalMessage), FrameType.Ok, ReplyTimeout, ct);

    /// <summary>Freezes the container's processes.</summary>
    public Task PauseAsync(CancellationToken ct) => _channel.RequestAsync(FrameType.Pause, [], FrameType.Ok, ReplyTimeout, ct);

    /// <summary>Lets frozen processes go on.</summary>
    public Task ResumeAsync(CancellationToken ct) => _channel.RequestAsync(FrameType.Resume, [], FrameType.Ok, ReplyTimeout, ct);

    /// <summary>What the monitor says of itself, its execs and its log.</summary>
    public Task<MonitorState> GetStateAsync(CancellationToken ct) =>
        _channel.RequestAsync(FrameType.GetState, [], FrameType.State, MonitorJson.Default.MonitorState, ReplyTimeout, ct);

    /// <summary>Ends the monitor of a container that was not started. A running one is refused: it is ended by signals.</summary>
    public async Task ShutdownAsync(CancellationToken ct)
    {
        _letGo = true;
        await _channel.RequestAsync(FrameType.Shutdown, [], FrameType.Ok, ReplyTimeout, ct);
    }

    public async ValueTask DisposeAsync()
    {
        _letGo = true;
        _exited.TrySetCanceled();
        await _channel.DisposeAsync();
    }

    private async Task<MonitorSocket> OpenStreamAsync(CancellationToken ct) =>
        await MonitorSocket.ConnectAsync(_config.RunDir, ct)
        ?? throw new MonitorException(MonitorErrorKind.WrongState, $"container {_config.Id} is not running");

    private async Task<byte[]> AskAsync(MonitorSocket socket, FrameType request, byte[] payload, FrameType expected, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(SetupTimeout);
        try
        {
            await socket.WriteAsync(request, 1, payload, timeout.Token);
            var (header, whole) = await socket.ReadAsync(timeout.Token)
                ?? throw new MonitorException(MonitorErrorKind.WrongState, $"container {_config.Id} has ended");
            var reply = whole[MonitorProtocol.HeaderLength..].ToArray();
            return header.Type == expected ? reply
                : header.Type == FrameType.Error ? throw ControlCodec.ToException(ControlCodec.Read(reply, MonitorJson.Default.ErrorMessage), request == FrameType.Exec)
                : throw new MonitorException(MonitorErrorKind.BadRequest, $"container {_config.Id}: {request} was answered with {header.Type}");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new MonitorException(MonitorErrorKind.Unreachable, $"container {_config.Id}: no answer to {request} within {SetupTimeout.TotalSeconds} s");
        }
        catch (System.Net.Sockets.SocketException e)
        {
            throw new MonitorException(MonitorErrorKind.WrongState, $"container {_config.Id} has ended", e);
        }
    }

    private void OnEvent(FrameType type, byte[] payload)
    {
        if (type == FrameType.Exited)
        {
            _exited.TrySetResult(ControlCodec.Read(payload, MonitorJson.Default.ExitInfo));
        }
    }

    /// <summary>The monitor's end of the control connection is closed: it has ended, in order or not.</summary>
    private async Task OnClosedAsync()
    {
        if (_monitorPid is { } pid)
        {
            _ = MonitorLauncher.ReapAsync(pid);
        }

        if (_exited.Task.IsCompleted)
        {
            return;
        }

        if (_letGo)
        {
            _exited.TrySetCanceled();
            return;
        }

        try
        {
            using var other = await MonitorSocket.ConnectAsync(_config.RunDir, CancellationToken.None);
            if (other is not null)
            {
                throw new MonitorException(MonitorErrorKind.Unreachable, $"container {_config.Id}: the connection to its monitor broke, though it runs");
            }

            _exited.TrySetResult(_startFailure ?? await Task.Run(() => Settle(_config)));
        }
        catch (Exception e)
        {
            _exited.TrySetException(e);
        }
    }

    private static ExitInfo Settle(MonitorConfig config)
    {
        var written = ExitFile.Read(config.ExitPath);
        MonitorLauncher.CleanUp(config);
        return written ?? new ExitInfo
        {
            ExitCode = 128 + SignalDisposition.SIGKILL,
            FinishedAt = DateTimeOffset.UtcNow,
            Error = $"the monitor of container {config.Id} ended without leaving an exit code; the container's processes were killed",
        };
    }
}
