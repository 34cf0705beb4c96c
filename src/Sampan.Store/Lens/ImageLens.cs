using Sampan.Linux;

namespace Sampan.Store;

/// <summary>What a layer does to a path of those below it.</summary>
/// <param name="Layer">Counted from the lowest.</param>
/// <param name="Path">Absolute; names that are not UTF-8 in the form of <see cref="Bytes"/>.</param>
/// <param name="Bytes">What the layer holds for it.</param>
/// <param name="HiddenBytes">What a layer below holds for it and nobody sees any more.</param>
/// <param name="HiddenLayer">That layer; -1 when there is none.</param>
public sealed record LensChange(int Layer, ChangeKind Kind, string Path, long Bytes, long HiddenBytes, int HiddenLayer);

/// <summary>The size of everything in a directory of the merged file system.</summary>
public sealed record LensDirectory(string Path, long Bytes);

/// <summary>A path that differs between two images.</summary>
/// <param name="Bytes">Its size in the second less that in the first.</param>
/// <param name="What">Of a change: <c>type</c>, <c>mode</c>, <c>owner</c>, <c>content</c>, <c>target</c>, <c>device</c>.</param>
public sealed record LensDifference(ChangeKind Kind, string Path, long Bytes, IReadOnlyList<string> What);

/// <summary>
/// Looks into an image: what each layer changes, and what is left of it. The unpacked directories are the index: their inodes are read, not their
/// files, and no archive.
/// </summary>
public sealed class ImageLens
{
    private readonly IReadOnlyList<Layer> _layers;
    private readonly LensNode _root = new("", default, 0);
    private readonly List<LensChange> _changes = [];

    private ImageLens(IReadOnlyList<Layer> layers) => _layers = layers;

    /// <summary>What the layers do, lowest first, in the order of paths.</summary>
    public IReadOnlyList<LensChange> Changes => _changes;

    /// <param name="layers">Lowest first. Hold a <see cref="Lease"/> meanwhile.</param>
    public static ImageLens Of(IReadOnlyList<Layer> layers, CancellationToken cancel)
    {
        var lens = new ImageLens(layers);
        for (var i = 0; i < layers.Count; i++)
        {
            lens.Add(i, cancel);
        }

        return lens;
    }

    /// <summary>The directories with the most in them, largest first.</summary>
    public IReadOnlyList<LensDirectory> Directories(int most)
    {
        var sizes = new Dictionary<string, long>();
        foreach (var (path, node) in _root.All("").Where(n => n.Node.Bytes > 0))
        {
            for (var end = path.LastIndexOf('/'); end >= 0; end = end == 0 ? -1 : path.LastIndexOf('/', end - 1))
            {
                var directory = end == 0 ? "/" : path[..end];
                sizes[directory] = sizes.GetValueOrDefault(directory) + node.Bytes;
            }
        }

        return [.. sizes.Select(s => new LensDirectory(s.Key, s.Value)).OrderByDescending(d => d.Bytes).ThenBy(d => d.Path, StringComparer.Ordinal).Take(most)];
    }

    /// <summary>How another image's file system differs from this one's; times alone are no difference.</summary>
    public IReadOnlyList<LensDifference> DifferencesTo(ImageLens other)
    {
        var differences = new List<LensDifference>();
        var pending = new Stack<(string Path, LensNode? Here, LensNode? There)>([("", _root, other._root)]);
        while (pending.TryPop(out var next))
        {
            if (next.Path.Length > 0 && Compare(next.Path, next.Here, next.There, other) is { } difference)
            {
                differences.Add(difference);
            }

            var (here, there) = (next.Here?.Children, next.There?.Children);
            foreach (var name in (here?.Keys ?? Enumerable.Empty<string>()).Union(there?.Keys ?? Enumerable.Empty<string>()).OrderDescending(StringComparer.Ordinal))
            {
                pending.Push(($"{next.Path}/{name}", here?.GetValueOrDefault(name), there?.GetValueOrDefault(name)));
            }
        }

        return differences;
    }

    private void Add(int index, CancellationToken cancel)
    {
        var root = Sys.Open(_layers[index].DiffPath, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            _root.Raise(Sys.Stat(root), index);
            var links = new HashSet<ulong>();
            using var walker = new TreeWalker(root, []);
            while (walker.Next())
            {
                cancel.ThrowIfCancellationRequested();
                var parent = Parent(walker.Path);
                if (walker.Stat.IsDirectory)
                {
                    AddDirectory(index, walker, parent);
                }
                else
                {
                    AddFile(index, walker, parent, links);
                }
            }
        }
        finally
        {
            Sys.Close(root);
        }
    }

