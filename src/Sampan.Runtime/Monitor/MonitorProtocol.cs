using System.Buffers.Binary;

namespace Sampan.Runtime;

/// <summary>
/// What daemon and monitor say to each other. Everything is a frame: Docker's eight-byte stream header, whose spare bytes hold the tag by
/// which a reply finds its request. Output frames have tag 0 and are thus byte for byte what an attached Docker client expects.
/// <code>
///   byte  0      1    2..3       4..7
///       [type]  [0]  [tag be]  [length be]  payload (JSON, or the bytes of a stream)
///
///   launch   daemon                            monitor                          container
///              | -- posix_spawn, socket as fd 3 -> |                                 |
///              |                                   | -- clone3 ------------------->  | set up, waits
///              |                                   | listens on RUNDIR/monitor.sock  |
///              | &lt;-- State, or Error ------------- |                                 |
///              | -- Start -----------------------> | -- go ----------------------->  | execve
///              | &lt;-- Started, or Error ----------- |                                 |
///              | &lt;-- Exited ---------------------- | &lt;-------------------------------- ends
///
///   control  the inherited socket, or after a daemon restart a connection that sends Subscribe: any number of requests, replies by tag,
///            and Exited when it happens.
///   attach   a connection of its own: Attach, Ok; then &lt;-- Stdout/Stderr frames, --> Stdin frames and StdinEnd; at last &lt;-- End.
///   exec     a connection of its own: Exec, ExecStarted; then as attach; at last &lt;-- ExecExited, End.
/// </code>
/// A client that goes closes its connection; that alone ends nothing but its own streams. The one exception: a monitor whose container
/// was never started ends, with the container, when its launcher's socket closes, so that a daemon that dies between create and start
/// leaves nothing.
/// </summary>
public static class MonitorProtocol
{
    public const int Version = 1;

    /// <summary>Bytes of a frame's header.</summary>
    public const int HeaderLength = 8;

    /// <summary>The longest payload of a stream frame in bytes.</summary>
    public const int StreamFrameLimit = 64 * 1024;

    /// <summary>The longest payload of a control frame in bytes (an exec may carry a large environment).</summary>
    public const int ControlFrameLimit = 4 * 1024 * 1024;

    /// <summary>The descriptor of the launcher's socket in the monitor.</summary>
    public const int LauncherFd = 3;

    internal static void WriteHeader(Span<byte> header, FrameType type, ushort tag, int length)
    {
        header[0] = (byte)type;
        header[1] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], tag);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], length);
    }

    /// <exception cref="MonitorException">The length is none that the type can have.</exception>
    internal static FrameHeader ReadHeader(ReadOnlySpan<byte> header)
    {
        var frame = new FrameHeader((FrameType)header[0], BinaryPrimitives.ReadUInt16BigEndian(header[2..]), BinaryPrimitives.ReadInt32BigEndian(header[4..]));
        var limit = frame.Type <= FrameType.Stderr ? StreamFrameLimit : ControlFrameLimit;
        return frame.Length >= 0 && frame.Length <= limit
            ? frame
            : throw new MonitorException(MonitorErrorKind.BadRequest, $"frame of type {(int)frame.Type} with {(uint)frame.Length} bytes, more than {limit}");
    }
}

internal readonly record struct FrameHeader(FrameType Type, ushort Tag, int Length);

/// <summary>Kinds of frames; 0 to 2 are Docker's stream numbers.</summary>
internal enum FrameType : byte
{
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
    StdinEnd = 3,

    // Requests.
    GetState = 16,
    Subscribe = 17,
    Start = 18,
    Attach = 19,
    Exec = 20,
    Resize = 21,
    Signal = 22,
    Pause = 23,
    Resume = 24,
    Shutdown = 25,

    // Replies and events.
    Ok = 64,
    Error = 65,
    State = 66,
    Started = 67,
    ExecStarted = 68,
    Exited = 69,
    ExecExited = 70,
    End = 71,
}
