using System.Globalization;
using System.Text;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>The lock file of a data root, held by flock(2) for as long as its daemon lives: a killed one leaves nothing to clean up.</summary>
internal sealed class DataRootLock : IDisposable
{
    /// <summary>What a daemon is starting while it is killed has the lock, too, until it executes its program.</summary>
    private const int PatienceMilliseconds = 1000;

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

                if (name is "layers" or "tmp")
                {
                    SpreadTrees(path);
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

    /// <summary>
    /// ext4 puts a new tree into its parent's group of inodes, and there it looks at every inode freed in the last 35 seconds before it gives one
    /// out (ext4's recently_deleted): where many files have just been removed a new one costs half a millisecond. Another group has none.
    /// </summary>
    private static void SpreadTrees(string path)
    {
        var fd = Sys.Open(path, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            // No matter where it cannot be said: only ext4 has this need.
            Sys.TrySetTopDirectory(fd);
        }
        finally
        {
            Sys.Close(fd);
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
            if (!Sys.TryLock(fd) && (IsHeldBy(Holder(fd)) || !SpinWait.SpinUntil(() => Sys.TryLock(fd), PatienceMilliseconds)))
            {
                throw new StoreInUseException(root, Holder(fd));
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

    /// <summary>Who has taken the lock last; 0 when that was not left.</summary>
    private static int Holder(int fd)
    {
        Span<byte> text = stackalloc byte[16];
        var length = Sys.Read(fd, text, 0);
        return int.TryParse(text[..length].TrimEnd((byte)'\n'), CultureInfo.InvariantCulture, out var pid) ? pid : 0;
    }

    /// <summary>Whether it is surely the process itself that has it, and none that it was starting.</summary>
    private static bool IsHeldBy(int pid) => pid > 0 && pid != Environment.ProcessId && Directory.Exists($"/proc/{pid}");
}
