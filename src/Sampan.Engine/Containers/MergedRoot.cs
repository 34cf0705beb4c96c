using Sampan.Linux;
using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>
/// A container's files as one tree, for as long as this lives: a running container's through its first process, another's by an overlay
/// mounted for the purpose.
/// </summary>
internal sealed class MergedRoot : IDisposable
{
    private const ulong CLONE_FS = 0x200;

    private static readonly CString Empty = CString.Of("");

    private readonly string? _mountPoint;
    private Action? _released;

    private MergedRoot(string path, string? mountPoint) => (Path, _mountPoint) = (path, mountPoint);

    /// <summary>The tree's top on the host.</summary>
    public string Path { get; }

    /// <summary>With its volumes and other mounts, as its processes see it.</summary>
    public static MergedRoot OfProcess(int pid) => new($"/proc/{pid}/root", null);

    /// <summary>The container's own files, read-only, also while it runs: its writable directory is then the topmost of the lower ones.</summary>
    public static MergedRoot View(OverlayRootfs overlay, string directory) => Mount([overlay.Upper!, .. overlay.Lower], null, null, directory);

    /// <summary>A stopped container's files with its volumes and binds, to be read and written to: as its processes would see them.</summary>
    /// <param name="released">Is told when the tree is no longer used.</param>
    public static MergedRoot Stopped(OverlayRootfs overlay, IEnumerable<ContainerMount> mounts, string directory, Action released)
    {
        var root = Mount(overlay.Lower, overlay.Upper, overlay.Work, directory);
        try
        {
            foreach (var mount in mounts.Where(m => m.Source.Length > 0).OrderBy(m => m.Destination.Count(c => c == '/')))
            {
                root.Bind(mount);
            }

            root._released = released;
            return root;
        }
        catch
        {
            root.Dispose();
            throw;
        }
    }

    /// <summary>Layers without a container; writable when there is an upper directory.</summary>
    public static MergedRoot OfLayers(IReadOnlyList<string> lower, string? upper, string? work, string directory) => Mount(lower, upper, work, directory);

    /// <summary>Where a path inside is on the host, links followed without leaving the tree.</summary>
    public string Resolve(string path)
    {
        var top = Sys.Open(Path, Sys.O_RDONLY | Sys.O_DIRECTORY);
        var errno = Sys.TryOpenAt2(top, Bytes.FromText("/" + path), Raw.O_PATH, 0, Sys.RESOLVE_IN_ROOT, out var fd);
        Sys.Close(top);
        if (errno != 0)
        {
            throw new SyscallException("openat2", $"'{path}'", errno);
        }

        var resolved = new FileInfo($"/proc/self/fd/{fd}").LinkTarget!;
        Sys.Close(fd);
        return resolved;
    }

    /// <summary>Takes away what a daemon that was killed left mounted.</summary>
    public static void RemoveLeftovers(string directory)
    {
        foreach (var leftover in Directory.Exists(directory) ? Directory.GetDirectories(directory) : [])
        {
            Unmount(leftover);
        }
    }

    public void Dispose()
    {
        try
        {
            if (_mountPoint is not null)
            {
                Unmount(_mountPoint);
            }
        }
        finally
        {
            _released?.Invoke();
        }
    }

    /// <summary>A copy of its own: what is mounted or unmounted here later is not so where it comes from.</summary>
    private void Bind(ContainerMount mount)
    {
        var top = Sys.Open(Path, Sys.O_RDONLY | Sys.O_DIRECTORY);
        var tree = Raw.OpenTree(Raw.AT_FDCWD, CString.Of(mount.Source), recursive: !mount.NonRecursive);
        var target = tree < 0 ? tree : RootedPath.OpenOrMake(top, CString.Of(mount.Destination), makeFile: !Directory.Exists(mount.Source), 0);
        var result = target < 0 ? target
            : Raw.MountSetattr(tree, Empty, recursive: true, mount.ReadOnly ? Raw.MOUNT_ATTR_RDONLY : 0, 0, Raw.MS_PRIVATE);
        result = result < 0 ? result : Raw.MoveMount(tree, Empty, target);
        foreach (var fd in (int[])[top, tree, target])
        {
            Sys.Close(fd);
        }

        if (result < 0)
        {
            throw new SyscallException("mount", $"'{mount.Source}' to '{mount.Destination}'", -result);
        }
    }

    private static MergedRoot Mount(IReadOnlyList<string> lower, string? upper, string? work, string directory)
    {
        var target = System.IO.Path.Combine(directory, Names.NewId()[..16]);
        Directory.CreateDirectory(target);
        var plan = new OverlayMount(lower, upper, work, target);
        var result = 0;

        // The layers are named relative to their directory. A thread of its own that shares no directory with the others goes there.
        var thread = new Thread(() =>
        {
            result = Raw.Unshare(CLONE_FS);
            result = result < 0 ? result : plan.Apply(CString.Of(target));
        });
        thread.Start();
        thread.Join();
        if (result < 0)
        {
            Directory.Delete(target);
            throw new SyscallException("mount", $"{plan.Description} to '{target}'", -result);
        }

        return new MergedRoot(target, target);
    }

    /// <summary>Takes off all that is mounted there, and removes the directory.</summary>
    internal static void Unmount(string target)
    {
        // A deep stack is two mounts, one over the other.
        int result;
        do
        {
            result = Raw.Umount(CString.Of(target), Raw.MNT_DETACH);
        }
        while (result >= 0);
        if (result != -Errno.EINVAL)
        {
            throw new SyscallException("umount2", $"'{target}'", -result);
        }

        Directory.Delete(target);
    }
}
