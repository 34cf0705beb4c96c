using System.Net.Sockets;
using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>Starts monitors, and reaps those that this process has started.</summary>
internal static class MonitorLauncher
{
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(60), LongestReapPause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// All the environment a monitor has. A first generation of 256 KiB instead of the processor's cache size keeps its heap small; it
    /// allocates next to nothing once the container runs.
    /// </summary>
    private static readonly string[] Environment = ["DOTNET_GCgen0size=0x40000", "DOTNET_GCHeapCount=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"];

    /// <summary>Starts a monitor and waits until its container waits to be started; everything is undone when that fails.</summary>
    public static async Task<(MonitorSocket Socket, int Pid, MonitorState State)> LaunchAsync(MonitorConfig config, string executable, CancellationToken ct)
    {
        // :: 1 what it needs to know
        await File.WriteAllBytesAsync(Path.Combine(config.RunDir, MonitorConfig.FileName), ControlCodec.Write(config, MonitorJson.Default.MonitorConfig), ct);

        // :: 2 the process, with one end of a socket as descriptor 3
        var (ours, theirs) = UnixSocket.Pair();
        var socket = new MonitorSocket(new Socket(new SafeSocketHandle(ours, ownsHandle: true)));
        int pid;
        try
        {
            pid = PosixSpawn.StartSession(executable, ["sampan", "monitor", config.RunDir], Environment, theirs);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            FileDescriptor.Close(theirs);
        }

        // :: 3 its first frame
        try
        {
            return (socket, pid, await ReadFirstAsync(socket, config, ct));
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (e is not ContainerStartException)
            {
                // It has not cleaned up after itself, or not yet.
                Raw.Kill(pid, SignalDisposition.SIGKILL);
                await Task.Run(() => CleanUp(config), CancellationToken.None);
            }

            _ = ReapAsync(pid);
            throw;
        }
    }

    /// <summary>Waits for a child to end and takes its status, so that it does not stay as a zombie.</summary>
    public static async Task ReapAsync(int pid)
    {
        var pause = TimeSpan.FromMilliseconds(2);
        while (Raw.Wait(pid, noHang: true, out _) == 0)
        {
            await Task.Delay(pause);
            pause = pause * 2 < LongestReapPause ? pause * 2 : LongestReapPause;
        }
    }

    /// <summary>Kills what is left of a container whose monitor is gone. Idempotent.</summary>
    public static void CleanUp(MonitorConfig config)
    {
        var cgroup = Cgroup.Open(config.CgroupPath);
        cgroup.KillAll();
        cgroup.Remove();
        FileDescriptor.Unlink(Path.Combine(config.RunDir, MonitorConfig.SocketName));
    }

    private static async Task<MonitorState> ReadFirstAsync(MonitorSocket socket, MonitorConfig config, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(ReadyTimeout);
        try
        {
            var (header, whole) = await socket.ReadAsync(timeout.Token)
                ?? throw new MonitorException(MonitorErrorKind.Unreachable, $"monitor of container {config.Id} ended before its container was made");
            var payload = whole[MonitorProtocol.HeaderLength..].Span;
            return header.Type switch
            {
                FrameType.State => ControlCodec.Read(payload, MonitorJson.Default.MonitorState),
                FrameType.Error => throw new ContainerStartException(ControlCodec.Read(payload, MonitorJson.Default.ErrorMessage)),
                _ => throw new MonitorException(MonitorErrorKind.BadRequest, $"monitor of container {config.Id} began with a frame of type {header.Type}"),
            };
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new MonitorException(MonitorErrorKind.Unreachable, $"monitor of container {config.Id} did not make its container within {ReadyTimeout.TotalSeconds} s");
        }
    }

    /// <summary>monitor.json of a run directory.</summary>
    public static MonitorConfig ReadConfig(string runDir)
    {
        var path = Path.Combine(runDir, MonitorConfig.FileName);
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), MonitorJson.Default.MonitorConfig) ?? throw new JsonException("it holds null");
        }
        catch (JsonException e)
        {
            throw new MonitorException(MonitorErrorKind.BadRequest, $"'{path}': {e.Message}", e);
        }
    }
}
