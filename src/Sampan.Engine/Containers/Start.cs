using System.Text.Json;
using Sampan.Engine.Containers;
using Sampan.Oci;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>
/// Starting a container: (1) mounts, (2) network, (3) spec, (4) monitor, (5) attached clients, (6) start, (7) record. What was acquired is
/// undone in reverse when a step fails.
/// </summary>
public sealed partial class EngineService
{
    public Task StartAsync(string name, string? detachKeys, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        return GatedAsync(container, cancel, () => container.Record.Status switch
        {
            ContainerStatus.Paused => throw EngineException.Conflict("cannot start a paused container, try unpause instead"),
            ContainerStatus.Running or ContainerStatus.Restarting => throw EngineException.NotModified(),
            ContainerStatus.Removing or ContainerStatus.Dead => throw EngineException.Conflict("container is marked for removal and cannot be started"),
            _ => StartByHandAsync(container, cancel),
        });
    }

    private Task StartByHandAsync(Container container, CancellationToken cancel)
    {
        (container.Record.RestartCount, container.LastPause) = (0, TimeSpan.Zero);
        return StartLockedAsync(container, cancel);
    }

    private async Task StartLockedAsync(Container container, CancellationToken cancel)
    {
        var record = container.Record;
        try
        {
            await using var undo = new UndoStack();

            // :: 1 mounts
            var overlay = Overlay(record);
            await FillVolumesAsync(container, overlay, cancel);

            // :: 2 network — a namespace, and an address on the bridge
            ConnectNetwork(container, undo);
            using var network = container.Sandbox?.OpenNamespace();
            WriteHostFiles(record);

            // :: 3 spec
            var user = UserLookup.Resolve(record.Config.User, record.HostConfig.GroupAdd, ContainerFiles.OfOverlay(overlay));
            var run = RunDirectory(container.Id);
            Directory.CreateDirectory(run);
            undo.Push("run directory", () => RemoveRunDirectory(container.Id));
            var spec = SpecBuilder.Build(record, user, SurroundingsOf(record, network));
            File.WriteAllBytes(Path.Combine(run, "config.json"), JsonSerializer.SerializeToUtf8Bytes(spec, RuntimeJson.Default.Spec));

            // :: 4 monitor — makes the container, which then waits just before execve
            var monitor = await MonitorClient.LaunchAsync(MonitorOf(record, overlay), "/proc/self/exe", cancel);
            undo.Push("monitor", () => DismissAsync(monitor));

            // :: 5 attached clients — before the program runs, so that they miss nothing
            await ConnectPendingAsync(container, monitor, cancel);

            // :: 6 start
            var started = await monitor.StartAsync(cancel);

            // :: 7 record — from here on the container is running whatever happens to this call
            undo.Keep();
            container.Monitor = monitor;
            record.Status = ContainerStatus.Running;
            (record.Pid, record.ExitCode, record.Error, record.OomKilled, record.StoppedByUser) = (started.Pid, 0, "", false, false);
            record.StartedAt = DateTimeOffset.UnixEpoch.AddTicks(started.StartedAt / 100);
            _containers.Save(container);
            Publish(container, "start");
            _ = WatchAsync(container, monitor);
            _ = CheckHealthAsync(container, monitor, adopted: false);
        }
        catch (Exception e) when (container.Monitor is null)
        {
            var error = StartError(e);
            await FailedAsync(container, error.Message, (e as MonitorException)?.Error.ExitCode ?? 128);
            throw error;
        }
    }

    private static EngineException StartError(Exception e) => e switch
    {
        EngineException engine => engine,
        MonitorException { Error: var error } => new EngineException(
            error.Step is SetupStep.Exec or SetupStep.Cwd or SetupStep.Rlimit ? ErrorKind.InvalidParameter : ErrorKind.System,
            $"failed to create task for container: {e.Message}",
            e),
        _ => new EngineException(EngineException.KindOf(e), e.Message, e),
    };

    /// <summary>A start that failed: recorded, and told to whoever waits; a container for one run only goes.</summary>
    private async Task FailedAsync(Container container, string error, int exitCode)
    {
        var record = container.Record;
        (record.ExitCode, record.Error) = (exitCode, error);
        record.Status = record.Status == ContainerStatus.Restarting ? ContainerStatus.Exited : record.Status;
        _containers.Save(container);
        container.Ended(new ExitInfo { ExitCode = exitCode, Error = error });
        if (record.HostConfig.AutoRemove)
        {
            await RemoveLockedAsync(container, volumes: true);
        }
    }

    /// <summary>Ends a monitor whose container is not to run; one whose start failed is ending by itself.</summary>
    private static async ValueTask DismissAsync(MonitorClient monitor)
    {
        await SignalIfThereAsync(monitor, Signals.Kill, CancellationToken.None);
        await monitor.Exited.WaitAsync(KillTimeout);
        monitor.Dispose();
    }

