using Sampan.Linux;

namespace Sampan.Store;

/// <summary>Copies an upper directory while it is being walked, overlayfs's signs included.</summary>
internal sealed class LayerCopier : IDisposable
{
    private readonly int _root;
    private readonly RootedDirectory _directories;
    private readonly List<(byte[] Path, FileTime Time)> _times = [];

    public LayerCopier(string target)
    {
        var errno = Sys.TryMkdirAt(Sys.AT_FDCWD, Bytes.FromText(target), 0x1ED /* 0755 */);
        _root = errno == 0 ? Sys.Open(target, Sys.O_RDONLY | Sys.O_DIRECTORY) : throw new SyscallException("mkdir", $"'{target}'", errno);
        _directories = new RootedDirectory(_root);
    }

    /// <summary>A new file to write; the caller closes it.</summary>
    public int Create(byte[] path)
    {
        var (parent, name) = Parent(path);
        return Sys.OpenAt(parent, name, Sys.O_WRONLY | Sys.O_CREAT | Sys.O_EXCL, 0x180);
    }

    public void Directory(int source, byte[] path, TarEntry entry)
    {
        var (parent, name) = Parent(path);
        Check(Sys.TryMkdirAt(parent, name, 0x1C0), path);
        var fd = Sys.OpenAt(parent, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
        _directories.Adopt(path, path, fd);
        SetAttributes(fd, entry);
        if (Overlay.IsOpaque(source))
        {
            Overlay.SetOpaque(fd);
        }

        _times.Add((path, entry.Modified));
    }

    /// <summary>Another name for a file copied before.</summary>
    public void Link(TreeWalker walker, byte[] first)
    {
        using var sources = new RootedDirectory(_root);
        var (from, name) = EntryPath.Split(first);
        Check(sources.TryOpen(from, create: false, out var source), first);
        var (parent, leaf) = Parent(walker.Path);
        Check(Sys.TryLinkAt(source, name, parent, leaf), walker.Path);
    }

    /// <summary>A symlink, device, FIFO or whiteout.</summary>
    public void Node(TreeWalker walker, FileTime time)
    {
        var (parent, name) = Parent(walker.Path);
        Check(walker.Stat.IsSymlink ? Sys.TrySymlinkAt(Sys.ReadlinkAt(walker.Parent, walker.Name), parent, name)
            : Sys.TryMknodAt(parent, name, walker.Stat.Mode, walker.Stat.DeviceMajor, walker.Stat.DeviceMinor), walker.Path);
        Sys.ChownAt(parent, name, walker.Stat.Uid, walker.Stat.Gid);
        if (!walker.Stat.IsSymlink)
        {
            Sys.ChmodAt(parent, name, walker.Stat.Permissions);
        }

        foreach (var (key, value) in FileEntry.Xattrs(walker.Parent, walker.Name))
        {
            Check(Sys.TrySetXattrAt(parent, name, key, value), walker.Path);
        }

        Sys.SetTimesAt(parent, name, time);
    }

    public static void SetAttributes(int fd, TarEntry entry)
    {
        Sys.Chown(fd, entry.Uid, entry.Gid);
        foreach (var (name, value) in entry.Xattrs)
        {
            Check(Sys.TrySetXattr(fd, name, value), entry.Name);
        }

        Sys.Chmod(fd, entry.Mode);
    }

    /// <summary>Sets the times of directories, which copying into them had changed.</summary>
    public void Finish()
    {
        foreach (var (path, time) in _times)
        {
            Check(_directories.TryOpen(path, create: false, out var fd), path);
            Sys.SetTimes(fd, time);
        }
    }

    public void Dispose()
    {
        _directories.Dispose();
        Sys.Close(_root);
    }

    private (int Parent, byte[] Name) Parent(byte[] path)
    {
        var (parent, name) = EntryPath.Split(path);
        Check(_directories.TryOpen(parent, create: false, out var fd), path);
        return (fd, name);
    }

    private static void Check(int errno, byte[] path)
    {
        if (errno != 0)
        {
            throw new SyscallException("copy", $"'/{TarEntry.Display(path)}'", errno);
        }
    }
}
