using Sampan.Api;
using Sampan.Linux;

namespace Sampan.Engine.Builds;

/// <summary>Something that a client of this machine has open by O_PATH, found by the client's descriptor and kept open.</summary>
internal static class LocalFile
{
    /// <exception cref="EngineException">Conflict: the client cannot be seen from here, or has something else there.</exception>
    public static int Open(LocalContext context, int flags, string what, string instead)
    {
        var path = $"/proc/{context.Pid}/fd/{context.Fd}";
        var fd = -1;
        var errno = context.Pid <= 0 ? Errno.ESRCH : Sys.TryOpenAt(Sys.AT_FDCWD, Bytes.FromText(path), Sys.O_PATH | flags, 0, out fd);
        if (errno != 0)
        {
            throw EngineException.Conflict($"the client's {what} cannot be reached from the daemon ({path}: {SyscallException.Describe(errno)}): {instead}");
        }

        // A process of another namespace may have this number here.
        var stat = Sys.Stat(fd);
        if ((stat.FileSystem, stat.Inode) != (context.FileSystem, context.Inode))
        {
            Sys.Close(fd);
            throw EngineException.Conflict($"{path} is not the client's {what}: {instead}");
        }

        return fd;
    }
}

/// <summary>
/// A build context that is a directory of the client's own: no archive is sent and only the files that the build uses are read. They are
/// read with the daemon's rights, as whoever may use its socket is root anyway.
/// </summary>
internal sealed class LocalDirectory : IDisposable
{
    private readonly int _fd;

    private LocalDirectory(int fd) => _fd = fd;

    /// <summary>The directory whatever may be renamed or mounted over; its last part is not a symlink.</summary>
    public string Path => $"/proc/self/fd/{_fd}/.";

    /// <summary>Opens it.</summary>
    /// <exception cref="EngineException">Conflict: the client cannot be seen from here, or has another directory there; it sends an archive then.</exception>
    public static LocalDirectory Open(LocalContext context) => new(LocalFile.Open(context, Sys.O_DIRECTORY, "directory", "send it as an archive"));

    public void Dispose() => Sys.Close(_fd);
}

/// <summary>The socket of the client's agent for ssh.</summary>
internal sealed class LocalSocket : IDisposable
{
    private readonly int _fd;

    private LocalSocket(int fd) => _fd = fd;

    /// <summary>A path that git's processes can use as well as the daemon.</summary>
    public string Path => $"/proc/{Environment.ProcessId}/fd/{_fd}";

    /// <summary>Opens it.</summary>
    /// <exception cref="EngineException">Conflict: the client cannot be seen from here. InvalidParameter: it is no socket.</exception>
    public static LocalSocket Open(LocalContext context)
    {
        var fd = LocalFile.Open(context, 0, "agent", "an agent can only be used by a daemon on the same machine");
        if (Sys.Stat(fd).Type == FileStat.S_IFSOCK)
        {
            return new(fd);
        }

        Sys.Close(fd);
        throw EngineException.Invalid("the client's agent is not a socket");
    }

    public void Dispose() => Sys.Close(_fd);
}