    private MonitorConfig MonitorOf(ContainerRecord record, OverlayRootfs overlay)
    {
        var log = new LogSettings(record.HostConfig.LogConfig);
        return new MonitorConfig
        {
            Id = record.Id,
            RunDirectory = RunDirectory(record.Id),
            Overlay = overlay,
            Terminal = record.Config.Tty,
            OpenStdin = record.Config.OpenStdin,
            StdinOnce = record.Config.StdinOnce,
            LogPath = log.Writes ? LogPath(record.Id) : null,
            LogMaxBytes = log.MaxBytes,
            LogMaxFiles = log.MaxFiles,
            ExitPath = ExitPath(record.Id),
            CgroupPath = CgroupPath(record),
            Init = record.HostConfig.Init ?? _options.Init,
            Rows = record.HostConfig.ConsoleSize[0],
            Columns = record.HostConfig.ConsoleSize[1],
        };
    }

    private static async Task ConnectPendingAsync(Container container, MonitorClient monitor, CancellationToken cancel)
    {
        PendingAttach[] pending;
        lock (container.Pending)
        {
            pending = [.. container.Pending];
            container.Pending.Clear();
        }

        foreach (var attach in pending)
        {
            attach.Connected.TrySetResult(await monitor.AttachAsync(attach.Stdin, attach.Stdout, attach.Stderr, cancel));
        }
    }

    /// <summary>Waits for the container's end and records it.</summary>
    private async Task WatchAsync(Container container, MonitorClient monitor)
    {
        var exit = await monitor.Exited;
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        try
        {
            await GatedAsync(container, CancellationToken.None, () => EndedAsync(container, exit));
        }
        catch (Exception e)
        {
            // Nobody waits for this task: the daemon's log is where it can be seen, and the next start of the daemon tidies up.
            await Console.Error.WriteLineAsync($"container {container.Id}: recording its end: {e}");
        }
    }

    private async Task EndedAsync(Container container, ExitInfo exit)
    {
        var record = container.Record;
        container.Monitor?.Dispose();
        container.Monitor = null;
        Cgroup.Open(CgroupPath(container.Record)).KillAll();
        Cgroup.Open(CgroupPath(container.Record)).Remove();
        DisconnectNetwork(container);
        RemoveRunDirectory(container.Id);
        var startsAgain = StartsAgain(record, exit.ExitCode);
        record.Status = startsAgain ? ContainerStatus.Restarting : ContainerStatus.Exited;
        (record.Pid, record.ExitCode, record.OomKilled, record.Error) = (0, exit.ExitCode, exit.OomKilled, exit.Error);
        record.FinishedAt = DateTimeOffset.UnixEpoch.AddTicks(exit.FinishedAt / 100);
        _containers.Save(container);
        if (exit.OomKilled)
        {
            Publish(container, "oom");
        }

        Publish(container, "die", ("exitCode", exit.ExitCode.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        container.Ended(exit);
        if (startsAgain)
        {
            _ = RestartAsync(container, NextPause(container, record.FinishedAt - record.StartedAt ?? TimeSpan.Zero));
        }
        else if (record.HostConfig.AutoRemove)
        {
            await RemoveLockedAsync(container, volumes: true);
        }
    }

    /// <summary>New volumes get what the image has at their place.</summary>
    private async Task FillVolumesAsync(Container container, OverlayRootfs overlay, CancellationToken cancel)
    {
        foreach (var mount in container.Record.Mounts.Where(m => m.FillFromImage))
        {
            await VolumeFiller.FillAsync(overlay, mount.Destination, mount.Source, MountDirectory, cancel);
            mount.FillFromImage = false;
        }
    }

    /// <summary>
    /// After a start of the daemon: monitors that live are adopted, containers whose monitor is gone have ended, and what a crash left half
    /// made is taken away.
    /// </summary>
    private async Task ReconcileAsync(CancellationToken cancel)
    {
        MergedRoot.RemoveLeftovers(MountDirectory);
        await SweepAsync(cancel);
        foreach (var container in _containers.List())
        {
            var record = container.Record;
            var monitor = Directory.Exists(RunDirectory(container.Id)) ? await MonitorClient.ConnectAsync(RunDirectory(container.Id), ExitPath(container.Id), cancel) : null;
            if (monitor is { State.StartedAt: > 0 })
            {
                container.Monitor = monitor;
                record.Status = record.Status == ContainerStatus.Paused ? ContainerStatus.Paused : ContainerStatus.Running;
                record.Pid = monitor.State.Pid;
                record.StartedAt = DateTimeOffset.UnixEpoch.AddTicks(monitor.State.StartedAt / 100);
                _ = WatchAsync(container, monitor);
                _ = CheckHealthAsync(container, monitor, adopted: true);
                continue;
            }

            if (monitor is not null)
            {
                // Made but never started: the daemon that wanted it is gone.
                await DismissAsync(monitor);
            }

            if (record.Status == ContainerStatus.Restarting || StartsWithDaemon(record))
            {
                record.Status = ContainerStatus.Restarting;
                _ = RestartAsync(container, TimeSpan.Zero);
            }
            else if (record.IsRunning)
            {
                await EndedAsync(container, MonitorClient.ReadExit(ExitPath(container.Id)) ?? new ExitInfo { ExitCode = 137, FinishedAt = Timestamp.Now(), Error = "the container ended while no daemon was there" });
            }
            else if (record.Status == ContainerStatus.Removing)
            {
                await RemoveLockedAsync(container, volumes: false);
            }
        }

        ReconcileNetworks();
        _reconciled.SetResult();
    }
}
