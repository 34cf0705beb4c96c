using Sampan.Linux;

namespace Sampan.Store;

/// <summary>What an overlay's upper directory changes, in the words of <c>docker diff</c>.</summary>
internal static class LayerChanges
{
    /// <param name="lowerDirs">Topmost first.</param>
    public static IReadOnlyList<FileChange> Of(string upperDir, IReadOnlyList<string> lowerDirs)
    {
        var changes = new SortedDictionary<byte[], ChangeKind>(Comparer<byte[]>.Create(static (a, b) => a.AsSpan().SequenceCompareTo(b)));
        using var lower = new LowerView(lowerDirs);
        var root = Sys.Open(upperDir, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            using var walker = new TreeWalker(root, []);
            while (walker.Next())
            {
                Add(walker, lower, changes);
            }
        }
        finally
        {
            Sys.Close(root);
        }

        return [.. changes.Select(c => new FileChange(c.Value, "/" + Bytes.ToText(c.Key)))];
    }

    /// <summary>Sum of the sizes of the regular files in bytes, hard links once.</summary>
    public static long SizeOf(string directory) => Sum(directory, stat => stat.IsRegular ? stat.Size : 0);

    /// <summary>Bytes on the disk, as du tells them: blocks of files and directories, hard links once.</summary>
    public static long DiskUsageOf(string directory) => 512 * (Sys.StatAt(Sys.AT_FDCWD, Bytes.FromText(directory)).Blocks + Sum(directory, stat => stat.Blocks));

    private static long Sum(string directory, Func<FileStat, long> size)
    {
        var root = Sys.Open(directory, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            var seen = new HashSet<(ulong, ulong)>();
            var sum = 0L;
            using var walker = new TreeWalker(root, []);
            while (walker.Next())
            {
                if (walker.Stat.IsDirectory)
                {
                    walker.Enter();
                    sum += size(walker.Stat);
                }
                else if (walker.Stat.Links == 1 || seen.Add((walker.Stat.FileSystem, walker.Stat.Inode)))
                {
                    sum += size(walker.Stat);
                }
            }

            return sum;
        }
        finally
        {
            Sys.Close(root);
        }
    }

    private static void Add(TreeWalker walker, LowerView lower, SortedDictionary<byte[], ChangeKind> changes)
    {
        var path = walker.Path;
        var isDirectory = walker.Stat.IsDirectory;
        var directory = isDirectory ? walker.Enter() : -1;
        var found = lower.Find(path, out var below);
        Sys.Close(found);
        if (walker.Stat.IsWhiteout)
        {
            if (found >= 0)
            {
                Record(changes, path, ChangeKind.Delete);
            }

            return;
        }

        var opaque = isDirectory && Overlay.IsOpaque(directory);
        if (found < 0)
        {
            Record(changes, path, ChangeKind.Add);
        }
        else if (!isDirectory || !below.IsDirectory || opaque || below.Mode != walker.Stat.Mode || below.Modified != walker.Stat.Modified
            || below.Uid != walker.Stat.Uid || below.Gid != walker.Stat.Gid)
        {
            // A directory is copied up for what happens in it; alone that is no change.
            Record(changes, path, ChangeKind.Modify);
        }

        if (opaque && below.IsDirectory && found >= 0)
        {
            foreach (var name in lower.Names(path))
            {
                if (Sys.TryStatAt(directory, name, out _) == Errno.ENOENT)
                {
                    Record(changes, EntryPath.Join(path, name), ChangeKind.Delete);
                }
            }
        }
    }

    /// <summary>The directory in which something appears or goes is changed too, but not the root.</summary>
    private static void Record(SortedDictionary<byte[], ChangeKind> changes, byte[] path, ChangeKind kind)
    {
        changes[path] = kind;
        var (parent, _) = EntryPath.Split(path);
        if (kind != ChangeKind.Modify && parent.Length > 0)
        {
            changes.TryAdd(parent, ChangeKind.Modify);
        }
    }
}
