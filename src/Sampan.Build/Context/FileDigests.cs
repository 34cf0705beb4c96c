using System.Collections.Concurrent;
using System.Security.Cryptography;
using Sampan.Build.Files;
using Sampan.Linux;
using Sampan.Store;

namespace Sampan.Build.Context;

/// <summary>
/// The digests of the files that a build uses. A file whose size, inode and times are those of its last reading is not read again. Files
/// may change while they are read: a digest is that of bytes between which nothing happened, and <see cref="Verify"/> holds what is copied
/// later against it. Thread-safe.
/// </summary>
/// <param name="memo">Keeps digests from build to build; null reads every file.</param>
/// <param name="mayChange">False for files that nobody but this build can reach.</param>
internal sealed class FileDigests(FileMemo? memo, bool mayChange)
{
    private const int Attempts = 3;
    private const int BufferBytes = 256 * 1024;

    /// <summary>File systems that this kernel alone writes to, so that their times are those of our clock.</summary>
    private static readonly string[] Local = ["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "overlayfs", "zfs", "f2fs", "bcachefs", "ramfs"];

    private readonly ConcurrentDictionary<string, FileDigest> _digests = new();
    private readonly ConcurrentDictionary<string, Lazy<Known>> _directories = new();
    private readonly ConcurrentDictionary<ulong, bool> _local = new();
    private int _read;

    /// <summary>How many files had to be read.</summary>
    public int FilesRead => _read;

    /// <summary>The SHA-256 digest of a file's bytes, in hexadecimal digits.</summary>
    /// <exception cref="IOException">It changes faster than it can be read, or is no file any more.</exception>
    public string Of(MergedNode file, CancellationToken cancel) => (Recall(file) ?? Read(file, cancel)).Hex;

    /// <summary>Makes sure that what was copied from a file is what its digest says.</summary>
    /// <param name="source">The open file that was read.</param>
    /// <param name="copy">The copy, open for reading.</param>
    /// <exception cref="IOException">The file changed since its digest was taken.</exception>
    public void Verify(MergedNode file, int source, int copy)
    {
        if (!mayChange || !_digests.TryGetValue(file.RealPath, out var digest) || (digest.IsSettled && FileStamp.Of(Sys.Stat(source)) == digest.Stamp))
        {
            return;
        }

        Sys.Seek(copy, 0, Sys.SEEK_SET);
        if (!Hash(copy, CancellationToken.None).AsSpan().SequenceEqual(digest.Hash))
        {
            throw Changed(file);
        }
    }

    /// <summary>Keeps for the next build what was read.</summary>
    public void Save()
    {
        var changed = _directories.Values.Where(d => d is { IsValueCreated: true, Value.IsDirty: true }).Select(d => d.Value).ToList();
        if (memo is not null && changed.Count > 0)
        {
            memo.Put([.. changed.Select(d => (d.FileSystem, d.Inode, (IReadOnlyCollection<KeyValuePair<FileStamp, byte[]>>)[.. d.Seen]))]);
            changed.ForEach(d => d.IsDirty = false);
        }
    }

    /// <summary>The digest when it is known, by this build or by an earlier one.</summary>
    private FileDigest? Recall(MergedNode file)
    {
        if (_digests.TryGetValue(file.RealPath, out var digest))
        {
            return digest;
        }

        var stamp = FileStamp.Of(file.Stat);
        if (DirectoryOf(file) is not { } known || !known.Before.TryGetValue(stamp, out var hash))
        {
            return null;
        }

        known.Seen[stamp] = hash;
        return _digests[file.RealPath] = new(stamp, hash, IsSettled: true);
    }

    private FileDigest Read(MergedNode file, CancellationToken cancel)
    {
        var fd = MergedView.Open(file);
        try
        {
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                var now = DateTimeOffset.UtcNow;
                var before = Sys.Stat(fd);
                if (!before.IsRegular || before.Inode != file.Stat.Inode)
                {
                    throw Changed(file);
                }

                Sys.Seek(fd, 0, Sys.SEEK_SET);
                var hash = Hash(fd, cancel);
                Interlocked.Increment(ref _read);
                var stamp = FileStamp.Of(before);
                if (FileStamp.Of(Sys.Stat(fd)) == stamp)
                {
                    return Keep(file, new(stamp, hash, IsSettled(file, before, now)));
                }
            }

            throw Changed(file);
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    private FileDigest Keep(MergedNode file, FileDigest digest)
    {
        if (digest.IsSettled && DirectoryOf(file) is { } known)
        {
            known.Seen[digest.Stamp] = digest.Hash;
            known.IsDirty = true;
        }

        return _digests[file.RealPath] = digest;
    }

    private Known? DirectoryOf(MergedNode file)
    {
        if (memo is null)
        {
            return null;
        }

        var path = file.RealPath[..file.RealPath.LastIndexOf('/')];
        return _directories.GetOrAdd(path, _ => new(() =>
        {
            using var at = Place.Of(path);
            var stat = Sys.StatAt(at.Directory, at.Name);
            return new(stat.FileSystem, stat.Inode, memo.Get(stat.FileSystem, stat.Inode));
        })).Value is var known && known.FileSystem == file.Stat.FileSystem ? known : null;
    }

    /// <summary>True when another change would show in the file's times.</summary>
    private bool IsSettled(MergedNode file, FileStat stat, DateTimeOffset readAt) => memo is not null && stat.Changed.IsSettled(readAt)
        && _local.GetOrAdd(stat.FileSystem, _ => IsLocal(file.RealPath[..file.RealPath.LastIndexOf('/')]));

    private static bool IsLocal(string directory) => directory.Length < Sys.PATH_MAX && Local.Contains(new DriveInfo(directory).DriveFormat);

    private static byte[] Hash(int fd, CancellationToken cancel)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (int n; (n = Sys.Read(fd, buffer)) > 0;)
            {
                cancel.ThrowIfCancellationRequested();
                hash.AppendData(buffer.AsSpan(0, n));
            }

            return hash.GetHashAndReset();
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static IOException Changed(MergedNode file) => new($"'{file.Path[1..]}' changed while the build was reading it; build again when nothing writes to it");

    /// <param name="IsSettled">A later change is sure to show in the stamp.</param>
    private sealed record FileDigest(FileStamp Stamp, byte[] Hash, bool IsSettled)
    {
        public string Hex { get; } = Convert.ToHexStringLower(Hash);
    }

    /// <summary>A directory, what the memo knew of it, and what of that holds in this build.</summary>
    private sealed class Known(ulong fileSystem, ulong inode, IReadOnlyDictionary<FileStamp, byte[]> before)
    {
        public ulong FileSystem => fileSystem;

        public ulong Inode => inode;

        public IReadOnlyDictionary<FileStamp, byte[]> Before => before;

        public ConcurrentDictionary<FileStamp, byte[]> Seen { get; } = new();

        public bool IsDirty { get; set; }
    }
}
