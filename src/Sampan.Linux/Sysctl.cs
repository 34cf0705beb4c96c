namespace Sampan.Linux;

/// <summary>
/// Kernel parameters under /proc/sys, named by slashes since interface names may hold dots. Those under <c>net/</c> are the calling thread's
/// network namespace's.
/// </summary>
public static class Sysctl
{
    private const int LongestValue = 4096;

    /// <summary>After how many files a new instance of procfs is taken, which costs as much as a few of them.</summary>
    private const int OpenedByInstance = 64;

    private static readonly Lock s_gate = new();
    private static int s_proc = -1;
    private static uint s_opened;

    /// <summary>The value without its line end, or null when the kernel has no such parameter.</summary>
    public static string? Read(string name)
    {
        var path = Path.Combine("/proc/sys", name);
        return File.Exists(path) ? File.ReadAllText(path).TrimEnd('\n') : null;
    }

    /// <summary>
    /// Writes a value where it is not there already, so that a read-only /proc/sys with the right value is no hindrance.
    /// </summary>
    /// <returns>False when the kernel has no such parameter (e.g. IPv6 is switched off).</returns>
    /// <exception cref="SyscallException">The parameter cannot be read or written.</exception>
    public static bool Write(string name, string value)
    {
        var path = $"sys/{name}";
        var errno = TryOpen(path, Sys.O_RDWR, out var fd);
        var denied = errno is Errno.EROFS or Errno.EACCES or Errno.EPERM ? errno : 0;
        if (denied != 0)
        {
            errno = TryOpen(path, Sys.O_RDONLY, out fd);
        }

        if (errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return false;
        }

        if (errno != 0)
        {
            throw new SyscallException("open", $"'/proc/{path}'", errno);
        }

        try
        {
            Span<byte> current = stackalloc byte[LongestValue];
            current = current[..Sys.Read(fd, current)].TrimEnd((byte)'\n');
            if (current.SequenceEqual(Bytes.FromText(value)))
            {
                return true;
            }

            if (denied != 0)
            {
                throw new SyscallException("open for writing", $"'/proc/{path}'", denied);
            }

            Sys.Seek(fd, 0, Sys.SEEK_SET);
            Sys.Write(fd, Bytes.FromText(value));
            return true;
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    /// <summary>
    /// Opens a file of /proc in an instance of our own, which is replaced now and then. The kernel keeps the names below <c>net/</c> of all network
    /// namespaces that were ever asked for in one hash chain of the instance: in /proc itself a walk takes 0.5 ms where there are 1,000 containers.
    /// </summary>
    private static int TryOpen(string path, int flags, out int fd)
    {
        lock (s_gate)
        {
            if (s_opened++ % OpenedByInstance == 0)
            {
                Sys.Close(s_proc);
                s_proc = Mount();
            }

            // Where none is to be had (a kernel before 5.2, or too few rights), /proc itself.
            return s_proc >= 0 ? Sys.TryOpenAt(s_proc, Bytes.FromText(path), flags, 0, out fd)
                : Sys.TryOpenAt(Sys.AT_FDCWD, Bytes.FromText($"/proc/{path}"), flags, 0, out fd);
        }
    }

    /// <summary>An instance of procfs that is mounted nowhere; negative when there is none.</summary>
    private static int Mount()
    {
        var fs = Raw.Fsopen(CString.Of("proc"));
        if (fs < 0)
        {
            return fs;
        }

        var result = Raw.FsconfigCreate(fs);
        result = result < 0 ? result : Raw.Fsmount(fs, 0);
        Raw.Close(fs);
        return result;
    }
}
