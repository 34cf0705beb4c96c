namespace Sampan.Linux;

/// <summary>
/// Kernel parameters under /proc/sys, named by slashes since interface names may hold dots. Those under <c>net/</c> are the calling thread's
/// network namespace's.
/// </summary>
public static class Sysctl
{
    private const int LongestValue = 4096;

    /// <summary>The value without its line end, or null when the kernel has no such parameter.</summary>
    public static string? Read(string name)
    {
        var path = Path.Combine("/proc/sys", name);
        return File.Exists(path) ? File.ReadAllText(path).TrimEnd('\n') : null;
    }

    /// <summary>
    /// Writes a value where it is not there already, so that a read-only /proc/sys with the right value is no hindrance. The way is walked once:
    /// the names below <c>net/</c> are hashed alike in all network namespaces, and each walk meets those of every container.
    /// </summary>
    /// <returns>False when the kernel has no such parameter (e.g. IPv6 is switched off).</returns>
    /// <exception cref="SyscallException">The parameter cannot be read or written.</exception>
    public static bool Write(string name, string value) => Write(Sys.AT_FDCWD, $"/proc/sys/{name}", value);

    /// <summary>As the other, by a name below an open directory of parameters.</summary>
    public static bool Write(int directory, string path, string value)
    {
        var errno = Sys.TryOpenAt(directory, Bytes.FromText(path), Sys.O_RDWR, 0, out var fd);
        var denied = errno is Errno.EROFS or Errno.EACCES or Errno.EPERM ? errno : 0;
        if (denied != 0)
        {
            errno = Sys.TryOpenAt(directory, Bytes.FromText(path), Sys.O_RDONLY, 0, out fd);
        }

        if (errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return false;
        }

        if (errno != 0)
        {
            throw new SyscallException("open", $"'{path}'", errno);
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
                throw new SyscallException("open for writing", $"'{path}'", denied);
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
}
