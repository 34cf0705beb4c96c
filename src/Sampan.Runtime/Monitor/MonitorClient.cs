using System.Net.Sockets;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A monitor refused, or could not do, what was asked.</summary>
public sealed class MonitorException(MonitorError error) : Exception(error.Message)
{
    public MonitorError Error { get; } = error;

    /// <summary>The container, and its monitor with it, has ended.</summary>
    public bool HasEnded { get; private init; }

    internal static MonitorException Of(string message) => new(new MonitorError(message, SetupStep.None, 0, 128));

    internal static MonitorException Ended() => new(new MonitorError("container has ended", SetupStep.None, 0, 128)) { HasEnded = true };
}

/// <summary>
/// The daemon's handle of a monitor. Safe for concurrent use; every request has a connection and a time-out of its own. Disposing lets go
/// of the monitor: a container that was started runs on.
/// </summary>
public sealed class MonitorClient : IDisposable
{
    private readonly MonitorConfig _config;
    private volatile Socket _subscription;
    private volatile bool _disposed;

    private MonitorClient(MonitorConfig config, Socket subscription, MonitorReply state, int launchedPid)
    {
        (_config, _subscription, State) = (config, subscription, state);
        Exited = state.Exit is not null ? Task.FromResult(state.Exit) : WaitAsync(launchedPid);
    }

    /// <summary>The state when the handle was made; <see cref="GetStateAsync"/> asks again.</summary>
    public MonitorReply State { get; }

    /// <summary>
    /// Completes when the container has ended. When its monitor was killed, what is left of the container is killed first, and the result
    /// says so in <see cref="ExitInfo.Error"/>. Cancelled by disposing.
    /// </summary>
    public Task<ExitInfo> Exited { get; }

    /// <summary>Starts a monitor and returns when its container is made and waits to be started.</summary>
    /// <param name="config">config.json (the spec) is in its run directory already.</param>
    /// <param name="executable">Sampan's own, <c>/proc/self/exe</c>.</param>
    /// <exception cref="MonitorException">The container could not be made; nothing is left.</exception>
    public static async Task<MonitorClient> LaunchAsync(MonitorConfig config, string executable, CancellationToken cancel)
    {
        var (subscription, state, pid) = await MonitorLauncher.LaunchAsync(config, executable, cancel);
        return new MonitorClient(config, subscription, state, pid);
    }

    /// <summary>The handle of a monitor that runs already; null when none does.</summary>
    public static async Task<MonitorClient?> ConnectAsync(string runDirectory, string exitPath, CancellationToken cancel)
    {
        Socket? socket = null;
        try
        {
            socket = await MonitorSocket.OpenAsync(runDirectory, cancel);
            var state = await MonitorSocket.AskAsync(socket, new MonitorRequest { Op = "state", Subscribe = true }, cancel);
            var config = MonitorLauncher.ReadConfig(runDirectory) ?? throw MonitorException.Of($"a monitor without '{runDirectory}/monitor.json'");
            return new MonitorClient(config with { ExitPath = exitPath }, socket, state, 0);
        }
        catch (Exception e) when (e is SocketException or DirectoryNotFoundException or EndOfStreamException)
        {
            socket?.Dispose();
            return null;
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    /// <summary>What a monitor left when it ended; null when it left nothing.</summary>
    public static ExitInfo? ReadExit(string exitPath) => ExitFile.Read(exitPath);

    /// <summary>Lets the container's program run.</summary>
    public Task<MonitorReply> StartAsync(CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "start" }, cancel);

    /// <summary>The state now: pid, start, execs and their exit codes, lost log lines.</summary>
    public Task<MonitorReply> GetStateAsync(CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "state" }, cancel);

    /// <summary>Sets the size of the container's terminal, or of an exec's.</summary>
    public Task ResizeAsync(string? execId, int rows, int columns, CancellationToken cancel) =>
        RequestAsync(new MonitorRequest { Op = "resize", ExecId = execId, Rows = rows, Columns = columns }, cancel);

