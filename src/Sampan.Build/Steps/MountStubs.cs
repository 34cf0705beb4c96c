using Sampan.Build.Files;
using Sampan.Linux;

namespace Sampan.Build.Steps;

/// <summary>
/// A mount needs something to be mounted on, and where the image has nothing there the runtime makes it, in the layer. It does not belong
/// there: whatever was missing before the command and is empty after it goes, as nobody but the runtime could have put it under a mount.
/// </summary>
internal sealed class MountStubs
{
    /// <summary>What every container gets mounted.</summary>
    private static readonly string[] Always =
        ["/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/fs/cgroup"];

    private readonly MergedView _view;
    private readonly SortedSet<string> _missing;

    private MountStubs(MergedView view, SortedSet<string> missing)
    {
        _view = view;
        _missing = missing;
    }

    /// <summary>Notes, before the command runs, which mount points the files so far lack.</summary>
    public static MountStubs Note(MergedView view, IEnumerable<StepMount> mounts)
    {
        // The longest first, so that directories are empty when their turn comes.
        var missing = new SortedSet<string>(Comparer<string>.Create(
            (a, b) => a.Length != b.Length ? b.Length.CompareTo(a.Length) : string.CompareOrdinal(a, b)));
        foreach (var target in Always.Concat(mounts.Select(mount => mount.Target)))
        {
            for (var path = view.Resolve(target).Path; path != "/" && view.Resolve(path).Node is null; path = Parent(path))
            {
                missing.Add(path);
            }
        }

        return new(view, missing);
    }

    /// <summary>Removes from the upper directory what was made for mounts only.</summary>
    public void Remove(string upper)
    {
        var root = Sys.Open(upper, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
        try
        {
            foreach (var path in _missing)
            {
                if (RemoveEmpty(root, path) && !_missing.Contains(Parent(path)))
                {
                    RemoveCopiedUp(root, Parent(path));
                }
            }
        }
        finally
        {
            Sys.Close(root);
        }
    }

    /// <summary>A directory that came up only because something was made in it says nothing that the one below does not say.</summary>
    private void RemoveCopiedUp(int root, string path)
    {
        if (path != "/" && _view.Resolve(path, followLast: false).Node is { Stat: { IsDirectory: true } below })
        {
            WithParent(root, path, (parent, name) =>
                Sys.TryStatAt(parent, name, out var stat) == 0 && stat.IsDirectory && (stat.Mode, stat.Uid, stat.Gid) == (below.Mode, below.Uid, below.Gid)
                && Sys.GetXattrAt(parent, name, "trusted.overlay.opaque"u8) is null && Sys.TryUnlinkAt(parent, name, Sys.AT_REMOVEDIR) == 0);
        }
    }

    private static bool RemoveEmpty(int root, string path) => WithParent(root, path, (parent, name) =>
        Sys.TryStatAt(parent, name, out var stat) == 0
        && (stat.IsDirectory ? Sys.TryUnlinkAt(parent, name, Sys.AT_REMOVEDIR) == 0
            : stat is { IsRegular: true, Size: 0 } && Sys.TryUnlinkAt(parent, name) == 0));

    /// <summary>The command may have put symlinks in the way, which lead into the host from here: none is followed.</summary>
    private static bool WithParent(int root, string path, ParentAction action)
    {
        var parent = Bytes.FromText(Parent(path).TrimStart('/') is { Length: > 0 } text ? text : ".");
        if (Sys.TryOpenAt2(root, parent, Sys.O_RDONLY | Sys.O_DIRECTORY, 0, Sys.RESOLVE_BENEATH | Sys.RESOLVE_NO_SYMLINKS, out var fd) != 0)
        {
            return false;
        }

        try
        {
            return action(fd, Bytes.FromText(path[(path.LastIndexOf('/') + 1)..]));
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    private static string Parent(string path) => path[..Math.Max(1, path.LastIndexOf('/'))];

    private delegate bool ParentAction(int parent, byte[] name);
}
