using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// Files of a container, read from the host. A running container's are below /proc/PID/root; those of one that does not run lie in its
/// layers, for its overlay is mounted nowhere on the host: they are looked up as overlayfs would (upper first, whiteouts, opaque directories,
/// symlinks inside the container's root).
/// </summary>
public abstract class ContainerFiles
{
    private const int MaxBytes = 16 << 20;

    /// <summary>Of a running container.</summary>
    /// <param name="pid">Its PID 1, as the host sees it.</param>
    public static ContainerFiles OfProcess(int pid) => new Mounted($"/proc/{pid}/root");

    /// <summary>Of a root file system that is a plain directory.</summary>
    public static ContainerFiles OfDirectory(string root) => new Mounted(root);

    /// <summary>Of layers that are not mounted.</summary>
    public static ContainerFiles OfOverlay(OverlayRootfs overlay) =>
        new Layered(overlay.Upper is null ? [.. overlay.Lower] : [overlay.Upper, .. overlay.Lower]);

    /// <summary>A regular file's bytes; null when there is none.</summary>
    /// <exception cref="SyscallException">It cannot be read or is longer than 16 MiB.</exception>
    public abstract byte[]? Read(string path);

    private sealed class Mounted(string root) : ContainerFiles
    {
        public override byte[]? Read(string path) => RootFiles.Read(root, path.TrimStart('/'), MaxBytes);
    }

    private sealed class Layered(IReadOnlyList<string> layers) : ContainerFiles
    {
        private const int MaxLinks = 40;

        public override byte[]? Read(string path) => Find(path) is { } found ? RootFiles.Read(found.Layer, found.Name, MaxBytes) : null;

        /// <summary>The directory of one layer that has the file, and the file's name in it.</summary>
        private (string Layer, string Name)? Find(string path)
        {
            var trail = new Stack<IReadOnlyList<string>>([layers]);
            var rest = new Stack<string>(Parts(path).Reverse());
            var links = 0;
            while (rest.TryPop(out var name))
            {
                if (name == "..")
                {
                    if (trail.Count > 1)
                    {
                        trail.Pop();
                    }

                    continue;
                }

                var (kind, places) = Look(trail.Peek(), name);
                switch (kind)
                {
                    case LayerEntry.Directory:
                        trail.Push(places);
                        break;
                    case LayerEntry.Symlink when ++links <= MaxLinks:
                        var target = RootFiles.ReadLink(Path.Combine(places[0], name));
                        if (target.StartsWith('/'))
                        {
                            trail = new([layers]);
                        }

                        foreach (var part in Parts(target).Reverse())
                        {
                            rest.Push(part);
                        }

                        break;
                    case LayerEntry.File when rest.Count == 0:
                        return (places[0], name);
                    default:
                        return null;
                }
            }

            return null;
        }

        /// <summary>For a directory: the directories that merge under the name, topmost first. Else the one directory that holds it.</summary>
        private static (LayerEntry Kind, IReadOnlyList<string> Places) Look(IReadOnlyList<string> directories, string name)
        {
            var merged = new List<string>();
            foreach (var directory in directories)
            {
                var kind = RootFiles.Kind(Path.Combine(directory, name));
                if (kind is LayerEntry.None)
                {
                    continue;
                }

                if (kind is not (LayerEntry.Directory or LayerEntry.OpaqueDirectory))
                {
                    return merged.Count > 0 ? (LayerEntry.Directory, merged) : (kind == LayerEntry.Whiteout ? LayerEntry.None : kind, [directory]);
                }

                merged.Add(Path.Combine(directory, name));
                if (kind is LayerEntry.OpaqueDirectory)
                {
                    break;
                }
            }

            return (merged.Count > 0 ? LayerEntry.Directory : LayerEntry.None, merged);
        }

        private static IEnumerable<string> Parts(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(p => p != ".");
    }
}
