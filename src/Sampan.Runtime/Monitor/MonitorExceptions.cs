namespace Sampan.Runtime;

/// <summary>Why a monitor refused a request.</summary>
public enum MonitorErrorKind
{
    /// <summary>The request is not one this monitor knows, or malformed.</summary>
    BadRequest,

    /// <summary>The container is not in a state that allows it: not started, started already, ended, an exec id in use.</summary>
    WrongState,

    /// <summary>No exec of that id.</summary>
    NotFound,

    /// <summary>A process could not be set up or executed (<see cref="ContainerStartException"/>).</summary>
    Setup,

    /// <summary>A system call failed.</summary>
    System,

    /// <summary>The monitor did not answer in time, or its connection broke.</summary>
    Unreachable,
}

/// <summary>A monitor refused a request or could not be reached.</summary>
public class MonitorException(MonitorErrorKind kind, string message, Exception? inner = null) : IOException(message, inner)
{
    public MonitorErrorKind Kind { get; } = kind;
}

/// <summary>A container, or an exec, could not be set up or its program not executed.</summary>
public sealed class ContainerStartException : MonitorException
{
    internal ContainerStartException(ErrorMessage error)
        : base(MonitorErrorKind.Setup, error.Message) =>
        (Step, Call, Subject, Errno, ExitCode) = (error.Step, error.Call, error.Subject, error.Errno, error.ExitCode);

    /// <summary>The step of the setup (<see cref="SetupStep"/>), when it was one.</summary>
    public string? Step { get; }

    /// <summary>The system call, when the failure names one.</summary>
    public string? Call { get; }

    /// <summary>What the step was applied to.</summary>
    public string? Subject { get; }

    /// <summary>errno(3); 0 when no system call failed.</summary>
    public int Errno { get; }

    /// <summary>127 for a program that is not there, 126 for one that cannot be executed, 125 for everything else.</summary>
    public int ExitCode { get; }
}
