using Sampan.Api;
using Sampan.Linux;

namespace Sampan.Engine.Builds;

/// <summary>
/// A build context that is a directory of the client's own, found by the client's descriptor and kept open: no archive is sent and only the
/// files that the build uses are read. They are read with the daemon's rights, as whoever may use its socket is root anyway.
/// </summary>
internal sealed class LocalDirectory : IDisposable
{
    private readonly int _fd;

    private LocalDirectory(int fd) => _fd = fd;

    /// <summary>The directory whatever may be renamed or mounted over; its last part is not a symlink.</summary>
    public string Path => $"/proc/self/fd/{_fd}/.";

    /// <summary>Opens it.</summary>
    /// <exception cref="EngineException">Conflict: the client cannot be seen from here, or has another directory there; it sends an archive then.</exception>
    public static LocalDirectory Open(LocalContext context)
    {
        var path = $"/proc/{context.Pid}/fd/{context.Fd}";
        var fd = -1;
        var errno = context.Pid <= 0 ? Errno.ESRCH : Sys.TryOpenAt(Sys.AT_FDCWD, Bytes.FromText(path), Sys.O_PATH | Sys.O_DIRECTORY, 0, out fd);
        if (errno != 0)
        {
            throw EngineException.Conflict($"the client's directory cannot be reached from the daemon ({path}: {SyscallException.Describe(errno)}): send it as an archive");
        }

        // A process of another namespace may have this number here.
        var stat = Sys.Stat(fd);
        if ((stat.FileSystem, stat.Inode) != (context.FileSystem, context.Inode))
        {
            Sys.Close(fd);
            throw EngineException.Conflict($"{path} is not the client's directory: send it as an archive");
        }

        return new(fd);
    }

    public void Dispose() => Sys.Close(_fd);
}
