using System.Net.Sockets;
using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>Starts monitors, reaps those that this process has started, and cleans up after one that was killed.</summary>
internal static class MonitorLauncher
{
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(60), LongestReapPause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// All the environment a monitor has. A first generation of 256 KiB, instead of one that fills the processor's cache, keeps its heap
    /// small.
    /// </summary>
    private static readonly string[] Environment = ["LANG=C.UTF-8", "DOTNET_GCgen0size=0x40000"];

    /// <summary>Starts a monitor; gives the socket that it keeps as our subscription, and its first line. Everything is undone on failure.</summary>
    public static async Task<(Socket Subscription, MonitorReply State, int Pid)> LaunchAsync(MonitorConfig config, string executable, CancellationToken cancel)
    {
        // :: 1 what it needs to know; what an earlier run has left would be taken for this one's
        Directory.CreateDirectory(config.RunDirectory);
        File.WriteAllBytes(Path.Combine(config.RunDirectory, "monitor.json"), JsonSerializer.SerializeToUtf8Bytes(config, MonitorJson.Default.MonitorConfig));
        File.Delete(config.ExitPath);

        // :: 2 the process
        var (ours, theirs) = UnixSocket.Pair();
        var socket = new Socket(new SafeSocketHandle(ours, ownsHandle: true));
        int pid;
        try
        {
            pid = PosixSpawn.Start(executable, ["sampan", "monitor", config.RunDirectory], Environment, theirs);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            Raw.Close(theirs);
        }

        // :: 3 its first line
        MonitorReply? reply = null;
        try
        {
            reply = await ReadFirstAsync(socket, cancel);
            return reply.Error is null ? (socket, reply, pid) : throw new MonitorException(reply.Error);
        }
        catch
        {
            socket.Dispose();
            if (reply?.Error is null)
            {
                // It did not get as far as to clean up after itself.
                Raw.Kill(pid, SignalDisposition.SIGKILL);
                await Task.Run(() => CleanUp(config), CancellationToken.None);
            }

            _ = ReapAsync(pid);
            throw;
        }
    }

    /// <summary>Waits for a child to end and takes its status, so that no zombie stays. A thread for each would cost more than this.</summary>
    public static async Task ReapAsync(int pid)
    {
        var pause = TimeSpan.FromMilliseconds(2);
        while (Raw.Wait(pid, noHang: true, out _) == 0)
        {
            await Task.Delay(pause);
            pause = pause * 2 < LongestReapPause ? pause * 2 : LongestReapPause;
        }
    }

    /// <summary>How a container ended whose monitor is gone. Without an exit status, what is left of the container is killed.</summary>
    public static ExitInfo Settle(MonitorConfig config)
    {
        var written = ExitFile.Read(config.ExitPath);
        CleanUp(config);
        return written ?? new ExitInfo
        {
            ExitCode = 128 + SignalDisposition.SIGKILL,
            FinishedAt = Timestamp.Now(),
            Error = $"the monitor of container {config.Id} was killed; what was left of the container was killed, too",
        };
    }

    /// <summary>monitor.json of a run directory; null when there is none.</summary>
    public static MonitorConfig? ReadConfig(string runDirectory)
    {
        var path = Path.Combine(runDirectory, "monitor.json");
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), MonitorJson.Default.MonitorConfig);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{path}': {e.Message}", e);
        }
    }

    private static void CleanUp(MonitorConfig config)
    {
        if (config.CgroupPath.Trim('/').Length == 0)
        {
            // That is the root: every process of the machine.
            throw new ArgumentException($"container {config.Id} has no cgroup path");
        }

        var cgroup = Cgroup.Open(config.CgroupPath);
        cgroup.KillAll();
        cgroup.Remove();
        FileDescriptor.Unlink(Path.Combine(config.RunDirectory, "monitor.sock"));
    }

    private static async Task<MonitorReply> ReadFirstAsync(Socket socket, CancellationToken cancel)
    {
        try
        {
            return await MonitorSocket.ReadReplyAsync(socket, cancel).WaitAsync(ReadyTimeout, cancel);
        }
        catch (TimeoutException)
        {
            throw MonitorException.Of($"the monitor did not make its container within {ReadyTimeout.TotalSeconds} s");
        }
        catch (Exception e) when (e is EndOfStreamException or SocketException)
        {
            throw MonitorException.Of("the monitor ended without a word");
        }
    }
}
