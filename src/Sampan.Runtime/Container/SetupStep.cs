using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>The steps of a container's setup, in order; a failure crosses from the child to the monitor as one of these and an errno.</summary>
public enum SetupStep
{
    None,
    Session,
    Cgroup,
    Namespace,
    Propagation,
    Rootfs,
    Mount,
    Device,
    PivotRoot,
    Terminal,
    Hostname,
    Sysctl,
    MaskedPath,
    ReadonlyPath,
    Stdio,
    Rlimit,
    OomScore,
    Capabilities,
    User,
    Cwd,
    Seccomp,
    Exec,
}

/// <summary>Setting up a container or an exec failed: which step, on what, and errno.</summary>
public sealed class ContainerSetupException(SetupStep step, string subject, int errno)
    : Exception(step == SetupStep.Exec
        ? $"exec: \"{subject}\": {Describe(subject, errno)}"
        : $"{step.ToString().ToLowerInvariant()} {subject}: {SyscallException.Describe(errno)}")
{
    public SetupStep Step { get; } = step;

    public string Subject { get; } = subject;

    public int Errno { get; } = errno;

    /// <summary>What a shell and Docker report: 127 for a command that is not there, 126 for one that cannot be run, else 128.</summary>
    public int ExitCode => (Step, Errno) switch
    {
        (SetupStep.Exec or SetupStep.Cwd, Linux.Errno.ENOENT) => 127,
        (SetupStep.Exec or SetupStep.Cwd, _) => 126,
        _ => 128,
    };

    private static string Describe(string command, int errno) => errno == Linux.Errno.ENOENT && !command.Contains('/')
        ? "executable file not found in $PATH"
        : $"{(errno == Linux.Errno.ENOENT ? "stat " + command + ": " : "")}{SyscallException.Describe(errno)}";
}
