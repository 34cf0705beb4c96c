using Sampan.Build.Context;
using Sampan.Linux;

namespace Sampan.Build.Files;

/// <summary>Owner, permissions and time of something that is written.</summary>
internal readonly record struct Attributes(uint Mode, uint Uid, uint Gid, FileTime Modified);

/// <summary>
/// Writes into a new upper directory what a step adds to a stack of layers. Directories on the way that exist below are copied up with
/// their attributes, as overlayfs would; missing ones are made. All paths are free of symlinks (see <see cref="MergedView.Resolve"/>).
/// </summary>
/// <param name="upper">An empty directory, absolute.</param>
/// <param name="below">What is below it.</param>
/// <param name="implied">Attributes of directories that nobody asked for but that have to be.</param>
/// <param name="digests">What the files that are copied have to be; null where nothing can change them.</param>
internal sealed class LayerWriter(string upper, MergedView below, Attributes implied, FileDigests? digests = null) : IDisposable
{
    private readonly Dictionary<string, (Attributes Attributes, MergedNode? Below)> _directories = [];
    private readonly Dictionary<(ulong FileSystem, ulong Inode, Attributes Attributes), string> _links = [];
    private readonly FileFiller _filler = new(digests);

    /// <summary>True when nothing has been written.</summary>
    public bool IsEmpty { get; private set; } = true;

    /// <summary>Makes a directory.</summary>
    /// <param name="overwrite">One that exists gets the attributes too.</param>
    public void Directory(string path, Attributes attributes, bool overwrite, MergedNode? source)
    {
        var isNew = MakeDirectory(path, attributes);
        if (overwrite && !isNew)
        {
            _directories[path] = (attributes, _directories[path].Below);
        }

        if (source is not null && (isNew || overwrite))
        {
            CopyXattrs(source, path);
        }
    }

    /// <summary>Copies a file, symlink, FIFO or device.</summary>
    public void Copy(MergedNode source, string path, Attributes attributes)
    {
        Prepare(path);
        var stat = source.Stat;
        var key = (stat.FileSystem, stat.Inode, attributes);
        using var at = At(path);
        if (stat.Links > 1 && !stat.IsSymlink && _links.TryGetValue(key, out var first))
        {
            using var other = At(first);
            Check("linkat", path, Sys.TryLinkAt(other.Directory, other.Name, at.Directory, at.Name));
            return;
        }

        if (stat.Links > 1)
        {
            _links.TryAdd(key, path);
        }

        if (stat.IsRegular)
        {
            Check("copying to", path, Sys.TryOpenAt(at.Directory, at.Name, Sys.O_RDWR | Sys.O_CREAT | Sys.O_EXCL | Sys.O_NOFOLLOW, 0x180, out var target));
            _filler.Fill(source, path, target, attributes);
            return;
        }

        if (stat.IsSymlink)
        {
            Check("symlinkat", path, Sys.TrySymlinkAt(Bytes.FromText(MergedView.ReadLink(source)), at.Directory, at.Name));
        }
        else
        {
            Check("mknodat", path, Sys.TryMknodAt(at.Directory, at.Name, stat.Type | 0x180, stat.DeviceMajor, stat.DeviceMinor));
        }

        Sys.ChownAt(at.Directory, at.Name, attributes.Uid, attributes.Gid);
        if (!stat.IsSymlink)
        {
            Sys.ChmodAt(at.Directory, at.Name, attributes.Mode);
        }

        CopyXattrs(source, path);
        Sys.SetTimesAt(at.Directory, at.Name, attributes.Modified);
    }

