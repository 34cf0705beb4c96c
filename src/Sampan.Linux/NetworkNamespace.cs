using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Sampan.Linux;

/// <summary>
/// Network namespaces (network_namespaces(7)). Each is there while something refers to it: a process, a socket that was opened inside, a
/// descriptor. A thread that has entered one is never given back to others: all work inside happens on threads made for it, which end with
/// the work.
/// </summary>
public static partial class NetworkNamespace
{
    private const int CLONE_NEWNET = 0x40000000, StackBytes = 256 * 1024;

    /// <summary>The identity of the calling thread's namespace, as in <c>net:[4026531840]</c>.</summary>
    public static string Current => new FileInfo("/proc/thread-self/ns/net").LinkTarget
        ?? throw new SyscallException("readlink", "'/proc/thread-self/ns/net'", Errno.ENOENT);

    /// <summary>
    /// Runs something in a new namespace on a thread of its own. The namespace ends with the last thing that refers to it.
    /// </summary>
    public static T RunInNew<T>(Func<T> inside) => OnThread(() =>
    {
        if (unshare(CLONE_NEWNET) < 0)
        {
            throw new SyscallException("unshare", "CLONE_NEWNET", Marshal.GetLastPInvokeError());
        }

        return inside();
    });

    /// <summary>Where any process finds a namespace for as long as this one has it open.</summary>
    public static string PathOf(SafeFileHandle ns) => $"/proc/{Environment.ProcessId}/fd/{ns.DangerousGetHandle()}";

    /// <summary>Runs something in the namespace at <paramref name="path"/>, e.g. a process's, on a thread of its own.</summary>
    public static T Run<T>(string path, Func<T> inside)
    {
        using var ns = File.OpenHandle(path);
        return Run(ns, inside);
    }

    /// <summary>Runs something in a namespace on a thread of its own.</summary>
    public static T Run<T>(SafeFileHandle ns, Func<T> inside) => OnThread(() =>
    {
        if (setns(ns, CLONE_NEWNET) < 0)
        {
            throw new SyscallException("setns", "CLONE_NEWNET", Marshal.GetLastPInvokeError());
        }

        return inside();
    });

    private static T OnThread<T>(Func<T> work)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    result = work();
                }
                catch (Exception e)
                {
                    failure = ExceptionDispatchInfo.Capture(e);
                }
            },
            StackBytes)
        { IsBackground = true, Name = "netns" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(SafeFileHandle fd, int type);
}
