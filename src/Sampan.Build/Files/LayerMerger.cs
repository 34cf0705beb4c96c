using Sampan.Linux;
using Sampan.Store;

namespace Sampan.Build.Files;

/// <summary>
/// Makes one upper directory of several layers, as if one step had done what they did. Files are linked, not copied, so that the result is
/// to be committed with its files left alone; it lies on the layers' file system.
/// </summary>
internal static class LayerMerger
{
    private static readonly byte[] Opaque = "trusted.overlay.opaque"u8.ToArray();
    private static readonly byte[] Yes = "y"u8.ToArray();

    /// <summary>Lays a layer over what is in the target.</summary>
    /// <param name="layer">The layer's directory.</param>
    /// <param name="target">The upper directory.</param>
    /// <param name="below">The root of what stays below the target: only that needs signs of what was deleted. Null for nothing.</param>
    public static void Add(string layer, string target, MergedNode? below)
    {
        var from = Sys.Open(layer, Sys.O_RDONLY | Sys.O_DIRECTORY);
        var to = Sys.Open(target, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            Merge(from, to, below);
        }
        finally
        {
            Sys.Close(to);
            Sys.Close(from);
        }
    }

    private static void Merge(int from, int to, MergedNode? below)
    {
        foreach (var name in Sys.ReadDirectory(from))
        {
            var stat = Sys.StatAt(from, name);
            var hidden = below is null ? null : MergedView.Child(below, Bytes.ToText(name));
            if (stat.IsDirectory)
            {
                Directory(from, to, name, hidden);
                continue;
            }

            TreeRemover.Remove(to, name);
            if (!IsWhiteout(stat))
            {
                Check("linkat", name, Sys.TryLinkAt(from, name, to, name));
            }
            else if (hidden is not null)
            {
                Check("mknodat", name, Sys.TryMknodAt(to, name, FileStat.S_IFCHR, 0, 0));
            }
        }

        CopyAttributes(from, to);
    }

    private static void Directory(int from, int to, byte[] name, MergedNode? hidden)
    {
        var exists = Sys.TryStatAt(to, name, out var there) == 0;
        if (exists && !there.IsDirectory)
        {
            TreeRemover.Remove(to, name);
        }

        // What was deleted or replaced by a file, and made again, does not show what is below.
        var isNew = !exists || !there.IsDirectory;
        if (isNew)
        {
            Check("mkdirat", name, Sys.TryMkdirAt(to, name, 0x1C0));
        }

        var source = Sys.OpenAt(from, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
        var target = Sys.OpenAt(to, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
        try
        {
            var isOpaque = Sys.GetXattrAt(Sys.AT_FDCWD, Here(source), Opaque) is not null;
            if (isOpaque)
            {
                foreach (var old in Sys.ReadDirectory(target))
                {
                    TreeRemover.Remove(target, old);
                }
            }

            if ((isOpaque || (exists && isNew)) && hidden is not null)
            {
                Check("setxattr", name, Sys.TrySetXattrAt(Sys.AT_FDCWD, Here(target), Opaque, Yes));
            }

            var shows = hidden is { Stat.IsDirectory: true } && Sys.GetXattrAt(Sys.AT_FDCWD, Here(target), Opaque) is null;
            Merge(source, target, shows ? hidden : null);
        }
        finally
        {
            Sys.Close(target);
            Sys.Close(source);
        }
    }

    /// <summary>The last layer that has a directory says how it is.</summary>
    private static void CopyAttributes(int from, int to)
    {
        var stat = Sys.Stat(from);
        var source = new MergedNode("/", stat, Bytes.ToText(Here(from)), []);
        foreach (var (name, value) in Xattrs.Of(source))
        {
            Check("setxattr", name, Sys.TrySetXattrAt(Sys.AT_FDCWD, Here(to), name, value));
        }

        Sys.Chown(to, stat.Uid, stat.Gid);
        Sys.Chmod(to, stat.Permissions);
        Sys.SetTimes(to, stat.Modified);
    }

    private static bool IsWhiteout(FileStat stat) => stat.Type == FileStat.S_IFCHR && stat is { DeviceMajor: 0, DeviceMinor: 0 };

    private static byte[] Here(int directory) => Bytes.FromText($"/proc/self/fd/{directory}/.");

    private static void Check(string call, byte[] name, int errno)
    {
        if (errno != 0)
        {
            throw new SyscallException(call, $"'{Bytes.ToText(name)}'", errno);
        }
    }
}
