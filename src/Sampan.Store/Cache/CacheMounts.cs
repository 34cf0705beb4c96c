namespace Sampan.Store;

/// <summary>A directory of <c>RUN --mount=type=cache</c>.</summary>
/// <param name="Name">Of its directory.</param>
/// <param name="Size">Bytes of the regular files in it.</param>
/// <param name="InUse">A step works with it.</param>
public sealed record CacheMount(string Name, string Description, long Size, DateTimeOffset Created, DateTimeOffset LastUsed, bool InUse);

/// <summary>
/// The directories of <c>RUN --mount=type=cache</c>, in <c>cache-mounts/NAME</c>. Beside each is a file <c>NAME.use</c>: its text says what the
/// directory is for, its time when it was last used. None is removed under a step that works with it. Thread-safe.
/// </summary>
public sealed class CacheMounts
{
    private readonly string _dataRoot;
    private readonly string _root;
    private readonly List<CacheMountHold> _holds = [];
    private readonly Lock _gate = new();

    internal CacheMounts(string dataRoot) => (_dataRoot, _root) = (dataRoot, Path.Combine(dataRoot, "cache-mounts"));

    /// <summary>Keeps all directories until <see cref="CacheMountHold.Use"/> says which ones are meant, and those until it is disposed.</summary>
    public CacheMountHold Hold()
    {
        var hold = new CacheMountHold(this);
        lock (_gate)
        {
            _holds.Add(hold);
        }

        return hold;
    }

    /// <summary>All of them, newest use first.</summary>
    public IReadOnlyList<CacheMount> List()
    {
        if (!Directory.Exists(_root))
        {
            return [];
        }

        return [.. Directory.EnumerateDirectories(_root).Select(Describe).OrderByDescending(mount => mount.LastUsed)];
    }

    /// <summary>Removes one with all that is in it; false when a step works with it or there is none of that name.</summary>
    public bool Remove(string name)
    {
        string trash;
        lock (_gate)
        {
            var path = Path.Combine(_root, name);
            if (IsHeld(name) || !Directory.Exists(path))
            {
                return false;
            }

            trash = TreeRemover.MoveAside(path, _dataRoot);
            File.Delete(path + ".use");
        }

        TreeRemover.Remove(trash);
        return true;
    }

    internal void Use(CacheMountHold hold, IEnumerable<string> paths, string description)
    {
        var names = paths.Where(path => Path.GetDirectoryName(path) == _root).Select(path => Path.GetFileName(path)).ToHashSet();
        lock (_gate)
        {
            hold.Names = names;
        }

        foreach (var name in names)
        {
            File.WriteAllText(Path.Combine(_root, name + ".use"), description);
        }
    }

    internal void Release(CacheMountHold hold)
    {
        lock (_gate)
        {
            _holds.Remove(hold);
        }
    }

    private bool IsHeld(string name) => _holds.Exists(hold => hold.Names is null || hold.Names.Contains(name));

    private CacheMount Describe(string path)
    {
        var name = Path.GetFileName(path);
        var use = new FileInfo(path + ".use");
        lock (_gate)
        {
            var inUse = _holds.Exists(hold => hold.Names?.Contains(name) == true);
            return new(name, use.Exists ? File.ReadAllText(use.FullName) : "", LayerChanges.SizeOf(path), Directory.GetCreationTimeUtc(path),
                use.Exists ? use.LastWriteTimeUtc : Directory.GetLastWriteTimeUtc(path), inUse);
        }
    }
}

/// <summary>Keeps cache mounts from being removed; see <see cref="CacheMounts.Hold"/>. Dispose may be called twice.</summary>
public sealed class CacheMountHold : IDisposable
{
    private readonly CacheMounts _mounts;

    internal CacheMountHold(CacheMounts mounts) => _mounts = mounts;

    /// <summary>The directories that are meant; null while that is not known.</summary>
    internal IReadOnlySet<string>? Names { get; set; }

    /// <summary>Says which directories a step works with, and notes the use.</summary>
    /// <param name="paths">Absolute; those that are none of ours do not matter.</param>
    /// <param name="description">The step in words, for lists.</param>
    public void Use(IEnumerable<string> paths, string description) => _mounts.Use(this, paths, description);

    public void Dispose() => _mounts.Release(this);
}
