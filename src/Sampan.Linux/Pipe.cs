using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>pipe2(2).</summary>
public static unsafe partial class Pipe
{
    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static partial int Pipe2(int* fds, int flags);

    /// <summary>A pipe whose ends close on exec.</summary>
    /// <exception cref="SyscallException">No descriptors are left.</exception>
    public static (int Read, int Write) Create()
    {
        var fds = stackalloc int[2];
        return Pipe2(fds, Raw.O_CLOEXEC) == 0 ? (fds[0], fds[1]) : throw new SyscallException("pipe2", "", Marshal.GetLastPInvokeError());
    }
}
