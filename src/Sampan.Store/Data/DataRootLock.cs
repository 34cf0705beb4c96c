using System.Globalization;
using System.Text;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>The lock file of a data root, held by flock(2) for as long as its daemon lives: a killed one leaves nothing to clean up.</summary>
internal sealed class DataRootLock : IDisposable
{
    private int _fd;

    private DataRootLock(int fd) => _fd = fd;

    /// <summary>Makes the directories, checks that they can be written to, and takes the lock.</summary>
    /// <exception cref="StoreInUseException">Another process has it.</exception>
    /// <exception cref="IOException">A directory cannot be made or written to.</exception>
    public static DataRootLock Prepare(string root)
    {
        try
        {
            // Only root may look in: a layer holds set-user-ID files, and container files belong to whoever the image says.
            const uint mode = 0x1C9; // 0711
            Directory.CreateDirectory(Path.GetDirectoryName(root) ?? "/");
            foreach (var name in (ReadOnlySpan<string>)["", "content", "layers", "containers", "volumes", "tmp"])
            {
                var path = Path.Combine(root, name);
                var errno = Sys.TryMkdirAt(Sys.AT_FDCWD, Bytes.FromText(path), mode);
                if (errno is not (0 or Errno.EEXIST))
                {
                    throw new SyscallException("mkdir", $"'{path}'", errno);
                }
            }

            var fd = Sys.Open(Path.Combine(root, "lock"), Sys.O_RDWR | Sys.O_CREAT, 0x180 /* 0600 */);
            return Lock(fd, root);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new IOException($"data root \"{root}\" is not usable: {e.Message}", e);
        }
    }

    public void Dispose()
    {
        Sys.Close(_fd);
        _fd = -1;
    }

    private static DataRootLock Lock(int fd, string root)
    {
        try
        {
            Span<byte> text = stackalloc byte[16];
            if (!Sys.TryLock(fd))
            {
                var length = Sys.Read(fd, text, 0);
                _ = int.TryParse(text[..length].TrimEnd((byte)'\n'), CultureInfo.InvariantCulture, out var pid);
                throw new StoreInUseException(root, pid);
            }

            Sys.Truncate(fd, 0);
            Sys.Write(fd, Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n"));
            return new DataRootLock(fd);
        }
        catch
        {
            Sys.Close(fd);
            throw;
        }
    }
}
