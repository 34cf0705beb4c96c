using Sampan.Linux;

namespace Sampan.Store;

/// <summary>
/// Directories that a layer has only because of what is in them, its root among them, look as they do in the layers below: overlayfs shows the
/// topmost one's attributes, and a made-up 0755 would change the image.
/// </summary>
internal static class ImpliedDirectories
{
    private const uint DefaultMode = 0x1ED; // 0755

    /// <param name="lowerDirs">Topmost first.</param>
    public static void Settle(UnpackedLayer layer, IReadOnlyList<string> lowerDirs)
    {
        if (layer is { HasRoot: true, IsRootOpaque: false, Implied.Count: 0 })
        {
            return;
        }

        var root = Sys.Open(Path.Combine(layer.Directory, "diff"), Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            using var lower = new LowerView(lowerDirs);
            using var directories = new RootedDirectory(root);
            var rootTime = Sys.Stat(root).Modified;
            if (layer.IsRootOpaque)
            {
                HideAll(root, lower);
                Sys.SetTimes(root, rootTime);
            }

            foreach (var path in layer.Implied.Concat(layer.HasRoot ? [] : (byte[][])[[]]))
            {
                // It may have been replaced since, or have got an entry of its own, which is then listed again below it.
                if (directories.TryOpen(path, create: false, out var fd) == 0 && directories.Real.AsSpan().SequenceEqual(path))
                {
                    Settle(fd, path, lower, layer.FirstTime);
                }
            }
        }
        finally
        {
            Sys.Close(root);
        }
    }

    private static void Settle(int directory, byte[] path, LowerView lower, FileTime time)
    {
        var found = lower.Find(path, out var stat);
        try
        {
            if (found < 0 || !stat.IsDirectory)
            {
                Sys.Chmod(directory, DefaultMode);
                Sys.SetTimes(directory, time);
                return;
            }

            Sys.Chown(directory, stat.Uid, stat.Gid);
            foreach (var (name, value) in FileEntry.Xattrs(found, "."u8))
            {
                _ = Sys.TrySetXattr(directory, name, value);
            }

            Sys.Chmod(directory, stat.Permissions);
            Sys.SetTimes(directory, stat.Modified);
        }
        finally
        {
            Sys.Close(found);
        }
    }

    /// <summary>overlayfs does not look at the root's opaque mark, so each name below is hidden by itself.</summary>
    private static void HideAll(int root, LowerView lower)
    {
        foreach (var name in lower.Names([]))
        {
            var errno = Sys.TryMknodAt(root, name, FileStat.S_IFCHR, 0, 0);
            if (errno == Errno.EEXIST && Sys.StatAt(root, name).IsDirectory)
            {
                var fd = Sys.OpenAt(root, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
                Overlay.SetOpaque(fd);
                Sys.Close(fd);
            }
            else if (errno is not (0 or Errno.EEXIST))
            {
                throw new SyscallException("mknodat", $"'{Bytes.ToText(name)}'", errno);
            }
        }
    }
}
