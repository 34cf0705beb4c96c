using Sampan.Build.Context;
using Sampan.Linux;

namespace Sampan.Build.Files;

/// <summary>Something found in a <see cref="MergedView"/>.</summary>
/// <param name="Path">Its absolute path in the view, free of symlinks.</param>
/// <param name="Stat">What it is.</param>
/// <param name="RealPath">Where the host has it.</param>
/// <param name="Directories">For a directory: the layers' directories that make it up, topmost first.</param>
internal sealed record MergedNode(string Path, FileStat Stat, string RealPath, IReadOnlyList<string> Directories)
{
    /// <summary>When it was last changed says nothing: a context that is checked out anew is the same context.</summary>
    public bool IsTimeless { get; init; }
}

/// <summary>A path followed through symlinks as far as it exists.</summary>
/// <param name="Path">Absolute in the view; what is missing at its end stands as written.</param>
/// <param name="Node">What is there; null when it is missing.</param>
internal sealed record Resolution(string Path, MergedNode? Node);

/// <summary>
/// Reads a stack of layer directories as overlayfs would show it, without mounting: whiteouts and opaque directories hide what is below.
/// Symlinks are followed inside the view only: an absolute one begins at its root, and <c>..</c> does not lead out. Names that are not UTF-8
/// have the form of <see cref="Bytes"/>.
/// </summary>
/// <param name="layers">Directories, topmost first.</param>
/// <param name="isTimeless">See <see cref="MergedNode.IsTimeless"/>.</param>
internal sealed class MergedView(IReadOnlyList<string> layers, bool isTimeless = false)
{
    private const int MaxLinks = 40; // as the kernel's limit

    /// <summary>No path leads through more directories: walking them takes stack and descriptors.</summary>
    private const int MaxDepth = 2000;

    private const ulong Beneath = Sys.RESOLVE_BENEATH | Sys.RESOLVE_NO_SYMLINKS | Sys.RESOLVE_NO_MAGICLINKS;

    private static readonly byte[] Opaque = "trusted.overlay.opaque"u8.ToArray();

    /// <summary>The root directory; null when there are no layers.</summary>
    public MergedNode? Root { get; } = layers.Count == 0 ? null : new("/", Sys.StatAt(layers[0]), layers[0], Merge(layers)) { IsTimeless = isTimeless };

    /// <summary>Knows the digests of its files; null where nobody has read them before.</summary>
    public FileDigests? Digests { get; init; }

    /// <summary>Follows a path.</summary>
    /// <param name="followLast">False gives a symlink at the end itself.</param>
    /// <exception cref="IOException">Too many symlinks or directories, or a file stands where a directory must be.</exception>
    public Resolution Resolve(string path, bool followLast = true)
    {
        var links = 0;
        var names = new Stack<string>(Split(path).Reverse());
        var trail = new List<(string Name, MergedNode? Node)>();
        while (names.TryPop(out var name))
        {
            if (name == "..")
            {
                if (trail.Count > 0)
                {
                    trail.RemoveAt(trail.Count - 1);
                }

                continue;
            }

            var parent = trail.Count == 0 ? Root : trail[^1].Node;
            if (parent is { Stat.IsDirectory: false })
            {
                throw new IOException($"'{parent.Path}' is not a directory");
            }

            var node = parent is null ? null : Child(parent, name);
            if (node is { Stat.IsSymlink: true } && (followLast || names.Count > 0))
            {
                if (++links > MaxLinks)
                {
                    throw new IOException($"too many symlinks in '{path}'");
                }

                var target = ReadLink(node);
                if (target.StartsWith('/'))
                {
                    trail.Clear();
                }

                foreach (var part in Split(target).Reverse())
                {
                    names.Push(part);
                }

                continue;
            }

            if (trail.Count == MaxDepth)
            {
                throw TooDeep(path);
            }

            trail.Add((name, node));
        }

        return new("/" + string.Join('/', trail.Select(t => t.Name)), trail.Count == 0 ? Root : trail[^1].Node);
    }

    /// <summary>A name in a directory, symlinks not followed.</summary>
    public static MergedNode? Child(MergedNode directory, string name) => Child(directory, name, null);

