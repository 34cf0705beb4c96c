using System.Text.Json;
using System.Text.Json.Serialization;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>What a monitor is told when it is started; <c>monitor.json</c> in the run directory.</summary>
public sealed record MonitorConfig
{
    public required string Id { get; init; }

    /// <summary>exec-root/containers/ID; <c>config.json</c> (the spec) is there.</summary>
    public required string RunDirectory { get; init; }

    public OverlayRootfs? Overlay { get; set; }

    public bool Terminal { get; set; }

    public bool OpenStdin { get; set; }

    /// <summary>The first attached client that ends its input ends the container's.</summary>
    public bool StdinOnce { get; set; }

    /// <summary>Null when nothing is logged.</summary>
    public string? LogPath { get; set; }

    public long LogMaxBytes { get; set; }

    public int LogMaxFiles { get; set; } = 1;

    /// <summary>Where the exit status is written.</summary>
    public required string ExitPath { get; init; }

    public required string CgroupPath { get; init; }

    public bool Init { get; set; }

    public int Rows { get; set; }

    public int Columns { get; set; }

    /// <summary>
    /// An attached client that takes no byte for this long is cut off. Until then it holds the container up once
    /// <see cref="StreamHub.ClientLimit"/> bytes wait for it, as with Docker, but not forever.
    /// </summary>
    public int AttachStallSeconds { get; set; } = 3600;
}

/// <summary>
/// A request to a monitor: one line of JSON at the start of a connection, answered by one line (<see cref="MonitorReply"/>).
/// <code>
///   state                        → the state; with Subscribe, a second line when the container has exited
///   start                        → pid, or why not
///   attach, exec                 → then bytes to the monitor are input (half-close ends it) and bytes from it are frames:
///                                   stream (1 stdout, 2 stderr, 3 exit code), 0, 0, 0, length (big endian), payload
///   resize, signal, pause, resume → done
///   shutdown                     → ends a container that was never started
///
///   daemon                            monitor                          container
///     | -- posix_spawn, socket as fd 3 -> |                                 |
///     |                                   | -- clone3 ------------------->  | sets everything up, waits
///     |                                   | listens on monitor.sock         |
///     | &lt;-- a first line: state, or error - |                                 |
///     |     (the socket stays a subscription)                               |
///     | -- attach ----------------------> |                                 |
///     | -- start -----------------------> | -- go ----------------------->  | execve
///     | &lt;-- frames ---------------------- | &lt;-- output -------------------  |
///     |                                   | &lt;-- pidfd ready --------------  | ends
///     |                                   | exit.json, cgroup removed       .
///     | &lt;-- last frame; second line ------ | ends when all has been taken
/// </code>
/// A client that goes away ends its own streams and nothing else. A container that was never started ends with its monitor when nobody has
/// been subscribed for a minute: a daemon that dies between create and start leaves nothing.
/// </summary>
public sealed record MonitorRequest
{
    public required string Op { get; init; }

    public bool Subscribe { get; set; }

    public bool Stdin { get; set; }

    public bool Stdout { get; set; }

    public bool Stderr { get; set; }

    public string? ExecId { get; set; }

    public Process? Process { get; set; }

    public bool Terminal { get; set; }

    public int Rows { get; set; }

    public int Columns { get; set; }

    public int Signal { get; set; }
}

/// <summary>A monitor's answer; an error is carried as its parts.</summary>
public sealed record MonitorReply
{
    public int Pid { get; set; }

    /// <summary>Unix nanoseconds; 0 when not started.</summary>
    public long StartedAt { get; set; }

    public ExitInfo? Exit { get; set; }

    public MonitorError? Error { get; set; }

    /// <summary>The execs that run and the last of those that ended; only in a state.</summary>
    public List<ExecState>? Execs { get; set; }

    /// <summary>Log lines that could not be written (a full disk).</summary>
    public long LogLostLines { get; set; }

    /// <summary>Why the last of them could not be.</summary>
    public string? LogError { get; set; }
}

/// <summary>An exec as its monitor remembers it.</summary>
/// <param name="ExitCode">Null while it runs.</param>
public sealed record ExecState(string Id, int Pid, int? ExitCode);

/// <summary>The frames of an attached stream: Docker's stdcopy format with one more kind.</summary>
internal static class MonitorFrames
{
    public const byte Stdout = 1, Stderr = 2, Exit = 3;

    public const int HeadLength = 8, PayloadLimit = 64 * 1024;

    public static void WriteHead(Span<byte> head, byte stream, int length)
    {
        head[..4].Clear();
        head[0] = stream;
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(head[4..], length);
    }
}

/// <summary>A failure as data: where, on what, and which exit code it means (125, 126, 127 or 128).</summary>
public sealed record MonitorError(string Message, SetupStep Step, int Errno, int ExitCode)
{
    internal static MonitorError Of(Exception e) => e is ContainerSetupException setup
        ? new MonitorError(setup.Message, setup.Step, setup.Errno, setup.ExitCode)
        : new MonitorError(e.Message, SetupStep.None, 0, 128);
}

/// <summary>How a container ended; what <c>exit.json</c> holds.</summary>
public sealed record ExitInfo
{
    public int ExitCode { get; set; }

    public bool OomKilled { get; set; }

    /// <summary>Unix nanoseconds.</summary>
    public long StartedAt { get; set; }

    /// <summary>Unix nanoseconds.</summary>
    public long FinishedAt { get; set; }

    /// <summary>Why the code is not the program's own; empty otherwise.</summary>
    public string Error { get; set; } = "";
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(MonitorConfig))]
[JsonSerializable(typeof(MonitorRequest))]
[JsonSerializable(typeof(MonitorReply))]
[JsonSerializable(typeof(ExitInfo))]
internal sealed partial class MonitorJson : JsonSerializerContext
{
    public static byte[] Line(MonitorRequest request) => [.. JsonSerializer.SerializeToUtf8Bytes(request, Default.MonitorRequest), (byte)'\n'];

    public static byte[] Line(MonitorReply reply) => [.. JsonSerializer.SerializeToUtf8Bytes(reply, Default.MonitorReply), (byte)'\n'];
}
