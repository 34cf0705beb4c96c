namespace Sampan.Store;

/// <summary>
/// A daemon's data root, opened and locked: content by digest, layers unpacked once each, images and their names, the build cache and the
/// engine's documents. One process at a time.
/// </summary>
public sealed class Store : IDisposable
{
    private readonly DataRootLock _lock;
    private Task _sweeping = Task.CompletedTask;

    private Store(string dataRoot, DataRootLock @lock, Database database)
    {
        DataRoot = dataRoot;
        _lock = @lock;
        Database = database;
        Blobs = new BlobStore(Path.Combine(dataRoot, "content"), Path.Combine(dataRoot, "tmp"));
        Layers = new LayerStore(dataRoot, database);
        BuildCache = new BuildCache(database, Layers);
        BuildRecords = new BuildRecords(database);
        FileMemo = new FileMemo(database);
        ContextCopies = new ContextCopies(dataRoot);
        CacheMounts = new CacheMounts(dataRoot);
        Images = new ImageStore(database, Blobs, Layers);
        Checker = new StoreChecker(Blobs, Layers, Images, BuildCache);
        Layers.Roots = () => Images.LayerRoots().Concat(BuildCache.LayerRoots());
    }

    /// <summary>The directory, absolute.</summary>
    public string DataRoot { get; }

    /// <summary>A directory in memory (tmpfs) for small things that do not last; null when there is none. The engine sets it.</summary>
    public string? MemoryRoot { get; set; }

    public Database Database { get; }

    public BlobStore Blobs { get; }

    public LayerStore Layers { get; }

    public ImageStore Images { get; }

    public BuildCache BuildCache { get; }

    public StoreChecker Checker { get; }

    public BuildRecords BuildRecords { get; }

    public FileMemo FileMemo { get; }

    public ContextCopies ContextCopies { get; }

    public CacheMounts CacheMounts { get; }

    /// <summary>
    /// Opens a data root, making it if needed: takes its lock, brings the database to the newest schema, and removes what a crash left behind.
    /// </summary>
    /// <exception cref="StoreInUseException">Another process has it open.</exception>
    /// <exception cref="IOException">The directory cannot be made or written to.</exception>
    public static Store Open(string dataRoot)
    {
        var root = Path.GetFullPath(dataRoot);
        var directory = DataRootLock.Prepare(root);
        try
        {
            var database = Database.Open(Path.Combine(root, "sampan.db"));
            try
            {
                var store = new Store(root, directory, database);
                store.Layers.RemoveLeftovers();
                store.BuildCache.DropDangling();
                return store;
            }
            catch
            {
                database.Dispose();
                throw;
            }
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Protects from collection every layer that is made, found or asked for from now on until the lease is disposed. An operation that makes
    /// layers before anything refers to them (a build, a load, the creation of a container) holds one.
    /// </summary>
    public Lease Lease() => Layers.Lease();

    /// <summary>
    /// Removes what nothing refers to, beside whatever else happens: blobs, layers, and what a killed daemon left in the folders for temporary files. The engine
    /// calls it once it has said which layers containers stand on (<see cref="LayerStore.ContainerRoots"/>).
    /// </summary>
    /// <param name="execRoot">Another root with a <c>tmp</c> of this daemon.</param>
    /// <returns>Its end; an error is the caller's to tell.</returns>
    public Task SweepAsync(string? execRoot = null)
    {
        // Listed now, as what is made from here on belongs to somebody.
        var temporary = new[] { DataRoot, execRoot }.OfType<string>().Select(r => Path.Combine(r, "tmp")).Where(Directory.Exists)
            .SelectMany(Directory.GetFileSystemEntries).ToArray();
        return _sweeping = Task.Run(() =>
        {
            Array.ForEach(temporary, TreeRemover.Remove);
            Images.Sweep();
            Layers.Collect();
            ContextCopies.Collect();
        });
    }

    /// <summary>Syncs the file system, then makes durable, in one transaction, what names its content.</summary>
    public void Flush(Action work) => Layers.Flush(work);

    /// <summary>
    /// Runs what looks at, claims and puts content that <see cref="ImageStore.KeptBlobs"/> will name, while no sweep takes any.
    /// </summary>
    public T WithoutSweep<T>(Func<T> work) => Images.WithoutSweep(work);

    /// <summary>Removes the blobs that no image has and nobody keeps (<see cref="ImageStore.KeptBlobs"/>); gives their bytes.</summary>
    public long SweepBlobs() => Images.Sweep();

    /// <summary>Makes durable what is pending, then closes and unlocks.</summary>
    public void Dispose()
    {
        Task.WhenAny(_sweeping).Wait();
        Layers.Dispose();
        Database.Dispose();
        _lock.Dispose();
    }
}
