using Sampan.Linux;

namespace Sampan.Store;

/// <summary>
/// Opens directories below a root by path. Symlinks are followed as a process whose root it is would follow them (openat2, RESOLVE_IN_ROOT):
/// nothing leads outside, even when someone changes the tree meanwhile. The last one stays open, as the next path is mostly beside it.
/// </summary>
internal sealed class RootedDirectory(int root) : IDisposable
{
    private const ulong Inside = Sys.RESOLVE_IN_ROOT | Sys.RESOLVE_NO_MAGICLINKS;

    private byte[]? _path;
    private byte[] _real = [];
    private int _fd = -1;
    private byte[]? _rootPath;

    /// <summary>Directories that were made because something below them was asked for, by real path.</summary>
    public List<byte[]> Implied { get; } = [];

    /// <summary>The path of the directory opened last with all symlinks resolved.</summary>
    public byte[] Real => _real;

    /// <summary>Opens a clean path; the descriptor is valid until the next call. Gives an errno or 0.</summary>
    public int TryOpen(byte[] path, bool create, out int fd)
    {
        if (_path is not null && path.AsSpan().SequenceEqual(_path))
        {
            fd = _fd;
            return 0;
        }

        var errno = Walk(path, out fd, out var real);
        if (errno == Errno.ENOENT && create)
        {
            errno = Create(path, out fd, out real);
        }

        if (errno == 0)
        {
            Adopt(path, real, fd);
        }

        return errno;
    }

    /// <summary>Takes over the descriptor of a directory that was just made, as its files come next.</summary>
    public void Adopt(byte[] path, byte[] real, int fd)
    {
        Forget();
        (_path, _real, _fd) = (path, real, fd);
    }

    /// <summary>Closes what is open.</summary>
    public void Forget()
    {
        if (_fd != root)
        {
            Sys.Close(_fd);
        }

        (_path, _fd) = (null, -1);
    }

    /// <summary>The next path is looked up anew, as a symlink or directory was replaced; the descriptor stays valid until then.</summary>
    public void Expire() => _path = null;

    public void Dispose() => Forget();

    private int Walk(byte[] path, out int fd, out byte[] real)
    {
        real = path;
        fd = root;
        if (path.Length == 0)
        {
            return 0;
        }

        if (path.Length >= Sys.PATH_MAX)
        {
            return WalkLong(path, out fd);
        }

        var errno = Sys.TryOpenAt2(root, path, Sys.O_RDONLY | Sys.O_DIRECTORY, 0, Inside | Sys.RESOLVE_NO_SYMLINKS, out fd);
        if (errno != Errno.ELOOP)
        {
            return errno;
        }

        errno = Sys.TryOpenAt2(root, path, Sys.O_RDONLY | Sys.O_DIRECTORY, 0, Inside, out fd);
        real = errno == 0 ? RealPath(fd) : path;
        return errno;
    }

    /// <summary>A path longer than the kernel takes at once: in pieces, without symlinks.</summary>
    private int WalkLong(ReadOnlySpan<byte> path, out int fd)
    {
        fd = root;
        while (!path.IsEmpty)
        {
            var end = path.Length < Sys.PATH_MAX ? path.Length : path[..(Sys.PATH_MAX - 1)].LastIndexOf((byte)'/');
            if (end <= 0)
            {
                return Errno.ENAMETOOLONG;
            }

            var errno = Sys.TryOpenAt2(fd, path[..end], Sys.O_RDONLY | Sys.O_DIRECTORY, 0, Sys.RESOLVE_BENEATH | Sys.RESOLVE_NO_SYMLINKS, out var next);
            if (fd != root)
            {
                Sys.Close(fd);
            }

            if (errno != 0)
            {
                return errno;
            }

            fd = next;
            path = path[Math.Min(path.Length, end + 1)..];
        }

        return 0;
    }

    private int Create(byte[] path, out int fd, out byte[] real)
    {
        // The deepest part that exists, then one directory after the other.
        var end = path.Length;
        int errno;
        do
        {
            end = Math.Max(0, path.AsSpan(0, end).LastIndexOf((byte)'/'));
            errno = Walk(path[..end], out fd, out real);
        }
        while (errno == Errno.ENOENT);

        while (errno == 0 && end < path.Length)
        {
            var rest = path.AsSpan(end == 0 ? 0 : end + 1);
            var slash = rest.IndexOf((byte)'/');
            var name = slash < 0 ? rest : rest[..slash];
            errno = Sys.TryMkdirAt(fd, name, 0x1ED /* 0755 */);
            var next = -1;
            if (errno == 0)
            {
                errno = Sys.TryOpenAt(fd, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW, 0, out next);
            }

            if (fd != root)
            {
                Sys.Close(fd);
            }

            fd = next;
            end = path.Length - rest.Length + name.Length;
            real = EntryPath.Join(real, name);
            if (errno == 0)
            {
                Sys.Chmod(fd, 0x1ED);
                Implied.Add(real);
            }
        }

        return errno;
    }

    private byte[] RealPath(int fd)
    {
        _rootPath ??= Sys.ReadlinkAt(Sys.AT_FDCWD, Bytes.FromText($"/proc/self/fd/{root}"));
        var full = Sys.ReadlinkAt(Sys.AT_FDCWD, Bytes.FromText($"/proc/self/fd/{fd}"));
        var prefix = _rootPath.AsSpan().SequenceEqual("/"u8) ? 1 : _rootPath.Length + 1;
        return full.Length < prefix ? [] : full[prefix..];
    }
}