    private void AddDirectory(int index, TreeWalker walker, LensNode parent)
    {
        var (path, name) = (PathOf(walker), Bytes.ToText(walker.Name));
        var isOpaque = Overlay.IsOpaque(walker.Enter());
        if (parent.Children.TryGetValue(name, out var below) && below.Stat.IsDirectory)
        {
            if (isOpaque)
            {
                Hide(index, path, below, isSelf: false);
                below.Children.Clear();
            }

            if ((below.Stat.Mode, below.Stat.Uid, below.Stat.Gid) != (walker.Stat.Mode, walker.Stat.Uid, walker.Stat.Gid))
            {
                _changes.Add(new LensChange(index, ChangeKind.Modify, path, 0, 0, below.Layer));
            }

            below.Raise(walker.Stat, index);
            return;
        }

        _changes.Add(below is null ? new LensChange(index, ChangeKind.Add, path, 0, 0, -1)
            : new LensChange(index, ChangeKind.Modify, path, 0, below.Bytes, below.Layer));
        parent.Children[name] = new LensNode(name, walker.Stat, index);
    }

    private void AddFile(int index, TreeWalker walker, LensNode parent, HashSet<ulong> links)
    {
        var (path, name, stat) = (PathOf(walker), Bytes.ToText(walker.Name), walker.Stat);
        parent.Children.Remove(name, out var below);
        if (stat.IsWhiteout)
        {
            if (below is not null)
            {
                Hide(index, path, below, isSelf: true);
            }

            return;
        }

        if (below is { Stat.IsDirectory: true })
        {
            Hide(index, path, below, isSelf: false);
        }

        var bytes = stat.IsRegular && (stat.Links == 1 || links.Add(stat.Inode)) ? stat.Size : 0;
        _changes.Add(new LensChange(index, below is null ? ChangeKind.Add : ChangeKind.Modify, path, bytes, below?.Bytes ?? 0, below?.Layer ?? -1));
        parent.Children[name] = new LensNode(name, stat, index) { Bytes = bytes };
    }

    private void Hide(int index, string path, LensNode below, bool isSelf) =>
        _changes.AddRange(below.All(path).Skip(isSelf ? 0 : 1).Select(n => new LensChange(index, ChangeKind.Delete, n.Path, 0, n.Node.Bytes, n.Node.Layer)));

    /// <summary>The directory a path is in, which the walk has come through.</summary>
    private LensNode Parent(byte[] path)
    {
        var node = _root;
        var (parent, _) = EntryPath.Split(path);
        foreach (var name in parent.Length == 0 ? [] : Bytes.ToText(parent).Split('/'))
        {
            node = node.Children[name];
        }

        return node;
    }

    private LensDifference? Compare(string path, LensNode? here, LensNode? there, ImageLens other)
    {
        if (here is null || there is null)
        {
            return new LensDifference(here is null ? ChangeKind.Add : ChangeKind.Delete, path, (there?.Bytes ?? 0) - (here?.Bytes ?? 0), []);
        }

        // From one directory on the disk it is the same file.
        var (mine, theirs) = (_layers[here.Layer], other._layers[there.Layer]);
        if (mine.DiffPath == theirs.DiffPath)
        {
            return null;
        }

        var (a, b) = (here.Stat, there.Stat);
        var what = new List<string>();
        void Note(bool differs, string name)
        {
            if (differs)
            {
                what.Add(name);
            }
        }

        Note(a.Type != b.Type, "type");
        Note(a.Type == b.Type && a.Permissions != b.Permissions, "mode");
        Note((a.Uid, a.Gid) != (b.Uid, b.Gid), "owner");
        Note(a.Type == b.Type && (a.DeviceMajor, a.DeviceMinor) != (b.DeviceMajor, b.DeviceMinor), "device");
        Note(a.IsRegular && b.IsRegular && (a.Size != b.Size || !LensFiles.SameContent(mine.DiffPath, theirs.DiffPath, path, a.Size)), "content");
        Note(a.IsSymlink && b.IsSymlink && !LensFiles.SameTarget(mine.DiffPath, theirs.DiffPath, path), "target");
        return what.Count == 0 ? null : new LensDifference(ChangeKind.Modify, path, there.Bytes - here.Bytes, what);
    }

    private static string PathOf(TreeWalker walker) => "/" + Bytes.ToText(walker.Path);
}