    /// <summary>Writes a file with given bytes.</summary>
    public void File(string path, ReadOnlySpan<byte> content, Attributes attributes)
    {
        Prepare(path);
        using var at = At(path);
        var fd = Sys.OpenAt(at.Directory, at.Name, Sys.O_WRONLY | Sys.O_CREAT | Sys.O_EXCL | Sys.O_NOFOLLOW, 0x180);
        try
        {
            Sys.Write(fd, content);
            Sys.Chown(fd, attributes.Uid, attributes.Gid);
            Sys.Chmod(fd, attributes.Mode);
            Sys.SetTimes(fd, attributes.Modified);
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    /// <summary>Waits for the files, then gives directories their final attributes, deepest first, as writing into one changes its time.</summary>
    public void Finish()
    {
        _filler.Wait();
        foreach (var (path, (attributes, _)) in _directories.OrderByDescending(d => d.Key.Length))
        {
            using var at = At(path);
            Sys.ChownAt(at.Directory, at.Name, attributes.Uid, attributes.Gid);
            Sys.ChmodAt(at.Directory, at.Name, attributes.Mode);
            Sys.SetTimesAt(at.Directory, at.Name, attributes.Modified);
        }
    }

    /// <summary>Nothing is written any more.</summary>
    public void Dispose() => _filler.Dispose();

    private Place At(string path) => Place.Of(upper + path);

    /// <summary>Makes room for something that is no directory: its parents are there, nothing of an earlier source is in the way.</summary>
    private void Prepare(string path)
    {
        var parent = MakeParents(path);
        if (_directories.ContainsKey(path) || Below(parent, path) is { Stat.IsDirectory: true })
        {
            throw new IOException($"cannot overwrite directory '{path}' with a file");
        }

        IsEmpty = false;
        using var at = At(path);
        var errno = Sys.TryUnlinkAt(at.Directory, at.Name);
        Check("unlinkat", path, errno == Errno.ENOENT ? 0 : errno);
        if (errno == 0)
        {
            // What an earlier source had there is no longer what a later hard link of it is to be linked to.
            foreach (var link in _links.Where(link => link.Value == path).ToList())
            {
                _links.Remove(link.Key);
            }
        }
    }

    /// <summary>Makes the directories above; gives what is below the last of them.</summary>
    private MergedNode? MakeParents(string path)
    {
        var parent = path[..Math.Max(1, path.LastIndexOf('/'))];
        MakeDirectory(parent, implied);
        return _directories[parent].Below;
    }

    private static MergedNode? Below(MergedNode? parent, string path) =>
        parent is null ? null : MergedView.Child(parent, path[(path.LastIndexOf('/') + 1)..]);

    /// <summary>Makes a directory unless it is there; true when it is new in the merged view.</summary>
    private bool MakeDirectory(string path, Attributes attributes)
    {
        if (_directories.ContainsKey(path))
        {
            return false;
        }

        if (path == "/")
        {
            // The root is there already; an image without layers has ordinary attributes.
            _directories[path] = (below.Root is { } root ? Of(root) : new(0x1ED, 0, 0, implied.Modified), below.Root);
            return false;
        }

        var node = Below(MakeParents(path), path);
        if (node is { Stat.IsDirectory: false })
        {
            throw new IOException($"cannot make directory '{path}': a file of that name exists");
        }

        IsEmpty = false;
        using var at = At(path);
        Check("mkdirat", path, Sys.TryMkdirAt(at.Directory, at.Name, 0x1C0));
        _directories[path] = (node is null ? attributes : Of(node), node);
        if (node is not null)
        {
            CopyXattrs(node, path);
        }

        return node is null;
    }

    private static Attributes Of(MergedNode node) => new(node.Stat.Permissions, node.Stat.Uid, node.Stat.Gid, node.Stat.Modified);

    private void CopyXattrs(MergedNode source, string path)
    {
        foreach (var (name, value) in Xattrs.Of(source))
        {
            using var at = At(path);
            Check("lsetxattr", path, Sys.TrySetXattrAt(at.Directory, at.Name, name, value));
        }
    }

    private static void Check(string call, string path, int errno)
    {
        if (errno != 0)
        {
            throw new SyscallException(call, $"'{path}'", errno);
        }
    }
}