    /// <summary>Sends a signal to PID 1.</summary>
    public Task SignalAsync(int signal, CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "signal", Signal = signal }, cancel);

    /// <summary>Sends a signal to a program that <see cref="ExecAsync"/> started; nothing happens when it has ended.</summary>
    public Task SignalExecAsync(string execId, int signal, CancellationToken cancel) =>
        RequestAsync(new MonitorRequest { Op = "signal", ExecId = execId, Signal = signal }, cancel);

    /// <summary>Freezes the container's processes.</summary>
    public Task PauseAsync(CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "pause" }, cancel);

    /// <summary>Lets frozen processes go on.</summary>
    public Task ResumeAsync(CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "resume" }, cancel);

    /// <summary>
    /// Ends the container at once, started or not; of one that was never started nothing is left, no exit status either. Does nothing when it
    /// has ended already, so that it can undo a launch whatever became of it. <see cref="Exited"/> tells when it is done.
    /// </summary>
    public async Task ShutdownAsync(CancellationToken cancel)
    {
        try
        {
            await RequestAsync(new MonitorRequest { Op = "shutdown" }, cancel);
        }
        catch (MonitorException e) when (e.HasEnded)
        {
            // That is what was asked for.
        }
    }

    /// <summary>The container's streams, from now on.</summary>
    public async Task<MonitorStream> AttachAsync(bool stdin, bool stdout, bool stderr, CancellationToken cancel) =>
        (await StreamAsync(new MonitorRequest { Op = "attach", Stdin = stdin, Stdout = stdout, Stderr = stderr }, cancel)).Stream;

    /// <summary>Runs a program in the container; the stream ends with its exit code.</summary>
    public Task<(MonitorReply Reply, MonitorStream Stream)> ExecAsync(string id, Process process, bool stdin, bool stdout, bool stderr, CancellationToken cancel) =>
        StreamAsync(new MonitorRequest
        {
            Op = "exec",
            ExecId = id,
            Process = process,
            Terminal = process.Terminal,
            Stdin = stdin,
            Stdout = stdout,
            Stderr = stderr,
            Rows = process.ConsoleSize?.Height ?? 0,
            Columns = process.ConsoleSize?.Width ?? 0,
        }, cancel);

    public void Dispose()
    {
        _disposed = true;
        _subscription.Dispose();
    }

    private async Task<(MonitorReply Reply, MonitorStream Stream)> StreamAsync(MonitorRequest request, CancellationToken cancel)
    {
        var (reply, socket) = await AskAsync(request, cancel);
        return (reply, new MonitorStream(socket));
    }

    private async Task<MonitorReply> RequestAsync(MonitorRequest request, CancellationToken cancel)
    {
        var (reply, socket) = await AskAsync(request, cancel);
        socket.Dispose();
        return reply;
    }

    /// <summary>Asks on a connection of its own, which is the caller's then.</summary>
    private async Task<(MonitorReply Reply, Socket Socket)> AskAsync(MonitorRequest request, CancellationToken cancel)
    {
        Socket? socket = null;
        try
        {
            socket = await MonitorSocket.OpenAsync(_config.RunDirectory, cancel);
            return (await MonitorSocket.AskAsync(socket, request, cancel), socket);
        }
        catch (Exception e) when (e is SocketException or DirectoryNotFoundException or EndOfStreamException)
        {
            socket?.Dispose();
            throw MonitorException.Ended();
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    private async Task<ExitInfo> WaitAsync(int launchedPid)
    {
        try
        {
            while (true)
            {
                if (await ReadExitAsync() is { } told)
                {
                    return told;
                }

                if (await ResubscribeAsync() is { } state)
                {
                    if (state.Exit is not null)
                    {
                        return state.Exit;
                    }

                    continue;
                }

                return await Task.Run(() => MonitorLauncher.Settle(_config));
            }
        }
        finally
        {
            if (launchedPid > 0)
            {
                _ = MonitorLauncher.ReapAsync(launchedPid);
            }
        }
    }

    /// <summary>What the monitor tells at the end; null when it has gone without a word.</summary>
    private async Task<ExitInfo?> ReadExitAsync()
    {
        try
        {
            return (await MonitorSocket.ReadReplyAsync(_subscription, CancellationToken.None)).Exit;
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or ObjectDisposedException)
        {
            return _disposed ? throw new OperationCanceledException("the monitor was let go of", e) : null;
        }
    }

    /// <summary>A connection that broke under a monitor that lives is made again: its container must not be taken for lost.</summary>
    private async Task<MonitorReply?> ResubscribeAsync()
    {
        Socket? socket = null;
        try
        {
            socket = await MonitorSocket.OpenAsync(_config.RunDirectory, CancellationToken.None);
            var state = await MonitorSocket.AskAsync(socket, new MonitorRequest { Op = "state", Subscribe = true }, CancellationToken.None);
            _subscription = socket;
            return state;
        }
        catch (Exception e) when (e is SocketException or DirectoryNotFoundException or EndOfStreamException)
        {
            socket?.Dispose();
            return null;
        }
    }
}
