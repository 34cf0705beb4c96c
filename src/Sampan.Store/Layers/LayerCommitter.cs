using System.Buffers;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>
/// Makes a layer of an overlay's upper directory: one walk gives the tar's digest and the recipe, and either the directory itself becomes the
/// layer, its times brought to what the tar says, or the files are copied on the way.
/// </summary>
internal sealed class LayerCommitter : IDisposable
{
    private readonly CommitOptions _options;
    private readonly CancellationToken _cancel;
    private readonly string _directory;
    private readonly RecipeWriter _recipe;
    private readonly HashingSink _sink = new();
    private readonly ArrayBufferWriter<byte> _header = new(2048);
    private readonly Dictionary<(ulong FileSystem, ulong Inode), byte[]> _links = [];
    private readonly LayerCopier? _copier;
    private long _size;
    private long _entries;

    private LayerCommitter(string directory, CommitOptions options, CancellationToken cancel)
    {
        (_directory, _options, _cancel) = (directory, options, cancel);
        _recipe = new RecipeWriter(Path.Combine(directory, "recipe.zst"));
        _copier = options.Move ? null : new LayerCopier(Path.Combine(directory, "diff"));
    }

    /// <summary>On failure the layer's directory is removed; the upper directory stays.</summary>
    /// <param name="directory">The layer's, which exists and is empty.</param>
    public static async Task<UnpackedLayer> CommitAsync(string directory, string upper, CommitOptions options, CancellationToken cancel)
    {
        try
        {
            return await Task.Factory.StartNew(() => Commit(directory, upper, options, cancel), CancellationToken.None,
                TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch
        {
            TreeRemover.Remove(directory);
            throw;
        }
    }

    public void Dispose()
    {
        _sink.Dispose();
        _recipe.Dispose();
        _copier?.Dispose();
    }

    private static UnpackedLayer Commit(string directory, string upper, CommitOptions options, CancellationToken cancel)
    {
        var root = Sys.Open(upper, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            using var committer = new LayerCommitter(directory, options, cancel);
            var layer = committer.Walk(root);
            if (options.Move)
            {
                Sys.Rename(upper, Path.Combine(directory, "diff"));
            }

            return layer;
        }
        finally
        {
            Sys.Close(root);
        }
    }

    private UnpackedLayer Walk(int root)
    {
        // As in Docker's layers the root has no entry: it takes its attributes from the layer below.
        using var walker = new TreeWalker(root, []);
        while (walker.Next())
        {
            _cancel.ThrowIfCancellationRequested();
            Add(walker);
        }

        _copier?.Finish();
        Raw(TarHeader.End);
        var hash = _sink.Finish();
        _recipe.End(_sink.Total, hash);
        return new UnpackedLayer
        {
            Directory = _directory,
            DiffId = Digest.FromSha256(hash),
            TarSize = _sink.Total,
            Size = _size,
            Entries = _entries,
            HasRoot = false,
        };
    }

    private void Add(TreeWalker walker)
    {
        if (walker.Stat.IsWhiteout)
        {
            var (parent, name) = EntryPath.Split(walker.Path);
            AddMarker(EntryPath.Join(parent, [.. Overlay.WhiteoutPrefix, .. name]));
            _copier?.Node(walker, new FileTime(0, 0));
            return;
        }

        if (walker.Name.AsSpan().StartsWith(Overlay.WhiteoutPrefix))
        {
            throw StoreException.Invalid($"\"/{TarEntry.Display(walker.Path)}\" cannot be put into a layer: names that begin with \".wh.\" mean removed files there");
        }

        var time = Clamp(walker.Stat.Modified);
        var key = (walker.Stat.FileSystem, walker.Stat.Inode);
        var isLinked = walker.Stat.Links > 1 && !walker.Stat.IsDirectory;
        var link = isLinked ? _links.GetValueOrDefault(key) : null;
        var entry = FileEntry.Of(walker.Parent, walker.Name, walker.Path, walker.Stat, link, time);
        if (entry is null)
        {
            return;
        }

        if (isLinked && link is null)
        {
            _links.Add(key, walker.Path);
        }

        TarHeader.Write(_header, entry);
        Raw(_header.WrittenSpan);
        _header.ResetWrittenCount();
        _entries++;
        switch (entry.Kind)
        {
            case TarEntryKind.Regular:
                AddContent(walker, entry);
                break;
            case TarEntryKind.Directory:
                AddDirectory(walker, entry);
                break;
            case TarEntryKind.HardLink:
                _copier?.Link(walker, link!);
                break;
            default:
                _copier?.Node(walker, time);
                break;
        }

        if (_copier is null && time != walker.Stat.Modified)
        {
            Sys.SetTimesAt(walker.Parent, walker.Name, time);
        }
    }

    private void AddDirectory(TreeWalker walker, TarEntry entry)
    {
        var fd = walker.Enter();
        CheckOverlayXattrs(fd, walker.Path);
        _copier?.Directory(fd, walker.Path, entry);
        if (Overlay.IsOpaque(fd))
        {
            AddMarker(EntryPath.Join(walker.Path, Overlay.OpaqueMarker));
        }
    }

    private void AddContent(TreeWalker walker, TarEntry entry)
    {
        var fd = Sys.OpenAt(walker.Parent, walker.Name, Sys.O_RDONLY | Sys.O_NOFOLLOW);
        var copy = -1;
        try
        {
            CheckOverlayXattrs(fd, walker.Path);
            copy = _copier?.Create(walker.Path) ?? -1;
            var isCloned = copy >= 0 && entry.Size > 0 && Sys.TryClone(fd, copy);
            if (entry.Size > 0)
            {
                _recipe.File(walker.Path);
                _recipe.Data(0, entry.Size);
            }

            for (var left = entry.Size; left > 0;)
            {
                var room = _sink.Room(_cancel);
                var n = Sys.Read(fd, room.Length > left ? room[..(int)left] : room);
                if (n == 0)
                {
                    throw new IOException($"\"/{TarEntry.Display(walker.Path)}\" became shorter while it was read");
                }

                if (copy >= 0 && !isCloned)
                {
                    Sys.Write(copy, room[..n]);
                }

                _sink.Advance(n);
                left -= n;
            }

            Raw(TarHeader.Padding(entry.Size));
            _size += entry.Size;
            if (copy >= 0)
            {
                LayerCopier.SetAttributes(copy, entry);
                Sys.SetTimes(copy, entry.Modified);
            }
        }
        finally
        {
            Sys.Close(fd);
            Sys.Close(copy);
        }
    }

    /// <summary>An empty file by whose name a layer says that something below is gone. Its other fields mean nothing and are always the same.</summary>
    private void AddMarker(byte[] name)
    {
        TarHeader.Write(_header, new TarEntry { Name = name, Kind = TarEntryKind.Regular, Mode = 0x180 /* 0600 */ });
        Raw(_header.WrittenSpan);
        _header.ResetWrittenCount();
        _entries++;
    }

    private void Raw(ReadOnlySpan<byte> bytes)
    {
        _recipe.Raw(bytes);
        _sink.Write(bytes, _cancel);
    }

    /// <summary>Whole seconds, as every builder writes them: the same on all file systems.</summary>
    private FileTime Clamp(FileTime time) => new(Math.Min(time.Seconds, _options.TimestampClamp ?? long.MaxValue), 0);

    /// <summary>With these the upper directory does not hold what the user sees; the runtime mounts without the features that make them.</summary>
    private static void CheckOverlayXattrs(int fd, byte[] path)
    {
        var names = Sys.ListXattr(fd);
        if (names.IndexOf("trusted.overlay.metacopy\0"u8) >= 0 || names.IndexOf("trusted.overlay.redirect\0"u8) >= 0)
        {
            throw StoreException.Invalid($"\"/{TarEntry.Display(path)}\" is only a reference to a lower layer: the overlay was mounted with metacopy or redirect_dir");
        }
    }
}
