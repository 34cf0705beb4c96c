using Sampan.Linux;

namespace Sampan.Store;

/// <summary>Looks paths up in a stack of unpacked layers as overlayfs would, without mounting it.</summary>
internal sealed class LowerView : IDisposable
{
    private readonly List<int> _roots = [];

    /// <param name="lowerDirs">Topmost first.</param>
    public LowerView(IReadOnlyList<string> lowerDirs)
    {
        try
        {
            foreach (var directory in lowerDirs)
            {
                _roots.Add(Sys.Open(directory, Sys.O_RDONLY | Sys.O_DIRECTORY));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Finds what a path without symlinks in it names. The descriptor (O_PATH) is the caller's to close; -1 when there is nothing.</summary>
    public int Find(ReadOnlySpan<byte> path, out FileStat stat)
    {
        stat = default;
        foreach (var root in _roots)
        {
            if (path.IsEmpty)
            {
                stat = Sys.Stat(root);
                return Sys.OpenAt(root, "."u8, Sys.O_PATH);
            }

            if (Open(root, path, out var fd) == 0)
            {
                stat = Sys.Stat(fd);
                if (!stat.IsWhiteout)
                {
                    return fd;
                }

                Sys.Close(fd);
                return -1;
            }

            if (Hides(root, path))
            {
                return -1;
            }
        }

        return -1;
    }

    /// <summary>The names that the layers together have in a directory, in byte order.</summary>
    public List<byte[]> Names(ReadOnlySpan<byte> path)
    {
        var seen = new HashSet<string>();
        var names = new List<byte[]>();
        foreach (var root in _roots)
        {
            if (OpenDirectory(root, path, out var fd) == 0)
            {
                foreach (var name in Sys.ReadDirectory(fd))
                {
                    // A whiteout hides the name in the layers below it.
                    if (seen.Add(System.Text.Encoding.Latin1.GetString(name)) && !Sys.StatAt(fd, name).IsWhiteout)
                    {
                        names.Add(name);
                    }
                }

                var opaque = !path.IsEmpty && Overlay.IsOpaque(fd);
                Sys.Close(fd);
                if (opaque)
                {
                    break;
                }
            }

            if (Hides(root, path))
            {
                break;
            }
        }

        names.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return names;
    }

    public void Dispose()
    {
        _roots.ForEach(Sys.Close);
        _roots.Clear();
    }

    /// <summary>True when a layer ends the search: on the way to the path it has a whiteout, a file, or an opaque directory.</summary>
    private static bool Hides(int root, ReadOnlySpan<byte> path)
    {
        for (var end = 0; end < path.Length; end++)
        {
            var slash = path[end..].IndexOf((byte)'/');
            end = slash < 0 ? path.Length : end + slash;
            if (Open(root, path[..end], out var fd) != 0)
            {
                return false;
            }

            var stops = !Sys.Stat(fd).IsDirectory;
            Sys.Close(fd);
            if (!stops && end < path.Length && OpenDirectory(root, path[..end], out fd) == 0)
            {
                stops = Overlay.IsOpaque(fd);
                Sys.Close(fd);
            }

            if (stops)
            {
                return true;
            }
        }

        return false;
    }

    private static int Open(int root, ReadOnlySpan<byte> path, out int fd) =>
        Sys.TryOpenAt2(root, path, Sys.O_PATH | Sys.O_NOFOLLOW, 0, Sys.RESOLVE_BENEATH | Sys.RESOLVE_NO_SYMLINKS, out fd);

    private static int OpenDirectory(int root, ReadOnlySpan<byte> path, out int fd) => path.IsEmpty
        ? Sys.TryOpenAt(root, "."u8, Sys.O_RDONLY | Sys.O_DIRECTORY, 0, out fd)
        : Sys.TryOpenAt2(root, path, Sys.O_RDONLY | Sys.O_DIRECTORY, 0, Sys.RESOLVE_BENEATH | Sys.RESOLVE_NO_SYMLINKS, out fd);
}
