using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>
/// Layers by chain ID, each unpacked once in <c>layers/NAME/diff</c> with a recipe that gives back its tar byte for byte.
/// A new layer is pending: known to this process, and gone after a crash. <see cref="Flush"/>, which every image that is put runs, makes all
/// pending layers durable with a single sync of the file system. A directory without a row in the database is garbage. Thread-safe.
/// </summary>
public sealed partial class LayerStore : IDisposable
{
    private readonly string _root;
    private readonly Database _database;
    private readonly ConcurrentDictionary<ChainId, State> _layers = new();
    private readonly List<Lease> _leases = [];
    private readonly Lock _gate = new();
    private readonly Lock _flushing = new();

    /// <summary>The directories that this process made: one without a layer is being filled.</summary>
    private readonly ConcurrentDictionary<string, bool> _made = new();
    private long _clock;

    internal LayerStore(string dataRoot, Database database)
    {
        _root = Path.Combine(dataRoot, "layers");
        _database = database;
        foreach (var layer in database.Query("SELECT chain_id, diff_id, parent, directory, size, tar_size, entries, created FROM layers", ReadLayer))
        {
            _layers[layer.ChainId] = new State(layer, durable: true);
        }
    }

    /// <summary>The layers that containers stand on. The engine sets it before anything is removed.</summary>
    public Func<IEnumerable<ChainId>> ContainerRoots { get; set; } = () => [];

    /// <summary>What an archive may have at most, unless an operation says otherwise.</summary>
    public ApplyLimits Limits { get; set; } = ApplyLimits.Default;

    /// <summary>The layers that images and the build cache keep.</summary>
    internal Func<IEnumerable<ChainId>> Roots { get; set; } = () => [];

    /// <summary>The removal of what a crash left behind; it runs beside the start.</summary>
    internal Task Leftovers { get; private set; } = Task.CompletedTask;

    /// <summary>A layer; null when it is not here. Under a <see cref="Lease"/> it stays.</summary>
    public Layer? Get(ChainId id)
    {
        if (!_layers.TryGetValue(id, out var state))
        {
            return null;
        }

        state.Touched = Interlocked.Increment(ref _clock);

        // The sweep may have decided between the look-up and the touch.
        return _layers.ContainsKey(id) ? state.Layer : null;
    }

    /// <summary>As <see cref="Get"/>, without keeping it from collection.</summary>
    internal Layer? Peek(ChainId id) => _layers.GetValueOrDefault(id)?.Layer;

    /// <summary>A layer with this content, on whatever parent; under a <see cref="Store.Lease"/> it stays.</summary>
    public Layer? FindByDiffId(Digest diffId) =>
        _layers.Values.FirstOrDefault(s => s.Layer.DiffId == diffId) is { } state ? Get(state.Layer.ChainId) : null;

    /// <summary>All layers.</summary>
    public IReadOnlyList<Layer> List() => [.. _layers.Values.Select(s => s.Layer)];

    /// <summary>The unpacked directories of a stack, absolute, topmost first: overlayfs's <c>lowerdir</c>.</summary>
    /// <exception cref="StoreException">A layer of it is not here.</exception>
    public IReadOnlyList<string> LowerDirs(ChainId id) => [.. Stack(id).Select(l => l.DiffPath)];

    /// <summary>The layers of a stack, topmost first.</summary>
    /// <exception cref="StoreException">A layer of it is not here.</exception>
    public IReadOnlyList<Layer> Stack(ChainId id)
    {
        var stack = new List<Layer>();
        for (ChainId? next = id; next is { } chain; next = stack[^1].Parent)
        {
            stack.Add(Get(chain) ?? throw StoreException.NotFound($"layer {chain} does not exist"));
        }

        return stack;
    }

    public void Dispose()
    {
        Leftovers.Wait();
        Flush();
    }

    internal Lease Lease()
    {
        lock (_gate)
        {
            var lease = new Lease(this, Interlocked.Increment(ref _clock));
            _leases.Add(lease);
            return lease;
        }
    }

    /// <summary>The last operation that ends removes what one of them made and could not record.</summary>
    internal void Release(Lease lease)
    {
        lock (_gate)
        {
            _leases.Remove(lease);
            if (_leases.Count > 0)
            {
                return;
            }
        }

        if (_layers.Any(l => l.Value is { Durable: false, IsKept: false }))
        {
            Collect();
        }
    }

