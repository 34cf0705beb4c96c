using System.Net.Sockets;
using System.Text.Json;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A monitor refused, or could not do, what was asked.</summary>
public sealed class MonitorException(MonitorError error) : Exception(error.Message)
{
    public MonitorError Error { get; } = error;
}

/// <summary>The daemon's handle of a monitor. Safe for concurrent use; every request has a connection and a time-out of its own.</summary>
public sealed class MonitorClient : IDisposable
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(30);

    private readonly string _runDirectory;
    private readonly string _exitPath;
    private readonly Socket _subscription;

    private MonitorClient(string runDirectory, string exitPath, Socket subscription, MonitorReply state)
    {
        (_runDirectory, _exitPath, _subscription, State) = (runDirectory, exitPath, subscription, state);
        Exited = state.Exit is not null ? Task.FromResult(state.Exit) : WaitAsync();
    }

    /// <summary>The state when the handle was made.</summary>
    public MonitorReply State { get; }

    /// <summary>Completes when the container has ended, also when its monitor was killed.</summary>
    public Task<ExitInfo> Exited { get; }

    /// <summary>Starts a monitor and returns when its container is made and waits to be started.</summary>
    /// <exception cref="MonitorException">The container could not be made; nothing is left.</exception>
    public static async Task<MonitorClient> LaunchAsync(MonitorConfig config, string executable, CancellationToken cancel)
    {
        Directory.CreateDirectory(config.RunDirectory);
        File.WriteAllBytes(Path.Combine(config.RunDirectory, "monitor.json"), JsonSerializer.SerializeToUtf8Bytes(config, MonitorJson.Default.MonitorConfig));
        File.Delete(config.ExitPath);
        var (read, write) = Pipe.Create();
        int pid;
        try
        {
            pid = PosixSpawn.Start(executable, ["sampan", "monitor", config.RunDirectory], ["LANG=C.UTF-8"], write);
        }
        finally
        {
            Raw.Close(write);
        }

        // Reaped when it ends: a zombie would keep its pid.
        _ = Task.Factory.StartNew(() => Raw.Wait(pid, noHang: false, out _), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var reply = await Task.Run(() => ReadStatus(read), cancel).WaitAsync(RequestTimeout, cancel);
        if (reply.Error is { } error)
        {
            throw new MonitorException(error);
        }

        return await ConnectAsync(config.RunDirectory, config.ExitPath, cancel)
            ?? throw new MonitorException(new MonitorError("the monitor ended before it could be asked", SetupStep.None, 0, 128));
    }

    /// <summary>The handle of a monitor that runs already; null when none does.</summary>
    public static async Task<MonitorClient?> ConnectAsync(string runDirectory, string exitPath, CancellationToken cancel)
    {
        try
        {
            var socket = await OpenAsync(runDirectory, cancel);
            var state = await AskAsync(socket, new MonitorRequest { Op = "state", Subscribe = true }, cancel);
            return new MonitorClient(runDirectory, exitPath, socket, state);
        }
        catch (Exception e) when (e is SocketException or DirectoryNotFoundException or EndOfStreamException)
        {
            return null;
        }
    }

    /// <summary>What a monitor left when it ended; null when it left nothing.</summary>
    public static ExitInfo? ReadExit(string exitPath) =>
        File.Exists(exitPath) ? JsonSerializer.Deserialize(File.ReadAllBytes(exitPath), MonitorJson.Default.ExitInfo) : null;

    /// <summary>Lets the container's program run.</summary>
    public Task<MonitorReply> StartAsync(CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "start" }, cancel);

    public Task ResizeAsync(string? execId, int rows, int columns, CancellationToken cancel) =>
        RequestAsync(new MonitorRequest { Op = "resize", ExecId = execId, Rows = rows, Columns = columns }, cancel);

    public Task SignalAsync(int signal, CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "signal", Signal = signal }, cancel);

    /// <summary>Ends a container that was never started.</summary>
    public Task ShutdownAsync(CancellationToken cancel) => RequestAsync(new MonitorRequest { Op = "shutdown" }, cancel);

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

    public void Dispose() => _subscription.Dispose();

    private async Task<(MonitorReply Reply, MonitorStream Stream)> StreamAsync(MonitorRequest request, CancellationToken cancel)
    {
        var socket = await OpenAsync(_runDirectory, cancel);
        try
        {
            return (await AskAsync(socket, request, cancel), new MonitorStream(socket));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<MonitorReply> RequestAsync(MonitorRequest request, CancellationToken cancel)
    {
        using var socket = await OpenAsync(_runDirectory, cancel);
        return await AskAsync(socket, request, cancel);
    }

    private async Task<ExitInfo> WaitAsync()
    {
        try
        {
            if ((await ReadReplyAsync(_subscription, CancellationToken.None)).Exit is { } exit)
            {
                return exit;
            }
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or ObjectDisposedException)
        {
            // The monitor was killed; what it wrote, if it did, is the truth.
        }

        return ReadExit(_exitPath) ?? new ExitInfo { ExitCode = 137, FinishedAt = Timestamp.Now(), Error = "the container's monitor was killed" };
    }

    private static MonitorReply ReadStatus(int fd)
    {
        var line = new List<byte>();
        var buffer = new byte[4096];
        int read;
        while ((read = Raw.Read(fd, buffer)) > 0)
        {
            line.AddRange(buffer.AsSpan(0, read));
            if (line[^1] == '\n')
            {
                break;
            }
        }

        Raw.Close(fd);
        return line.Count > 0
            ? JsonSerializer.Deserialize(line.ToArray(), MonitorJson.Default.MonitorReply)!
            : new MonitorReply { Error = new MonitorError("the monitor ended without a word", SetupStep.None, 0, 128) };
    }

    private static async Task<Socket> OpenAsync(string runDirectory, CancellationToken cancel)
    {
        // Through the directory's descriptor: sun_path holds 108 bytes, a data root may be deeper.
        var directory = Raw.Openat2(Raw.AT_FDCWD, CString.Of(runDirectory), Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, 0);
        if (directory < 0)
        {
            throw new DirectoryNotFoundException($"no run directory '{runDirectory}'");
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint($"/proc/self/fd/{directory}/monitor.sock"), cancel);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            Raw.Close(directory);
        }
    }

    private static async Task<MonitorReply> AskAsync(Socket socket, MonitorRequest request, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(RequestTimeout);
        await socket.SendAsync(MonitorJson.Line(request), deadline.Token);
        var reply = await ReadReplyAsync(socket, deadline.Token);
        return reply.Error is null ? reply : throw new MonitorException(reply.Error);
    }

    /// <summary>One line, byte by byte at its end so that nothing of the frames behind it is taken.</summary>
    private static async Task<MonitorReply> ReadReplyAsync(Socket socket, CancellationToken cancel)
    {
        var line = new List<byte>(256);
        var buffer = new byte[4096];
        while (true)
        {
            var seen = await socket.ReceiveAsync(buffer, SocketFlags.Peek, cancel);
            if (seen == 0)
            {
                throw new EndOfStreamException("the monitor closed the connection");
            }

            var newline = buffer.AsSpan(0, seen).IndexOf((byte)'\n');
            var take = newline < 0 ? seen : newline + 1;
            await socket.ReceiveAsync(buffer.AsMemory(0, take), SocketFlags.None, cancel);
            line.AddRange(buffer.AsSpan(0, take));
            if (newline >= 0)
            {
                return JsonSerializer.Deserialize(line.ToArray(), MonitorJson.Default.MonitorReply)!;
            }
        }
    }
}