    /// <param name="open">The descriptors of the directory's layers, when they are open: names are found faster from there.</param>
    private static MergedNode? Child(MergedNode directory, string name, List<int>? open)
    {
        MergedNode? found = null;
        List<string>? parts = null;
        for (var i = 0; i < directory.Directories.Count; i++)
        {
            var real = directory.Directories[i] + "/" + name;
            var errno = open is not null ? Sys.TryStatAt(open[i], Bytes.FromText(name), out var stat) : TryStat(real, out stat);
            if (errno == Errno.ENOENT)
            {
                continue;
            }

            if (errno != 0)
            {
                throw new SyscallException("statx", $"'{directory.Path.TrimEnd('/')}/{name}'", errno);
            }

            if (stat.IsWhiteout || (found is not null && !stat.IsDirectory))
            {
                break;
            }

            if (found is null)
            {
                var path = directory.Path == "/" ? "/" + name : $"{directory.Path}/{name}";
                found = new(path, stat, real, []) { IsTimeless = directory.IsTimeless };
                if (!stat.IsDirectory)
                {
                    return found;
                }

                parts = [];
            }

            parts!.Add(real);
            if (IsOpaque(real))
            {
                break;
            }
        }

        return found is null ? null : found with { Directories = parts! };
    }

    /// <summary>All names in a directory, in byte order.</summary>
    /// <exception cref="IOException">It is too deep.</exception>
    public static IReadOnlyList<MergedNode> List(MergedNode directory)
    {
        if (directory.Path.AsSpan().Count('/') > MaxDepth)
        {
            throw TooDeep(directory.Path);
        }

        var names = new HashSet<string>();
        var open = new List<int>();
        try
        {
            foreach (var layer in directory.Directories)
            {
                using var at = Place.Of(layer);
                open.Add(Sys.OpenAt(at.Directory, at.Name, Sys.O_RDONLY | Sys.O_DIRECTORY));
                names.UnionWith(Sys.ReadDirectory(open[^1]).Select(name => Bytes.ToText(name)));
            }

            return [.. names.Order(StringComparer.Ordinal).Select(name => Child(directory, name, open)).OfType<MergedNode>()];
        }
        finally
        {
            open.ForEach(Sys.Close);
        }
    }

    /// <summary>
    /// Opens a file for reading. No symlink is followed on the way, also not one that somebody put there since the file was found.
    /// </summary>
    /// <exception cref="IOException">It is gone.</exception>
    /// <exception cref="SyscallException">A symlink leads to it now (ELOOP), or it cannot be opened.</exception>
    public static int Open(MergedNode file)
    {
        var root = Sys.Open(file.RealPath[..^file.Path.Length], Sys.O_PATH | Sys.O_DIRECTORY);
        try
        {
            using var at = Place.Of(root, file.Path[1..], Beneath);
            var errno = Sys.TryOpenAt2(at.Directory, at.Name, Sys.O_RDONLY | Sys.O_NOFOLLOW | Sys.O_NONBLOCK, 0, Beneath, out var fd);
            return errno switch
            {
                0 => fd,
                Errno.ENOENT => throw new IOException($"'{file.Path[1..]}' vanished while the build was reading it"),
                _ => throw new SyscallException("openat2", $"'{file.Path[1..]}'", errno),
            };
        }
        finally
        {
            Sys.Close(root);
        }
    }

    public static string ReadLink(MergedNode link)
    {
        using var at = Place.Of(link.RealPath);
        return Bytes.ToText(Sys.ReadlinkAt(at.Directory, at.Name));
    }

    /// <summary>A file's bytes.</summary>
    /// <exception cref="IOException">It is larger than the limit.</exception>
    public static byte[] ReadFile(MergedNode file, int limit)
    {
        if (file.Stat.Size > limit)
        {
            throw new IOException($"'{file.Path}' has {file.Stat.Size} bytes, more than {limit}");
        }

        var bytes = new byte[file.Stat.Size];
        var fd = Open(file);
        try
        {
            var length = 0;
            while (length < bytes.Length && Sys.Read(fd, bytes.AsSpan(length)) is > 0 and var n)
            {
                length += n;
            }

            return bytes[..length];
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    private static IEnumerable<string> Split(string path) => path.Split('/').Where(name => name is not ("" or "."));

    private static bool IsOpaque(string directory)
    {
        using var at = Place.Of(directory);
        return Sys.GetXattrAt(at.Directory, at.Name, Opaque) is [(byte)'y'];
    }

    private static int TryStat(string path, out FileStat stat)
    {
        using var at = Place.Of(path);
        return Sys.TryStatAt(at.Directory, at.Name, out stat);
    }

    private static IOException TooDeep(string path) =>
        new($"'{path[..Math.Min(path.Length, 100)]}…' leads through more than {MaxDepth:N0} directories");

    private static List<string> Merge(IReadOnlyList<string> layers)
    {
        var opaque = layers.ToList().FindIndex(IsOpaque);
        return [.. opaque < 0 ? layers : layers.Take(opaque + 1)];
    }
}
