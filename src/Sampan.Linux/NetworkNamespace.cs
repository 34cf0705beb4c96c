using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Sampan.Linux;

/// <summary>
/// Network namespaces kept alive by a bind mount (network_namespaces(7)). A thread that has entered one is never given back to others: all
/// work inside happens on threads made for it, which end with the work.
/// </summary>
public static partial class NetworkNamespace
{
    private const int CLONE_NEWNET = 0x40000000, MNT_DETACH = 2, StackBytes = 256 * 1024;
    private const ulong MS_BIND = 0x1000;

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

    /// <summary>
    /// Makes a namespace, runs something inside it, and keeps it at <paramref name="path"/> (a new empty file is made there).
    /// </summary>
    public static T Create<T>(string path, Func<T> inside) => RunInNew(() =>
    {
        using (new FileStream(path, FileMode.CreateNew))
        {
        }

        if (mount("/proc/thread-self/ns/net", path, 0, MS_BIND, 0) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            File.Delete(path);
            throw new SyscallException("mount", $"'/proc/thread-self/ns/net' to '{path}' (MS_BIND)", errno);
        }

        try
        {
            return inside();
        }
        catch
        {
            Delete(path);
            throw;
        }
    });

    /// <summary>Runs something in the namespace at <paramref name="path"/> on a thread of its own.</summary>
    public static T Run<T>(string path, Func<T> inside)
    {
        using var handle = File.OpenHandle(path);
        return OnThread(() =>
        {
            if (setns(handle, CLONE_NEWNET) < 0)
            {
                throw new SyscallException("setns", $"'{path}' (CLONE_NEWNET)", Marshal.GetLastPInvokeError());
            }

            return inside();
        });
    }

    /// <summary>Lets a namespace at a path go: unmounts and removes the file. Nothing there is no error.</summary>
    public static void Delete(string path)
    {
        // Several mounts may lie on one another when a crash came between unmount and unlink.
        while (umount2(path, MNT_DETACH) == 0)
        {
        }

        if (Marshal.GetLastPInvokeError() is not (Errno.EINVAL or Errno.ENOENT) and var errno)
        {
            throw new SyscallException("umount2", $"'{path}' (MNT_DETACH)", errno);
        }

        if (File.Exists(path))
        {
            File.Delete(path);
        }
    }

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

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, nint type, ulong flags, nint data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int umount2(string target, int flags);
}
