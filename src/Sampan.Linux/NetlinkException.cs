namespace Sampan.Linux;

/// <summary>
/// The kernel refused a netlink request. Like <see cref="SyscallException"/>, with the kernel's own explanation beside errno.
/// </summary>
/// <param name="call">The message, e.g. <c>RTM_NEWLINK</c>.</param>
/// <param name="subject">What it was about as a person would name it, e.g. <c>'veth1a2b3c4' (veth)</c>.</param>
/// <param name="errno">The error number, see <see cref="Linux.Errno"/>.</param>
/// <param name="reason">The kernel's extended acknowledgement, or null when it gave none.</param>
public sealed class NetlinkException(string call, string subject, int errno, string? reason)
    : IOException($"{call} {subject}: {(reason is null ? "" : reason.TrimEnd('.') + ": ")}{SyscallException.Describe(errno)}")
{
    /// <summary>The message's name.</summary>
    public string Call { get; } = call;

    /// <summary>What the message was about.</summary>
    public string Subject { get; } = subject;

    /// <summary>The error number (errno(3)).</summary>
    public int Errno { get; } = errno;

    /// <summary>The kernel's extended acknowledgement, or null.</summary>
    public string? Reason { get; } = reason;
}
