using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Engine.Events;
using Sampan.Engine.Networks;
using Sampan.Engine.Volumes;

namespace Sampan.Engine;

/// <summary>
/// Everything the Engine API can do, one file per verb. The state is in the tables (containers, volumes, images); what is true now is
/// asked of the monitors and the kernel.
/// </summary>
public sealed partial class EngineService : IEngine
{
    private readonly DaemonOptions _options;
    private readonly Store.Store _store;
    private readonly ContainerTable _containers;
    private readonly VolumeService _volumes;
    private readonly EventBus _events;
    private readonly Registry.RegistryService _registries;
    private readonly Registry.Serving.ServedContent _served;
    private readonly NetworkService _networks;
    private readonly PortTable _ports;
    private readonly NameService _names;
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>What was there before this daemon is known; the restart policies wait for it.</summary>
    private readonly TaskCompletionSource _reconciled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _mountPoints;

    /// <summary>For containers that say nothing.</summary>
    private readonly SeccompPolicy _usualSeccomp;

    private EngineService(DaemonOptions options, Store.Store store)
    {
        (_options, _store) = (options, store);
        _usualSeccomp = SecurityOptions.Policy(options.SeccompProfile ?? SecurityOptions.Builtin);
        _ = new LogSettings(new LogConfig { Type = options.LogDriver ?? "", Config = new(options.LogOpts) });
        _store.MemoryRoot = new DriveInfo(options.ExecRoot).DriveFormat == "tmpfs" ? options.ExecRoot : null;
        _events = new EventBus(_time);
        _registries = new Registry.RegistryService(RegistryOptionsOf(options), store);
        _containers = new ContainerTable(store.Database.Documents("containers"));
        _volumes = new VolumeService(options.DataRoot, store.Database.Documents("volumes"), _events, _time)
        {
            Users = name => [.. _containers!.List().Where(c => c.Record.Mounts.Exists(m => m.Name == name)).Select(c => c.Id)],
        };
        store.Layers.Limits = new Store.ApplyLimits { Entries = options.MaxLayerEntries, TotalBytes = options.MaxLayerBytes };
        store.Layers.ContainerRoots = () => _containers.List().Select(c => c.Record.ChainId).OfType<string>().Select(Oci.ChainId.Parse);
        _served = new Registry.Serving.ServedContent(store);
        store.Images.KeptBlobs = _served.Keep;
        _mountPoints = MountPoints.Prepare(Path.Combine(options.DataRoot, "init"));
        _ports = new PortTable(options.ObeysHostFirewall);
        _names = new NameService(options.ExecRoot);
        _networks = new NetworkService(options, store.Database.Documents("network"), _time);
    }

    /// <summary>Opens the data root, finds the monitors of running containers again, and is then ready.</summary>
    public static async Task<IEngine> OpenAsync(DaemonOptions options, CancellationToken cancel)
    {
        Directory.CreateDirectory(options.ExecRoot);
        var store = Store.Store.Open(options.DataRoot);
        var engine = new EngineService(options, store);
        await engine.ReconcileAsync(cancel);
        _ = SweepAsync(store, options.ExecRoot);
        return engine;
    }

    private static async Task SweepAsync(Store.Store store, string execRoot)
    {
        try
        {
            await store.SweepAsync(execRoot);
        }
        catch (Exception e)
        {
            // The daemon can do without, and what is damaged is told again by whoever uses it.
            await Console.Error.WriteLineAsync($"what the last daemon left could not be removed: {e.Message} (see 'sampan image fsck')");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await StopWatchingFirewallAsync();
        await _names.DisposeAsync();
        await _collecting;
        var isIdle = true;
        foreach (var container in _containers.List())
        {
            isIdle &= container.Monitor is null;
            container.Monitor?.Dispose();
        }

        if (isIdle)
        {
            // Nobody needs the bridges until the next start, which makes them again.
            Network.Bridge.RemoveAll(_networks.OwnerTag);
        }

        _registries.Dispose();
        _attachments.Dispose();
        _store.Dispose();
    }

    private string RunDirectory(string id) => Path.Combine(_options.ExecRoot, "containers", id);

    private string DataDirectory(string id) => Path.Combine(_options.DataRoot, "containers", id);

    private string ExitPath(string id) => Path.Combine(DataDirectory(id), "exit.json");

    private string LogPath(string id) => Path.Combine(DataDirectory(id), id + "-json.log");

    /// <summary>The cgroup of a container of which only the id is known, and of those that ask for no parent.</summary>
    private static string CgroupPath(string id) => CgroupPath("", id);

    private static string CgroupPath(ContainerRecord record) => CgroupPath(record.CgroupParent, record.Id);

    private static string CgroupPath(string parent, string id) => $"{(parent.Length > 0 ? parent : "/sampan")}/{id}";

    /// <summary>
    /// The parent of a container's cgroup as <c>--cgroup-parent</c> names it, or else the daemon's option; empty where neither says one. Below
    /// the root of the cgroups either way: <c>/a/b</c> and <c>a/b</c> are one. The parent is made if it is missing, and stays, as with Docker.
    /// </summary>
    private string CgroupParentOf(string? written)
    {
        var chosen = string.IsNullOrEmpty(written) ? _options.CgroupParent ?? "" : written;
        var parts = chosen.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return !parts.Any(part => part is "." or "..") ? string.Join('/', parts)
            : throw EngineException.Invalid($"invalid cgroup parent '{chosen}': it must be a path without '.' and '..'");
    }

    /// <summary>The container's layers, its own on top.</summary>
    private Runtime.OverlayRootfs Overlay(ContainerRecord record) => new(
        LowerDirectories(record.ChainId is { } chain ? _store.Layers.LowerDirs(Oci.ChainId.Parse(chain)) : []),
        Path.Combine(DataDirectory(record.Id), "upper"),
        Path.Combine(DataDirectory(record.Id), "work"));

    /// <summary>An image's layers with the mount points of every container on top, so that making those leaves no trace in anyone's changes.</summary>
    private IReadOnlyList<string> LowerDirectories(IReadOnlyList<string> layers) => [_mountPoints, .. layers];

    private void Publish(Container container, string action, params (string Name, string Value)[] more)
    {
        var attributes = new Dictionary<string, string>(container.Record.Config.Labels ?? []) { ["image"] = container.Record.Image, ["name"] = container.Record.Name };
        foreach (var (name, value) in more)
        {
            attributes[name] = value;
        }

        _events.Publish("container", action, container.Id, attributes);
    }

    /// <summary>Runs one state-changing operation of a container at a time.</summary>
    private static async Task<T> GatedAsync<T>(Container container, CancellationToken cancel, Func<Task<T>> operation)
    {
        await container.Gate.WaitAsync(cancel);
        try
        {
            return await operation();
        }
        finally
        {
            container.Gate.Release();
        }
    }

    private static Task GatedAsync(Container container, CancellationToken cancel, Func<Task> operation) => GatedAsync(container, cancel, async () =>
    {
        await operation();
        return true;
    });
}
