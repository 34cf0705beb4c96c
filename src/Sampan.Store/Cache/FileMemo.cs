using System.Buffers.Binary;
using System.Globalization;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>What tells that a file was not touched: any change of its content gives it another time of change.</summary>
public readonly record struct FileStamp(ulong Inode, long Size, FileTime Modified, FileTime Changed)
{
    public static FileStamp Of(in FileStat stat) => new(stat.Inode, stat.Size, stat.Modified, stat.Changed);
}

/// <summary>
/// Digests of files that builds have read, so that an unchanged file is not read again: one row for each directory, so that a context of
/// 50,000 files is looked up by some hundred queries. Nothing here is needed: losing it costs a read. Thread-safe.
/// </summary>
public sealed class FileMemo
{
    private const int EntryBytes = 80;
    private const int HashBytes = 32;

    /// <summary>Directories remembered; those used longest ago are forgotten first.</summary>
    private const int MaxDirectories = 50_000;

    private readonly Database _database;

    internal FileMemo(Database database) => _database = database;

    /// <summary>The SHA-256 digests known of files in a directory.</summary>
    /// <param name="fileSystem">The directory's <see cref="FileStat.FileSystem"/>.</param>
    /// <param name="directory">Its inode.</param>
    public IReadOnlyDictionary<FileStamp, byte[]> Get(ulong fileSystem, ulong directory)
    {
        var rows = _database.Query("SELECT entries FROM file_digests WHERE file_system = $1 AND directory = $2", r => (byte[])r.GetValue(0),
            (long)fileSystem, (long)directory);
        return rows.Count == 0 ? new Dictionary<FileStamp, byte[]>() : Read(rows[0]);
    }

    /// <summary>Replaces what is known of directories, all in one transaction.</summary>
    public void Put(IReadOnlyCollection<(ulong FileSystem, ulong Directory, IReadOnlyCollection<KeyValuePair<FileStamp, byte[]>> Files)> directories)
    {
        var now = DateTimeOffset.UtcNow.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
        _database.Transaction(durable: false, () =>
        {
            foreach (var (fileSystem, directory, files) in directories)
            {
                _database.Execute("INSERT INTO file_digests VALUES ($1, $2, $3, $4) ON CONFLICT DO UPDATE SET entries = excluded.entries, used = excluded.used",
                    (long)fileSystem, (long)directory, Write(files), now);
            }

            return _database.Execute(
                "DELETE FROM file_digests WHERE (file_system, directory) IN (SELECT file_system, directory FROM file_digests ORDER BY used DESC LIMIT -1 OFFSET $1)",
                MaxDirectories);
        });
    }

    /// <summary>Forgets everything.</summary>
    public void Clear() => _database.Transaction(durable: false, () => _database.Execute("DELETE FROM file_digests"));

    private static Dictionary<FileStamp, byte[]> Read(ReadOnlySpan<byte> blob)
    {
        var files = new Dictionary<FileStamp, byte[]>(blob.Length / EntryBytes);
        for (; blob.Length >= EntryBytes; blob = blob[EntryBytes..])
        {
            files[new(BinaryPrimitives.ReadUInt64LittleEndian(blob), BinaryPrimitives.ReadInt64LittleEndian(blob[8..]), Time(blob[16..]), Time(blob[32..]))]
                = blob[(EntryBytes - HashBytes)..EntryBytes].ToArray();
        }

        return files;
    }

    private static byte[] Write(IReadOnlyCollection<KeyValuePair<FileStamp, byte[]>> files)
    {
        var blob = new byte[files.Count * EntryBytes];
        var rest = blob.AsSpan();
        foreach (var (stamp, hash) in files)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(rest, stamp.Inode);
            BinaryPrimitives.WriteInt64LittleEndian(rest[8..], stamp.Size);
            Time(rest[16..], stamp.Modified);
            Time(rest[32..], stamp.Changed);
            hash.CopyTo(rest[(EntryBytes - HashBytes)..]);
            rest = rest[EntryBytes..];
        }

        return blob;
    }

    private static FileTime Time(ReadOnlySpan<byte> at) =>
        new(BinaryPrimitives.ReadInt64LittleEndian(at), (uint)BinaryPrimitives.ReadInt64LittleEndian(at[8..]));

    private static void Time(Span<byte> at, FileTime time)
    {
        BinaryPrimitives.WriteInt64LittleEndian(at, time.Seconds);
        BinaryPrimitives.WriteInt64LittleEndian(at[8..], time.Nanoseconds);
    }
}
