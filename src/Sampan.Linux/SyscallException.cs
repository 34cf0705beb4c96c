using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>A system call failed. Carries the call, what it was applied to, and errno, so that no caller has to read text.</summary>
/// <param name="call">The native name of the call, e.g. <c>mount</c>.</param>
/// <param name="subject">Its arguments as a person would name them, e.g. <c>'proc' to '/proc' (MS_NOSUID)</c>.</param>
/// <param name="errno">The error number, see <see cref="Linux.Errno"/>.</param>
public sealed class SyscallException(string call, string subject, int errno)
    : IOException($"{call} {subject}: {Describe(errno)}")
{
    /// <summary>The native name of the call.</summary>
    public string Call { get; } = call;

    /// <summary>What the call was applied to.</summary>
    public string Subject { get; } = subject;

    /// <summary>The error number (errno(3)).</summary>
    public int Errno { get; } = errno;

    /// <summary>The kernel's text for an error number in lower case, as in "no such file or directory".</summary>
    public static string Describe(int errno)
    {
        var text = Marshal.GetPInvokeErrorMessage(errno);
        return text.Length == 0 ? $"errno {errno}" : char.ToLowerInvariant(text[0]) + text[1..];
    }
}