    /// <summary>Syncs the file system, then records all pending layers, and what else is to become durable with them, in one transaction.</summary>
    internal void Flush(Action? also = null)
    {
        lock (_flushing)
        {
            var pending = _layers.Values.Where(s => !s.Durable).ToList();
            if (pending.Count == 0 && also is null)
            {
                return;
            }

            var fd = Sys.Open(_root, Sys.O_RDONLY | Sys.O_DIRECTORY);
            try
            {
                Sys.Syncfs(fd);
            }
            finally
            {
                Sys.Close(fd);
            }

            _database.Transaction(() =>
            {
                foreach (var layer in pending.Select(s => s.Layer))
                {
                    // A row may be there already: of a layer whose removal failed, and which came again meanwhile.
                    _database.Execute("INSERT OR REPLACE INTO layers VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", layer.ChainId.ToString(), layer.DiffId.ToString(),
                        layer.Parent?.ToString(), Path.GetFileName(layer.Directory), layer.Size, layer.TarSize, layer.Entries,
                        layer.Created.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
                }

                also?.Invoke();
            });
            pending.ForEach(s => s.Durable = true);
        }
    }

    /// <summary>Directories of a process that has gone, without a layer.</summary>
    internal List<string> LooseDirectories()
    {
        var known = _layers.Values.Select(s => Path.GetFileName(s.Layer.Directory)).ToHashSet();
        return [.. Directory.EnumerateDirectories(_root).Where(d => !known.Contains(Path.GetFileName(d)) && !_made.ContainsKey(Path.GetFileName(d)))];
    }

    /// <summary>Removes, in the background, every directory that no row names.</summary>
    internal void RemoveLeftovers()
    {
        var known = _layers.Values.Select(s => Path.GetFileName(s.Layer.Directory)).ToHashSet();
        var leftovers = Directory.EnumerateDirectories(_root).Where(d => !known.Contains(Path.GetFileName(d))).ToList();
        if (leftovers.Count > 0)
        {
            Leftovers = Task.Run(() => leftovers.ForEach(TreeRemover.Remove));
        }
    }

    /// <summary>
    /// Removes the layers that no image, container, cache entry or lease refers to, by mark and sweep; gives those removed.
    /// </summary>
    internal IReadOnlyList<Layer> Collect()
    {
        // Roots are read with no lock held, as the engine answers under its own. What is touched from here on counts as live: it may get a root
        // that this reading misses.
        var start = Interlocked.Increment(ref _clock);
        var roots = Roots().Concat(ContainerRoots()).ToList();
        List<State> removed;
        lock (_flushing)
        {
            lock (_gate)
            {
                var live = Mark(roots, start);
                foreach (var state in _layers.Values)
                {
                    state.IsKept = live.Contains(state.Layer.ChainId);
                }

                removed = [.. _layers.Values.Where(s => !s.IsKept)];
                removed.ForEach(s => _layers.TryRemove(s.Layer.ChainId, out _));
            }

            Unrecord([.. removed.Where(s => s.Durable)]);
        }

        removed.ForEach(s => TreeRemover.Remove(s.Layer.Directory));
        return [.. removed.Select(s => s.Layer)];
    }

    /// <summary>Takes the rows of layers away; when the database refuses (a full disk), the layers are as they were.</summary>
    private void Unrecord(List<State> removed)
    {
        if (removed.Count == 0)
        {
            return;
        }

        try
        {
            _database.Transaction(() => removed.ForEach(s =>
                _database.Execute("DELETE FROM layers WHERE chain_id = $1", s.Layer.ChainId.ToString())));
        }
        catch
        {
            removed.ForEach(s => _layers.TryAdd(s.Layer.ChainId, s));
            throw;
        }
    }

    private HashSet<ChainId> Mark(List<ChainId> roots, long start)
    {
        var since = _leases.Select(l => l.Since).Append(start).Min();
        var touched = _layers.Values.Where(s => s.Touched >= since).Select(s => s.Layer.ChainId);
        var live = new HashSet<ChainId>();
        foreach (var root in roots.Concat(touched))
        {
            for (ChainId? next = root; next is { } chain && live.Add(chain);)
            {
                next = _layers.GetValueOrDefault(chain)?.Layer.Parent;
            }
        }

        return live;
    }

    /// <summary>A new, empty directory for a layer. Eight letters keep the kernel's lowerdir option short.</summary>
    private string NewDirectory()
    {
        while (true)
        {
            var path = Path.Combine(_root, RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz234567", 8));
            var errno = Sys.TryMkdirAt(Sys.AT_FDCWD, Bytes.FromText(path), 0x1C0 /* 0700 */);
            if (errno == 0)
            {
                _made.TryAdd(Path.GetFileName(path), true);
                return path;
            }

            if (errno != Errno.EEXIST)
            {
                throw new SyscallException("mkdir", $"'{path}'", errno);
            }
        }
    }

    private Layer ReadLayer(Microsoft.Data.Sqlite.SqliteDataReader row) => new()
    {
        ChainId = ChainId.Parse(row.GetString(0)),
        DiffId = Digest.Parse(row.GetString(1)),
        Parent = row.IsDBNull(2) ? null : ChainId.Parse(row.GetString(2)),
        DiffPath = Path.Combine(_root, row.GetString(3), "diff"),
        Size = row.GetInt64(4),
        TarSize = row.GetInt64(5),
        Entries = row.GetInt64(6),
        Created = DateTimeOffset.Parse(row.GetString(7), CultureInfo.InvariantCulture),
    };

    private sealed class State(Layer layer, bool durable)
    {
        private long _touched;

        public Layer Layer { get; } = layer;

        public bool Durable { get; set; } = durable;

        /// <summary>The last collection found something that refers to it.</summary>
        public bool IsKept { get; set; }

        /// <summary>Bytes on the disk; null when they were not asked for yet.</summary>
        public long? DiskUsage { get; set; }

        /// <summary>The clock when it was last made or asked for.</summary>
        public long Touched
        {
            get => Volatile.Read(ref _touched);
            set => Volatile.Write(ref _touched, value);
        }
    }
}
