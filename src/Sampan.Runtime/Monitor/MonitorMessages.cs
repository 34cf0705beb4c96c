using System.Text.Json.Serialization;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A container's program runs.</summary>
/// <param name="Pid">PID 1 of the container, as the host sees it.</param>
public sealed record StartedInfo(int Pid, DateTimeOffset StartedAt);

/// <summary>How a container ended; also the content of exit.json.</summary>
public sealed record ExitInfo
{
    /// <summary>The exit code, or 128 and the number of the signal that ended the process.</summary>
    public required int ExitCode { get; init; }

    /// <summary>The kernel killed a process of the container for want of memory.</summary>
    public bool OomKilled { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public required DateTimeOffset FinishedAt { get; init; }

    /// <summary>What went wrong around the process itself, e.g. that the monitor was killed; null normally.</summary>
    public string? Error { get; init; }
}

/// <summary>Which streams a client wants.</summary>
public sealed record AttachRequest
{
    public bool Stdin { get; init; }

    public bool Stdout { get; init; } = true;

    public bool Stderr { get; init; } = true;
}

/// <summary>Another program in the running container.</summary>
public sealed record ExecRequest
{
    /// <summary>The name by which resize and later questions refer to it.</summary>
    public required string Id { get; init; }

    public required Process Process { get; init; }

    public bool Terminal { get; init; }

    public int Width { get; init; }

    public int Height { get; init; }

    /// <summary>Connect the client to standard input; without it the program reads /dev/null.</summary>
    public bool Stdin { get; init; }

    public bool Stdout { get; init; } = true;

    public bool Stderr { get; init; } = true;

    /// <summary>No streams at all: output is dropped; the exit code still arrives.</summary>
    public bool Detach { get; init; }
}

/// <summary>One exec, running or ended.</summary>
/// <param name="ExitCode">Null while it runs.</param>
public sealed record ExecState(string Id, int Pid, int? ExitCode);

/// <summary>What a monitor says of itself.</summary>
public sealed record MonitorState
{
    /// <summary>The monitor's <see cref="MonitorProtocol.Version"/>: a newer daemon may meet an older monitor.</summary>
    public required int Version { get; init; }

    public required int MonitorPid { get; init; }

    /// <summary>PID 1 of the container, also while it waits to be started.</summary>
    public required int Pid { get; init; }

    /// <summary>Null while the container waits to be started.</summary>
    public StartedInfo? Started { get; init; }

    public bool Paused { get; init; }

    /// <summary>The execs that run and the last of those that ended.</summary>
    public List<ExecState> Execs { get; init; } = [];

    /// <summary>Attached clients, the execs' included.</summary>
    public int Clients { get; init; }

    /// <summary>Log lines that could not be written (disk full), and why the last one could not.</summary>
    public long LogFailures { get; init; }

    /// <inheritdoc cref="LogFailures"/>
    public string? LogError { get; init; }
}

/// <summary>The size of a terminal: the container's, or an exec's.</summary>
internal sealed record ResizeMessage(string? ExecId, int Height, int Width);

internal sealed record SignalMessage(int Signal);

internal sealed record ExecStartedMessage(int Pid);

internal sealed record ExecExitedMessage(int ExitCode);

/// <summary>A refused request; <see cref="Step"/> and what follows are set when setting up a process failed.</summary>
internal sealed record ErrorMessage(MonitorErrorKind Kind, string Message)
{
    public string? Step { get; init; }

    public string? Call { get; init; }

    public string? Subject { get; init; }

    public int Errno { get; init; }

    public int ExitCode { get; init; }
}

/// <summary>JSON of monitor.json, exit.json and the control frames.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true)]
[JsonSerializable(typeof(MonitorConfig))]
[JsonSerializable(typeof(ExitInfo))]
[JsonSerializable(typeof(StartedInfo))]
[JsonSerializable(typeof(AttachRequest))]
[JsonSerializable(typeof(ExecRequest))]
[JsonSerializable(typeof(MonitorState))]
[JsonSerializable(typeof(ResizeMessage))]
[JsonSerializable(typeof(SignalMessage))]
[JsonSerializable(typeof(ExecStartedMessage))]
[JsonSerializable(typeof(ExecExitedMessage))]
[JsonSerializable(typeof(ErrorMessage))]
internal sealed partial class MonitorJson : JsonSerializerContext;
