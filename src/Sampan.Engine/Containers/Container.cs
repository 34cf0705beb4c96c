using Sampan.Api;
using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>Where a container is in its life; the names are the API's.</summary>
internal enum ContainerStatus
{
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

/// <summary>What is stored of a container: what was asked for, and the last facts that were acknowledged about it.</summary>
internal sealed class ContainerRecord
{
    public required string Id { get; init; }

    public required string Name { get; set; }

    public required DateTimeOffset Created { get; set; }

    /// <summary>The image's id, <c>sha256:…</c>.</summary>
    public required string ImageId { get; set; }

    /// <summary>The image as the user named it.</summary>
    public required string Image { get; set; }

    /// <summary>The chain ID of the image's topmost layer; null for an image without layers.</summary>
    public string? ChainId { get; set; }

    /// <summary>The image's configuration with the user's on top (what <c>inspect</c> shows as Config).</summary>
    public required ContainerConfig Config { get; set; }

    public required HostConfig HostConfig { get; set; }

    /// <summary>The endpoint settings asked for, by network.</summary>
    public Dictionary<string, EndpointSettings> Networks { get; set; } = [];

    public List<ContainerMount> Mounts { get; set; } = [];

    /// <summary>What its cgroup is made in, also when the daemon's option is another by now; empty for the daemon's own group.</summary>
    public string CgroupParent { get; init; } = "";

    public ContainerStatus Status { get; set; }

    /// <summary>The host pid of PID 1; 0 when not running.</summary>
    public int Pid { get; set; }

    public int ExitCode { get; set; }

    public bool OomKilled { get; set; }

    /// <summary>Why the last start failed; empty when it did not.</summary>
    public string Error { get; set; } = "";

    public DateTimeOffset? StartedAt { get; set; }

    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>The user stopped it: the restart policy keeps off.</summary>
    public bool StoppedByUser { get; set; }

    public int RestartCount { get; set; }

    /// <summary>Its places in networks while it runs.</summary>
    public List<Networks.EndpointRecord> Endpoints { get; set; } = [];

    /// <summary>Its published ports while it runs.</summary>
    public List<Networks.PortRecord> Ports { get; set; } = [];

    public bool IsRunning => Status is ContainerStatus.Running or ContainerStatus.Paused or ContainerStatus.Restarting;
}

/// <summary>A container in memory: its record, the one operation that may change it at a time, and its monitor while it has one.</summary>
internal sealed class Container(ContainerRecord record)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource<ExitInfo> _nextExit = New<ExitInfo>();
    private CancellationTokenSource? _pause;

    public ContainerRecord Record { get; } = record;

    public string Id => Record.Id;

    /// <summary>Held by start, stop, remove and whatever else changes the state.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    public MonitorClient? Monitor { get; set; }

    /// <summary>Attached clients that wait for the start; the start connects them before the program runs.</summary>
    public List<PendingAttach> Pending { get; } = [];

    /// <summary>Its network namespace, while it runs; after a restart of the daemon null until it is needed.</summary>
    public Network.Sandbox? Sandbox { get; set; }

    /// <summary>Held while the sandbox is opened: by operations on the container, which hold the gate, and for its names, which do not.</summary>
    public Lock SandboxLock { get; } = new();

    /// <summary>What its health checks found since it started; null without checks.</summary>
    public HealthState? Health { get; set; }

    /// <summary>How long it waited before its last start by the restart policy.</summary>
    public TimeSpan LastPause { get; set; }

    /// <summary>Completes when the container is gone.</summary>
    public TaskCompletionSource Removed { get; } = New();

    /// <summary>The next time it ends.</summary>
    public Task<ExitInfo> NextExit
    {
        get
        {
            lock (_lock)
            {
                return _nextExit.Task;
            }
        }
    }

    /// <summary>The wait for the next start by the restart policy begins; the token ends it.</summary>
    public CancellationToken BeginPause(CancellationToken stopping)
    {
        var pause = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Interlocked.Exchange(ref _pause, pause)?.Dispose();
        return pause.Token;
    }

    public void EndPause()
    {
        using var pause = Interlocked.Exchange(ref _pause, null);
        pause?.Cancel();
    }

    public void Ended(ExitInfo exit)
    {
        TaskCompletionSource<ExitInfo> done;
        lock (_lock)
        {
            done = _nextExit;
            _nextExit = New<ExitInfo>();
        }

        done.SetResult(exit);
    }

    private static TaskCompletionSource<T> New<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>A client that attached before the start.</summary>
internal sealed record PendingAttach(bool Stdin, bool Stdout, bool Stderr, TaskCompletionSource<MonitorStream> Connected);

/// <summary>A mount as worked out at create time.</summary>
internal sealed record ContainerMount
{
    /// <summary><c>bind</c>, <c>volume</c> or <c>tmpfs</c>.</summary>
    public required string Type { get; set; }

    /// <summary>The volume's name; empty for the other types.</summary>
    public string Name { get; set; } = "";

    /// <summary>The path on the host; empty for tmpfs.</summary>
    public string Source { get; set; } = "";

    public required string Destination { get; set; }

    public bool ReadOnly { get; set; }

    public string Mode { get; set; } = "";

    public string Propagation { get; set; } = "";

    public bool NonRecursive { get; set; }

    /// <summary>Mounts below a read-only bind stay as they are.</summary>
    public bool ReadOnlyNonRecursive { get; set; }

    public string TmpfsOptions { get; set; } = "";

    /// <summary>The volume was made for this container and goes with it on <c>rm -v</c> and <c>--rm</c>.</summary>
    public bool Anonymous { get; set; }

    /// <summary>The volume is new: the image's files at the destination are put into it before the first start.</summary>
    public bool FillFromImage { get; set; }
}
