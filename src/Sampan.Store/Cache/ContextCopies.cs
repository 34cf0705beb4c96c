using System.Security.Cryptography;
using System.Text;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>A client's directory as it was at its last build.</summary>
/// <param name="Size">Bytes of its files.</param>
/// <param name="InUse">A build works with it.</param>
public sealed record ContextCopyInfo(
    string Name, string Description, long Size, DateTimeOffset Created, DateTimeOffset LastUsed, bool InUse);

/// <summary>
/// Copies of clients' directories, so that the next build is sent only what changed: files in <c>contexts/NAME/files</c>, and beside them a
/// record that tells what they are. While a copy is brought up to date it has no record, so one that a killed daemon leaves is known to be half made.
/// Nothing is synced: a record of before the machine's last start does not count. Thread-safe.
/// </summary>
public sealed class ContextCopies
{
    /// <summary>Copies that stay at most, and their bytes in all; those used longest ago go first.</summary>
    private const int MaxCopies = 32;

    private const long MaxBytes = 8L << 30;

    private readonly string _dataRoot;
    private readonly string _root;
    private readonly string _boot = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
    private readonly HashSet<string> _open = [];
    private readonly Lock _gate = new();

    internal ContextCopies(string dataRoot) => (_dataRoot, _root) = (dataRoot, Path.Combine(dataRoot, "contexts"));

    /// <summary>Opens the copy of a directory, an empty one when there is none; null when another build works with it.</summary>
    /// <param name="key">Tells this directory from all others.</param>
    public ContextCopy? Open(string key)
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32];
        lock (_gate)
        {
            if (!_open.Add(name))
            {
                return null;
            }
        }

        try
        {
            var path = Path.Combine(_root, name);
            var record = Header(path) is not null ? ContextCopy.ReadRecord(path) : null;
            if (record is null)
            {
                TreeRemover.Remove(path);
            }

            Directory.CreateDirectory(_root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            Directory.CreateDirectory(Path.Combine(path, ContextCopy.FilesName));
            File.Delete(Path.Combine(path, ContextCopy.RecordName));
            return new(this, name, path, record ?? [], _boot);
        }
        catch
        {
            Release(name, isWhole: false);
            throw;
        }
    }

    /// <summary>All that are whole or in use, newest use first.</summary>
    public IReadOnlyList<ContextCopyInfo> List() => !Directory.Exists(_root) ? []
        : [.. Directory.EnumerateDirectories(_root).Select(Describe).OfType<ContextCopyInfo>().OrderByDescending(copy => copy.LastUsed)];

    /// <summary>Removes one; false when a build works with it or there is none of that name.</summary>
    public bool Remove(string name)
    {
        string trash;
        lock (_gate)
        {
            var path = Path.Combine(_root, name);
            if (_open.Contains(name) || !Directory.Exists(path))
            {
                return false;
            }

            trash = TreeRemover.MoveAside(path, _dataRoot);
        }

        TreeRemover.Remove(trash);
        return true;
    }

    /// <summary>Removes what is half made, and what is beyond the limits.</summary>
    public void Collect()
    {
        var whole = List();
        var names = whole.Select(copy => copy.Name).ToHashSet();
        var left = MaxBytes;
        var goes = whole.Where((copy, i) => (left -= copy.Size) < 0 || i >= MaxCopies).Select(copy => copy.Name);
        var all = Directory.Exists(_root) ? Directory.EnumerateDirectories(_root) : [];
        var broken = all.Select(Path.GetFileName).Where(name => !names.Contains(name!));
        foreach (var name in goes.Concat(broken!).ToList())
        {
            Remove(name!);
        }
    }

    /// <summary>The build that opened it has ended.</summary>
    internal void Release(string name, bool isWhole)
    {
        lock (_gate)
        {
            _open.Remove(name);
        }

        if (!isWhole)
        {
            Remove(name);
        }

        Collect();
    }

    private ContextCopyInfo? Describe(string path)
    {
        var name = Path.GetFileName(path);
        lock (_gate)
        {
            var isOpen = _open.Contains(name);
            return Header(path) is { } header
                ? new(name, header.Description, header.Size, Directory.GetCreationTimeUtc(path),
                    File.GetLastWriteTimeUtc(Path.Combine(path, ContextCopy.RecordName)), isOpen)
                : isOpen ? new(name, "", 0, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow, true) : null;
        }
    }

    /// <summary>The beginning of a copy's record; null when there is none that counts.</summary>
    private (string Description, long Size)? Header(string path)
    {
        try
        {
            using var reader = new BinaryReader(File.OpenRead(Path.Combine(path, ContextCopy.RecordName)));
            return reader.ReadString() == _boot ? (reader.ReadString(), reader.ReadInt64()) : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or EndOfStreamException or FormatException)
        {
            return null;
        }
    }
}

