using Sampan.Linux;

namespace Sampan.Store;

/// <summary>
/// Turns the entries of a tar into files below a root. What an entry names is looked up by <see cref="RootedDirectory"/>, so nothing is read,
/// written or linked outside, whatever names, symlinks and hard links the archive has. A later entry replaces an earlier one; directories merge.
/// </summary>
internal class TreeExtractor : IDisposable
{
    private readonly int _root;
    private readonly byte[] _prefix;
    private readonly ExtractOptions _options;
    private readonly List<(byte[] Path, FileTime Time)> _directoryTimes = [];

    /// <param name="root">An open directory that symlinks do not lead out of.</param>
    /// <param name="prefix">The directory below it to unpack into, which exists; "" for itself.</param>
    public TreeExtractor(int root, byte[] prefix, ExtractOptions options)
    {
        _root = root;
        _prefix = prefix;
        _options = options;
        Directories = new RootedDirectory(root);
    }

    /// <summary>Sum of the sizes of the regular files written, in bytes.</summary>
    public long Size { get; protected set; }

    protected RootedDirectory Directories { get; }

    /// <summary>The archive being read, for messages.</summary>
    protected TarReader Reader { get; private set; } = null!;

    /// <summary>Unpacks all entries, then sets the times of directories, which unpacking into them had changed.</summary>
    public void Run(TarReader reader, CancellationToken cancel)
    {
        Reader = reader;
        while (reader.Next() is { } entry)
        {
            cancel.ThrowIfCancellationRequested();
            Add(entry);
        }

        reader.Drain();
        Finish();
    }

    public virtual void Dispose() => Directories.Dispose();

    /// <summary>Whether an entry is no file but says something about the layers below; then it was handled.</summary>
    protected virtual bool IsMarker(TarEntry entry, byte[] parent, byte[] name) => false;

    /// <summary>Takes away what is in the way of an entry.</summary>
    protected virtual void Replace(int parent, byte[] name, in FileStat existing) => TreeRemover.Remove(parent, name);

    /// <summary>Is told of a regular file's content before it is written.</summary>
    protected virtual void OnFile(TarEntry entry, byte[] path)
    {
    }

    /// <summary>Is told of a directory that stands where something else was.</summary>
    protected virtual void OnDirectoryReplaced(int directory, in FileStat replaced)
    {
    }

    /// <summary>Opens an entry's parent, making it if needed; valid until another directory is opened.</summary>
    protected int OpenParent(byte[] parent)
    {
        var errno = Directories.TryOpen(parent, create: true, out var fd);
        return errno == 0 ? fd : throw Failure(errno, $"its directory \"{TarEntry.Display(parent)}\"");
    }

    /// <summary>The error of an entry: the archive's fault, or the machine's when the disk is full or broken.</summary>
    protected Exception Failure(int errno, string subject) =>
        errno is Errno.ENOSPC or Errno.EIO or Errno.EROFS or Errno.ENOMEM or Errno.EMFILE or Errno.ENFILE or Errno.EPERM or Errno.EACCES or 122 /* EDQUOT */
            ? new IOException($"unpacking failed: {Reader.Error($"{subject}: {SyscallException.Describe(errno)}").Message}")
            : Reader.Error($"{subject}: {SyscallException.Describe(errno)}");

    private void Add(TarEntry entry)
    {
        var path = EntryPath.Clean(entry.Name) ?? throw Reader.Error("the name leads outside of the archive's root");
        if (entry.Kind == TarEntryKind.Note)
        {
            return;
        }

        if (path.Length == 0)
        {
            if (entry.Kind != TarEntryKind.Directory)
            {
                throw Reader.Error("an entry that is no directory names the archive's root");
            }

            AddRoot(entry);
            return;
        }

        path = EntryPath.Join(_prefix, path);
        var (parent, name) = EntryPath.Split(path);
        try
        {
            if (IsMarker(entry, parent, name))
            {
                return;
            }

            var fd = OpenParent(parent);
            switch (entry.Kind)
            {
                case TarEntryKind.Regular:
                    AddFile(entry, fd, name);
                    break;
                case TarEntryKind.Directory:
                    AddDirectory(entry, fd, path, name);
                    break;
                case TarEntryKind.HardLink:
                    AddHardLink(entry, parent, name);
                    break;
                default:
                    AddNode(entry, fd, name);
                    break;
            }
        }
        catch (SyscallException e)
        {
            throw Failure(e.Errno, e.Call);
        }
    }

