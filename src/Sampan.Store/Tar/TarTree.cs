using System.Buffers;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>How a tree becomes a tar.</summary>
public sealed record TarTreeOptions
{
    /// <summary>The name of the top entry; null takes the last part of the path. With "" there is none, and names begin inside the tree.</summary>
    public string? Rename { get; init; }

    /// <summary>Names begin with a slash, as Docker's clients expect of a whole file system's.</summary>
    public bool IsAbsolute { get; init; }

    /// <summary>Times with nanoseconds; false cuts to seconds, as layers have them.</summary>
    public bool Nanoseconds { get; init; } = true;
}

/// <summary>How a tar becomes files.</summary>
public sealed record ExtractOptions
{
    public ApplyLimits Limits { get; init; } = ApplyLimits.Default;

    /// <summary>Everything gets this owner; null keeps the archive's.</summary>
    public (uint Uid, uint Gid)? Owner { get; init; }

    /// <summary>Refuses to replace a directory by something else and the reverse (<c>docker cp</c>).</summary>
    public bool NoOverwriteDirNonDir { get; init; }
}

/// <summary>Tars of trees in general: <c>cp</c>, <c>export</c>, build contexts. Paths are resolved inside the root, symlinks included, and never leave it.</summary>
public static class TarTree
{
    private const int BufferBytes = 256 * 1024;

    /// <summary>Writes a file or directory inside a root as a tar, names in byte order.</summary>
    /// <param name="root">An absolute path; <c>/proc/PID/root</c> and <c>/proc/self/fd/N</c> will do.</param>
    /// <param name="path">Inside the root; its last part is not followed when it is a symlink. "/" is the whole tree.</param>
    /// <exception cref="StoreException">NotFound: there is no such path.</exception>
    public static async Task WriteAsync(string root, string path, Stream destination, TarTreeOptions options, CancellationToken cancel = default)
    {
        var rootFd = Sys.Open(root, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            using var directories = new RootedDirectory(rootFd);
            var clean = EntryPath.Clean(Bytes.FromText("/" + path))!;
            var (parent, name) = clean.Length == 0 ? ([], "."u8.ToArray()) : EntryPath.Split(clean);
            var errno = directories.TryOpen(parent, create: false, out var fd);
            errno = errno != 0 ? errno : Sys.TryStatAt(fd, name, out var stat);
            if (errno != 0)
            {
                throw errno is Errno.ENOENT or Errno.ENOTDIR ? StoreException.NotFound($"\"{path}\": {SyscallException.Describe(errno)}")
                    : new SyscallException("statx", $"'{path}'", errno);
            }

            var top = options.Rename is { } rename ? Bytes.FromText(rename) : clean.Length == 0 ? [] : name;
            using var writer = new TarTreeWriter(destination, options);
            await writer.WriteAsync(fd, name, Sys.StatAt(fd, name), top, cancel);
        }
        finally
        {
            Sys.Close(rootFd);
        }
    }

    /// <summary>Unpacks a tar (compressed or not) into a directory inside a root. What was written before a failure stays.</summary>
    /// <param name="path">An existing directory inside the root.</param>
    /// <exception cref="TarException">The archive is truncated, hostile or beyond a limit.</exception>
    /// <exception cref="StoreException">NotFound: there is no such directory.</exception>
    public static Task ExtractAsync(Stream tar, string root, string path, ExtractOptions options, CancellationToken cancel = default) =>
        Task.Factory.StartNew(() => Extract(tar, root, path, options, cancel), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void Extract(Stream tar, string root, string path, ExtractOptions options, CancellationToken cancel)
    {
        var rootFd = Sys.Open(root, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            byte[] prefix;
            using (var directories = new RootedDirectory(rootFd))
            {
                var errno = directories.TryOpen(EntryPath.Clean(Bytes.FromText("/" + path))!, create: false, out _);
                prefix = errno == 0 ? directories.Real : throw StoreException.NotFound($"\"{path}\": {SyscallException.Describe(errno)}");
            }

            using var extractor = new TreeExtractor(rootFd, prefix, options);
            using var feed = new TarFeed(tar, hashing: false, progress: null, cancel);
            extractor.Run(new TarReader(feed.Pipe, options.Limits), cancel);
        }
        finally
        {
            Sys.Close(rootFd);
        }
    }

    /// <summary>One archive being written.</summary>
    private sealed class TarTreeWriter(Stream destination, TarTreeOptions options) : IDisposable
    {
        private readonly ArrayBufferWriter<byte> _header = new(2048);
        private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        private readonly Dictionary<(ulong FileSystem, ulong Inode), byte[]> _links = [];

        public async Task WriteAsync(int parent, byte[] leaf, FileStat stat, byte[] top, CancellationToken cancel)
        {
            if (top.Length > 0 || options.IsAbsolute)
            {
                await AddAsync(parent, leaf, stat, top, cancel);
            }

            if (stat.IsDirectory)
            {
                var fd = Sys.OpenAt(parent, leaf, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
                try
                {
                    using var walker = new TreeWalker(fd, top);
                    while (walker.Next())
                    {
                        await AddAsync(walker.Parent, walker.Name, walker.Stat, walker.Path, cancel);
                        if (walker.Stat.IsDirectory)
                        {
                            walker.Enter();
                        }
                    }
                }
                finally
                {
                    Sys.Close(fd);
                }
            }

            _header.Write(TarHeader.End);
            await FlushAsync(cancel);
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

        private async Task AddAsync(int parent, byte[] leaf, FileStat stat, byte[] name, CancellationToken cancel)
        {
            name = options.IsAbsolute && name.Length > 0 ? [(byte)'/', .. name] : name;
            var key = (stat.FileSystem, stat.Inode);
            var isLinked = stat.Links > 1 && !stat.IsDirectory;
            var link = isLinked ? _links.GetValueOrDefault(key) : null;
            var time = options.Nanoseconds ? stat.Modified : stat.Modified with { Nanoseconds = 0 };
            if (FileEntry.Of(parent, leaf, name, stat, link, time) is not { } entry)
            {
                return;
            }

            if (isLinked && link is null)
            {
                _links.Add(key, name);
            }

            TarHeader.Write(_header, entry);
            if (entry.StoredSize > 0)
            {
                await AddContentAsync(parent, leaf, entry, cancel);
                _header.Write(TarHeader.Padding(entry.StoredSize));
            }

            if (_header.WrittenCount >= BufferBytes / 4)
            {
                await FlushAsync(cancel);
            }
        }

        private async Task AddContentAsync(int parent, byte[] leaf, TarEntry entry, CancellationToken cancel)
        {
            var fd = Sys.OpenAt(parent, leaf, Sys.O_RDONLY | Sys.O_NOFOLLOW);
            try
            {
                await FlushAsync(cancel);
                for (var left = entry.StoredSize; left > 0;)
                {
                    // A file that shrinks while it is read is filled up with zeros: its header is out already.
                    var room = (int)Math.Min(left, BufferBytes);
                    var n = Sys.Read(fd, _buffer.AsSpan(0, room));
                    if (n == 0)
                    {
                        _buffer.AsSpan(0, n = room).Clear();
                    }

                    await destination.WriteAsync(_buffer.AsMemory(0, n), cancel);
                    left -= n;
                }
            }
            finally
            {
                Sys.Close(fd);
            }
        }

        private async Task FlushAsync(CancellationToken cancel)
        {
            await destination.WriteAsync(_header.WrittenMemory, cancel);
            _header.ResetWrittenCount();
        }
    }
}
