namespace Sampan.Build;

/// <summary>
/// Runs the command of one RUN step in a container. The builder prepares the directories and turns what the command leaves in
/// <see cref="RunStep.Upper"/> into a layer; the executor only runs it.
/// </summary>
public interface IStepExecutor
{
    /// <summary>
    /// Runs a command to its end and gives its exit status. Output may come from any thread, but never two pieces at once and none after
    /// the task has completed. When cancelled it kills the container, waits until nothing uses the directories, and throws.
    /// </summary>
    /// <param name="output">Gets stream (1 stdout, 2 stderr) and bytes, valid only during the call; may take its time.</param>
    Task<int> RunAsync(RunStep step, Func<int, ReadOnlyMemory<byte>, Task> output, CancellationToken cancel);
}

/// <summary>A command and what its container is made of.</summary>
public sealed record RunStep
{
    /// <summary>64 hexadecimal digits, new for each step.</summary>
    public required string Id { get; init; }

    /// <summary>Layers of the root file system, topmost first; may be empty.</summary>
    public required IReadOnlyList<string> Lower { get; init; }

    /// <summary>The overlay's writable directory; on the same file system as <see cref="Work"/>.</summary>
    public required string Upper { get; init; }

    public required string Work { get; init; }

    /// <summary>The program and its arguments.</summary>
    public required IReadOnlyList<string> Args { get; init; }

    /// <summary>As <c>NAME=value</c>; HOME and HOSTNAME are the executor's to add where they are missing.</summary>
    public required IReadOnlyList<string> Env { get; init; }

    /// <summary>Absolute; made by the executor when an image names one that it lacks.</summary>
    public required string Cwd { get; init; }

    /// <summary>As in USER: name or number, with an optional group; empty is root.</summary>
    public string User { get; init; } = "";

    /// <summary>default, none, host, or a network's name.</summary>
    public string NetworkMode { get; init; } = "default";

    /// <summary>All capabilities, no seccomp (<c>--security=insecure</c>).</summary>
    public bool Insecure { get; init; }

    public long ShmSizeBytes { get; init; }

    public IReadOnlyList<string> ExtraHosts { get; init; } = [];

    public StepLimits Limits { get; init; } = new();

    public IReadOnlyList<StepMount> Mounts { get; init; } = [];
}

/// <summary>How a mount of a step is made.</summary>
public enum StepMountKind
{
    /// <summary>A directory or file of the host, see <see cref="StepMount.Source"/>.</summary>
    Bind,

    /// <summary>An overlay of <see cref="StepMount.Lower"/>, with a throw-away upper when it is writable.</summary>
    Overlay,

    Tmpfs,

    /// <summary>A socket that leads to the agent for ssh at <see cref="StepMount.Source"/>.</summary>
    Agent,

    /// <summary>A file with given bytes, kept in memory only (a secret, a script).</summary>
    File,
}

/// <summary>
/// One mount of a RUN step. Mount points that are missing may be made in the upper directory: the builder removes them afterwards.
/// </summary>
public sealed record StepMount(StepMountKind Kind, string Target, bool ReadOnly)
{
    /// <summary>The host's path (bind, agent), absolute.</summary>
    public string? Source { get; init; }

    /// <summary>Layers, topmost first (overlay).</summary>
    public IReadOnlyList<string> Lower { get; init; } = [];

    /// <summary>The directory of the overlay to show.</summary>
    public string SubPath { get; init; } = "/";

    /// <summary>Bytes (tmpfs); 0 is no limit.</summary>
    public long SizeBytes { get; init; }

    /// <summary>What is in the file.</summary>
    public ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>Permission bits of the file or socket.</summary>
    public uint Mode { get; init; } = 0x100; // 0400

    public uint Uid { get; init; }

    public uint Gid { get; init; }
}