    /// <summary>The archive's own top says nothing about a directory that was there before.</summary>
    protected virtual void AddRoot(TarEntry entry)
    {
    }

    /// <summary>Gives the root itself what its entry says.</summary>
    protected void SetRoot(TarEntry entry)
    {
        SetAttributes(_root, entry);
        _directoryTimes.Add(([], entry.Modified));
    }

    private void AddDirectory(TarEntry entry, int parent, byte[] path, byte[] name)
    {
        var errno = Sys.TryMkdirAt(parent, name, 0x1C0 /* 0700 */);
        var replaced = default(FileStat);
        if (errno == Errno.EEXIST && Sys.TryStatAt(parent, name, out replaced) == 0 && !replaced.IsDirectory)
        {
            MakeRoom(parent, name, replaced, entry);
            errno = Sys.TryMkdirAt(parent, name, 0x1C0);
        }

        if (errno is not (0 or Errno.EEXIST))
        {
            throw Failure(errno, "mkdir");
        }

        var fd = Sys.OpenAt(parent, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
        var real = EntryPath.Join(Directories.Real, name);
        Directories.Adopt(path, real, fd);
        SetAttributes(fd, entry);
        if (errno == 0 && replaced.Mode != 0)
        {
            OnDirectoryReplaced(fd, replaced);
        }

        _directoryTimes.Add((real, entry.Modified));
    }

    private void AddFile(TarEntry entry, int parent, byte[] name)
    {
        const int flags = Sys.O_WRONLY | Sys.O_CREAT | Sys.O_EXCL;
        var errno = Sys.TryOpenAt(parent, name, flags, 0x180 /* 0600 */, out var fd);
        if (errno == Errno.EEXIST)
        {
            MakeRoom(parent, name, Sys.StatAt(parent, name), entry);
            errno = Sys.TryOpenAt(parent, name, flags, 0x180, out fd);
        }

        if (errno != 0)
        {
            throw Failure(errno, "create");
        }

        try
        {
            Size += entry.Size;
            if (entry.StoredSize > 0)
            {
                OnFile(entry, EntryPath.Join(Directories.Real, name));
            }

            FileContent.Write(Reader, entry, fd);
            SetAttributes(fd, entry);
            Sys.SetTimes(fd, entry.Modified);
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    private void AddHardLink(TarEntry entry, byte[] parent, byte[] name)
    {
        var target = EntryPath.Clean(entry.LinkName);
        if (target is null || target.Length == 0)
        {
            throw Reader.Error($"the hard link's target \"{TarEntry.Display(entry.LinkName)}\" is outside of the archive's root");
        }

        var (targetParent, targetName) = EntryPath.Split(EntryPath.Join(_prefix, target));
        if (targetParent.AsSpan().SequenceEqual(parent) && targetName.AsSpan().SequenceEqual(name))
        {
            throw Reader.Error("the hard link names itself");
        }

        // Only one directory stays open, so the target's gets a holder of its own.
        using var targets = new RootedDirectory(_root);
        var errno = targets.TryOpen(targetParent, create: false, out var from);
        var to = OpenParent(parent);
        errno = errno != 0 ? errno : Sys.TryLinkAt(from, targetName, to, name);
        if (errno == Errno.EEXIST)
        {
            MakeRoom(to, name, Sys.StatAt(to, name), entry);
            errno = Sys.TryLinkAt(from, targetName, to, name);
        }

        if (errno != 0)
        {
            throw Failure(errno == Errno.EPERM ? Errno.EISDIR : errno, $"hard link to \"{TarEntry.Display(entry.LinkName)}\"");
        }
    }

    private void AddNode(TarEntry entry, int parent, byte[] name)
    {
        var errno = MakeNode(entry, parent, name);
        if (errno == Errno.EEXIST)
        {
            MakeRoom(parent, name, Sys.StatAt(parent, name), entry);
            errno = MakeNode(entry, parent, name);
        }

        if (errno != 0)
        {
            throw Failure(errno, entry.Kind == TarEntryKind.Symlink ? $"symlink to \"{TarEntry.Display(entry.LinkName)}\"" : "mknod");
        }

        var (uid, gid) = _options.Owner ?? (entry.Uid, entry.Gid);
        Sys.ChownAt(parent, name, uid, gid);
        foreach (var (key, value) in Xattrs(entry))
        {
            CheckXattr(Sys.TrySetXattrAt(parent, name, key, value), key);
        }

        if (entry.Kind != TarEntryKind.Symlink)
        {
            Sys.ChmodAt(parent, name, entry.Mode);
        }

        Sys.SetTimesAt(parent, name, entry.Modified);
    }

    private static int MakeNode(TarEntry entry, int parent, byte[] name) => entry.Kind switch
    {
        TarEntryKind.Symlink => Sys.TrySymlinkAt(entry.LinkName, parent, name),
        TarEntryKind.Fifo => Sys.TryMknodAt(parent, name, FileStat.S_IFIFO | 0x180, 0, 0),
        TarEntryKind.BlockDevice => Sys.TryMknodAt(parent, name, FileStat.S_IFBLK | 0x180, entry.DeviceMajor, entry.DeviceMinor),
        _ => Sys.TryMknodAt(parent, name, FileStat.S_IFCHR | 0x180, entry.DeviceMajor, entry.DeviceMinor),
    };

    private void MakeRoom(int parent, byte[] name, in FileStat existing, TarEntry entry)
    {
        var wantsDirectory = entry.Kind == TarEntryKind.Directory;
        if (_options.NoOverwriteDirNonDir && existing.IsDirectory != wantsDirectory)
        {
            throw Reader.Error(wantsDirectory ? $"cannot overwrite non-directory \"{Bytes.ToText(name)}\" with directory"
                : $"cannot overwrite directory \"{Bytes.ToText(name)}\" with non-directory");
        }

        Replace(parent, name, existing);
        if (!existing.IsRegular)
        {
            Directories.Expire();
        }
    }

    /// <summary>Owner first, as a change of owner takes capabilities and set-user-ID away; then attributes, then permissions.</summary>
    private void SetAttributes(int fd, TarEntry entry)
    {
        var (uid, gid) = _options.Owner ?? (entry.Uid, entry.Gid);
        Sys.Chown(fd, uid, gid);
        foreach (var (name, value) in Xattrs(entry))
        {
            CheckXattr(Sys.TrySetXattr(fd, name, value), name);
        }

        Sys.Chmod(fd, entry.Mode);
    }

    /// <summary>overlayfs's own attributes would let an archive redirect to other directories.</summary>
    private static IEnumerable<(byte[] Name, byte[] Value)> Xattrs(TarEntry entry) => entry.Xattrs.Count == 0 ? []
        : entry.Xattrs.Where(x => !x.Name.AsSpan().StartsWith("trusted.overlay."u8) && !x.Name.AsSpan().StartsWith("user.overlay."u8));

    /// <summary>As Docker does, an attribute that the file system or the kernel's policy does not take is left out.</summary>
    private void CheckXattr(int errno, byte[] name)
    {
        if (errno is not (0 or Errno.EOPNOTSUPP or Errno.EPERM or Errno.EACCES))
        {
            throw Failure(errno, $"extended attribute \"{TarEntry.Display(name)}\"");
        }
    }

    private void Finish()
    {
        Directories.Forget();
        foreach (var (path, time) in _directoryTimes)
        {
            // One that was replaced since has other times.
            if (Directories.TryOpen(path, create: false, out var fd) == 0 && Directories.Real.AsSpan().SequenceEqual(path))
            {
                Sys.SetTimes(fd, time);
            }
        }
    }
}
