using System.Buffers.Binary;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// What crosses the pipe from the child, eight bytes: the step, the index of its subject in the plan, errno.
/// <code>
///   monitor                      child
///      | --- clone3 -------------> | sets everything up
///      | &lt;-- Ready, or a failure -- |
///      | --- one byte: go -------> | rights, seccomp, execve
///      | &lt;-- end of file, or ----- | (the pipe closes on execve)
///      |     a failure             |
/// </code>
/// </summary>
internal static class ChildReport
{
    public const int Length = 8;

    public static void Send(int fd, SetupStep step, int index, int errno)
    {
        Span<byte> report = stackalloc byte[Length];
        BinaryPrimitives.WriteInt16LittleEndian(report, (short)step);
        BinaryPrimitives.WriteInt16LittleEndian(report[2..], (short)index);
        BinaryPrimitives.WriteInt32LittleEndian(report[4..], errno);
        Raw.Write(fd, report);
    }

    /// <summary>In the child: true when the word came, false when the monitor is gone.</summary>
    public static bool WaitForGo(int fd)
    {
        Span<byte> go = stackalloc byte[1];
        return Raw.Read(fd, go) == 1;
    }

    /// <summary>Null at end of file. The pipe is never waited for longer than the time given; then the errno is ETIMEDOUT.</summary>
    public static (SetupStep Step, int Index, int Errno)? Receive(int fd, SetupStep awaited, int timeoutMs)
    {
        if (Raw.PollRead(fd, timeoutMs) == 0)
        {
            return (awaited, 0, Errno.ETIMEDOUT);
        }

        Span<byte> report = stackalloc byte[Length];
        var read = Raw.Read(fd, report);
        return read == Length
            ? ((SetupStep)BinaryPrimitives.ReadInt16LittleEndian(report), BinaryPrimitives.ReadInt16LittleEndian(report[2..]),
                BinaryPrimitives.ReadInt32LittleEndian(report[4..]))
            : null;
    }
}