/// <summary>A copy that one build works with. Dispose it after the build: without <see cref="Keep"/> it goes.</summary>
public sealed class ContextCopy : IDisposable
{
    internal const string RecordName = "record", FilesName = "files";

    private readonly ContextCopies _copies;
    private readonly string _name;
    private readonly string _folder;
    private readonly string _boot;
    private bool _isWhole, _isClosed;

    internal ContextCopy(ContextCopies copies, string name, string folder, byte[] record, string boot)
    {
        (_copies, _name, _folder, Record, _boot) = (copies, name, folder, record, boot);
        Path = System.IO.Path.Combine(folder, FilesName);
    }

    /// <summary>The directory with the files.</summary>
    public string Path { get; }

    /// <summary>What <see cref="Keep"/> was given the last time; empty for a new copy.</summary>
    public byte[] Record { get; }

    /// <summary>Removes files and directories, each with what is in it.</summary>
    /// <param name="paths">Relative, in bytes; what is above them is a directory of the copy or not there.</param>
    public void Remove(IEnumerable<byte[]> paths)
    {
        var root = Sys.Open(Path, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            using var directories = new RootedDirectory(root);
            foreach (var path in paths)
            {
                var (parent, name) = EntryPath.Split(path);
                var errno = directories.TryOpen(parent, create: false, out var fd);
                if (errno == 0)
                {
                    TreeRemover.Remove(fd, name);
                }
                else if (errno != Errno.ENOENT)
                {
                    throw new SyscallException("open", $"'{Bytes.ToText(parent)}' of a kept context", errno);
                }
            }
        }
        finally
        {
            Sys.Close(root);
        }
    }

    /// <summary>Adds what a tar has; files that are there are replaced.</summary>
    /// <exception cref="StoreException">The archive is damaged, hostile or beyond a limit.</exception>
    public Task UpdateAsync(Stream tar, ApplyLimits limits, CancellationToken cancel) =>
        TarTree.ExtractAsync(tar, Path, "/", new() { Limits = limits }, cancel);

    /// <summary>The copy is whole and may serve the next build; nobody changes it any more.</summary>
    /// <param name="record">Tells what the files are.</param>
    /// <param name="size">Bytes of the files.</param>
    public void Keep(ReadOnlySpan<byte> record, string description, long size)
    {
        var path = System.IO.Path.Combine(_folder, RecordName);
        using (var writer = new BinaryWriter(File.Create(path + ".new")))
        {
            writer.Write(_boot);
            writer.Write(description);
            writer.Write(size);
            writer.Write(record);
        }

        File.Move(path + ".new", path, overwrite: true); // whole or not at all, also when the daemon is killed
        _isWhole = true;
    }

    /// <summary>May be called twice.</summary>
    public void Dispose()
    {
        if (!_isClosed)
        {
            _isClosed = true;
            _copies.Release(_name, _isWhole);
        }
    }

    /// <summary>The record of a copy whose beginning has been found good.</summary>
    internal static byte[] ReadRecord(string folder)
    {
        using var reader = new BinaryReader(File.OpenRead(System.IO.Path.Combine(folder, RecordName)));
        _ = (reader.ReadString(), reader.ReadString(), reader.ReadInt64());
        return reader.ReadBytes((int)(reader.BaseStream.Length - reader.BaseStream.Position));
    }
}
