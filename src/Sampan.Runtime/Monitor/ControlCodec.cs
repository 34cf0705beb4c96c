using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Sampan.Runtime;

/// <summary>Control payloads to and from JSON.</summary>
internal static class ControlCodec
{
    public static byte[] Write<T>(T message, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(message, type);

    /// <exception cref="MonitorException">Not the JSON that this frame holds.</exception>
    public static T Read<T>(ReadOnlySpan<byte> payload, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(payload, type) ?? throw new MonitorException(MonitorErrorKind.BadRequest, "control frame holds null");
        }
        catch (JsonException e)
        {
            throw new MonitorException(MonitorErrorKind.BadRequest, $"control frame: {e.Message}", e);
        }
    }

    /// <summary>An error as it crosses the socket.</summary>
    public static ErrorMessage Describe(Exception e) => e switch
    {
        ContainerSetupException s => new ErrorMessage(MonitorErrorKind.Setup, s.Message)
        {
            Step = s.Step.ToString().ToLowerInvariant(),
            Subject = s.Subject,
            Errno = s.Errno,
            ExitCode = s.ExitCode is 126 or 127 ? s.ExitCode : 125,
        },
        Linux.SyscallException s => new ErrorMessage(MonitorErrorKind.System, s.Message) { Call = s.Call, Subject = s.Subject, Errno = s.Errno, ExitCode = 125 },
        MonitorException m => new ErrorMessage(m.Kind, m.Message) { ExitCode = 125 },
        _ => new ErrorMessage(MonitorErrorKind.System, e.Message) { ExitCode = 125 },
    };

    /// <summary>The exception that the client throws for it.</summary>
    /// <param name="settingUp">The request was to set up a process, so that any failure is one of starting it.</param>
    public static MonitorException ToException(ErrorMessage error, bool settingUp) =>
        error.Kind == MonitorErrorKind.Setup || (settingUp && error.Kind == MonitorErrorKind.System)
            ? new ContainerStartException(error)
            : new MonitorException(error.Kind, error.Message);
}
