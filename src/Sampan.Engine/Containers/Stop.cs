using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>Ending, pausing, waiting for and removing containers.</summary>
public sealed partial class EngineService
{
    private const int DefaultStopSeconds = 10;

    /// <summary>How long SIGKILL may take; a process in uninterruptible sleep outlives it.</summary>
    private static readonly TimeSpan KillTimeout = TimeSpan.FromSeconds(15);

    public async Task StopAsync(string name, string? signal, int? timeoutSeconds, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        if (!container.Record.IsRunning)
        {
            throw EngineException.NotModified();
        }

        await StopRunningAsync(container, signal, timeoutSeconds, cancel);
        Publish(container, "stop");
    }

    public async Task RestartAsync(string name, string? signal, int? timeoutSeconds, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        if (container.Record.IsRunning)
        {
            await StopRunningAsync(container, signal, timeoutSeconds, cancel);
        }

        await StartAsync(container.Id, null, cancel);
        Publish(container, "restart");
    }

    public async Task KillAsync(string name, string? signal, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        var number = string.IsNullOrEmpty(signal) ? Signals.Kill : Signals.Parse(signal);
        if (await EndPauseAsync(container, cancel))
        {
            return;
        }

        var monitor = RequireRunning(container, $"cannot kill container: {name}: ");
        if (number == Signals.Kill || number == Signals.Parse(container.Record.Config.StopSignal ?? "TERM"))
        {
            container.Record.StoppedByUser = true;
        }

        if (number == Signals.Kill)
        {
            Cgroup.Open(CgroupPath(container.Record)).Freeze(false);
        }

        var ended = container.NextExit;
        await monitor.SignalAsync(number, cancel);
        Publish(container, "kill", ("signal", number.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        if (number == Signals.Kill)
        {
            await ended.WaitAsync(KillTimeout, cancel);
        }
    }

    public Task PauseAsync(string name, CancellationToken cancel) => FreezeAsync(name, true, cancel);

    public Task UnpauseAsync(string name, CancellationToken cancel) => FreezeAsync(name, false, cancel);

    public Task<Task<WaitResponse>> PrepareWaitAsync(string name, string condition, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        var record = container.Record;
        var exit = container.NextExit;
        return Task.FromResult(condition switch
        {
            "" or "not-running" when !record.IsRunning => Task.FromResult(new WaitResponse { StatusCode = record.ExitCode }),
            "" or "not-running" or "next-exit" => Of(exit),
            "removed" => RemovedAsync(),
            _ => throw EngineException.Invalid($"invalid condition: \"{condition}\""),
        });

        static async Task<WaitResponse> Of(Task<ExitInfo> ended)
        {
            var info = await ended;
            return new WaitResponse { StatusCode = info.ExitCode };
        }

        async Task<WaitResponse> RemovedAsync()
        {
            await container.Removed.Task;
            return new WaitResponse { StatusCode = record.ExitCode };
        }
    }

    public async Task RemoveAsync(string name, bool force, bool volumes, bool link, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        if (container.Record.IsRunning)
        {
            if (!force)
            {
                var state = StatusText(container.Record);
                throw EngineException.Conflict($"cannot remove container \"/{container.Record.Name}\": container is {state}: stop the container before removing or force remove");
            }

            await KillAndWaitAsync(container, cancel);
        }

        await GatedAsync(container, cancel, () => RemoveLockedAsync(container, volumes));
    }

    public Task RenameAsync(string name, string newName, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        if (string.IsNullOrEmpty(newName))
        {
            throw EngineException.Invalid("Neither old nor new names may be empty");
        }

        var old = container.Record.Name;
        newName = Names.Validate(newName);
        if (newName == old)
        {
            throw EngineException.Invalid("Renaming a container with the same name as its current name");
        }

        _containers.Rename(container, newName);
        if (NamedContainerOf(container.Record) is { } named)
        {
            _names.Rename(named);
        }

        Publish(container, "rename", ("oldName", "/" + old));
        return Task.CompletedTask;
    }

    public async Task<ContainersPruneResponse> PruneContainersAsync(Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "label", "label!", "until");
        var before = filter.Time("until", _time.GetUtcNow()) ?? DateTimeOffset.MaxValue;
        var removed = new List<string>();
        var reclaimed = 0L;
        foreach (var container in _containers.List()
            .Where(c => !c.Record.IsRunning && c.Record.Created < before && filter.MatchLabelsToPrune(c.Record.Config.Labels)))
        {
            reclaimed += DirectorySize.Of(Path.Combine(DataDirectory(container.Id), "upper"));
            await GatedAsync(container, cancel, () => RemoveLockedAsync(container, volumes: false));
            removed.Add(container.Id);
        }

        return new ContainersPruneResponse { ContainersDeleted = removed, SpaceReclaimed = reclaimed };
    }

    private async Task StopRunningAsync(Container container, string? signal, int? timeoutSeconds, CancellationToken cancel)
    {
        var record = container.Record;
        if (await EndPauseAsync(container, cancel))
        {
            return;
        }

        record.StoppedByUser = true;
        var number = Signals.Parse(signal ?? record.Config.StopSignal ?? "TERM");
        var seconds = timeoutSeconds ?? record.Config.StopTimeout ?? DefaultStopSeconds;
        var ended = container.NextExit;
        if (container.Monitor is { } monitor)
        {
            await SignalIfThereAsync(monitor, number, cancel);
            Publish(container, "kill", ("signal", number.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        }

        // A negative time-out means: as long as it takes.
        var patience = seconds < 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(seconds);
        if (await Task.WhenAny(ended, Task.Delay(patience, cancel)) != ended)
        {
            cancel.ThrowIfCancellationRequested();
            await KillAndWaitAsync(container, cancel);
        }
    }

    private async Task KillAndWaitAsync(Container container, CancellationToken cancel)
    {
        if (await EndPauseAsync(container, cancel))
        {
            return;
        }

        container.Record.StoppedByUser = true;
        var ended = container.NextExit;
        if (container.Monitor is { } monitor)
        {
            Cgroup.Open(CgroupPath(container.Record)).Freeze(false);
            await SignalIfThereAsync(monitor, Signals.Kill, cancel);
            try
            {
                await ended.WaitAsync(KillTimeout, cancel);
            }
            catch (TimeoutException)
            {
                throw new EngineException(ErrorKind.System, $"container {container.Id} did not end within {KillTimeout.TotalSeconds} s of SIGKILL");
            }
        }
    }

    /// <summary>The container may end between being looked at and being signalled; then there is nothing left to do.</summary>
    private static async Task SignalIfThereAsync(MonitorClient monitor, int signal, CancellationToken cancel)
    {
        try
        {
            await monitor.SignalAsync(signal, cancel);
        }
        catch (Exception e) when (monitor.Exited.IsCompleted || e is System.Net.Sockets.SocketException or MonitorException or DirectoryNotFoundException or EndOfStreamException)
        {
            await monitor.Exited.WaitAsync(KillTimeout, cancel);
        }
    }

    private Task RemoveLockedAsync(Container container, bool volumes)
    {
        var record = container.Record;
        record.Status = ContainerStatus.Removing;
        _containers.Save(container);
        var anonymous = record.Mounts.Where(m => m.Anonymous && volumes).Select(m => m.Name).ToList();
        if (Directory.Exists(DataDirectory(container.Id)))
        {
            Store.TreeRemover.Remove(DataDirectory(container.Id));
        }

        _containers.Remove(container);
        foreach (var exec in _execs.Values.Where(e => e.Container == container))
        {
            _execs.TryRemove(exec.Id, out _);
        }

        foreach (var volume in anonymous.Where(v => _volumes.Users(v).Count == 0))
        {
            _volumes.Remove(volume, force: true);
        }

        Publish(container, "destroy");
        container.Removed.TrySetResult();
        return Task.CompletedTask;
    }

    private Task FreezeAsync(string name, bool pause, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        return GatedAsync(container, cancel, () =>
        {
            RequireRunning(container, "");
            var record = container.Record;
            if (pause == (record.Status == ContainerStatus.Paused))
            {
                throw EngineException.Conflict($"Container {name} is {(pause ? "already" : "not")} paused");
            }

            Cgroup.Open(CgroupPath(container.Record)).Freeze(pause);
            record.Status = pause ? ContainerStatus.Paused : ContainerStatus.Running;
            _containers.Save(container);
            Publish(container, pause ? "pause" : "unpause");
            return Task.CompletedTask;
        });
    }

    private static MonitorClient RequireRunning(Container container, string prefix) => container is { Record.IsRunning: true, Monitor: { } monitor }
        ? monitor
        : container.Record.Status == ContainerStatus.Restarting
        ? throw EngineException.Conflict($"{prefix}Container {container.Id} is restarting, wait until the container is running")
        : throw EngineException.Conflict($"{prefix}container {container.Id} is not running");
}
