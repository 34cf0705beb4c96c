using System.Formats.Tar;
using System.Text;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Options;
using Sampan.Linux;

namespace Sampan.Cli.Archives;

/// <summary>Writes files of this machine as a tar archive, in order of their names.</summary>
/// <param name="output">Where the archive goes; not closed.</param>
/// <param name="asRoot">Give everything to root, as a build context is; otherwise keep owners.</param>
internal sealed class TreeArchive(Stream output, bool asRoot) : IDisposable
{
    private const UnixFileMode AllBits = (UnixFileMode)0xFFF;
    private static readonly byte[] Capability = "security.capability"u8.ToArray();
    private readonly TarWriter _writer = new(output, TarEntryFormat.Pax, leaveOpen: true);

    /// <summary>Adds one file, link or directory, without what is below it; sockets are left out.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="name">Its name in the archive.</param>
    /// <returns>Whether it is a directory (not a link to one).</returns>
    public bool Add(string path, string name)
    {
        var stat = Stat(path);
        if (Entry(stat, path, name) is not { } entry) return false;
        if (stat.IsRegular && Sys.GetXattrAt(Sys.AT_FDCWD, Bytes.FromText(path), Capability) is { } capability)
        {
            entry = new PaxTarEntry(entry.EntryType, entry.Name, CapabilityRecord(capability));
        }

        entry.Mode = (UnixFileMode)stat.Permissions & AllBits;
        entry.ModificationTime = DateTimeOffset.UnixEpoch.AddTicks(stat.Modified.Seconds * TimeSpan.TicksPerSecond + stat.Modified.Nanoseconds / 100);
        if (!asRoot) (entry.Uid, entry.Gid) = ((int)stat.Uid, (int)stat.Gid);
        using var content = entry.EntryType == TarEntryType.RegularFile ? Open(path) : null;
        if (content is not null) entry.DataStream = content;
        _writer.WriteEntry(entry);
        return stat.IsDirectory;
    }

    /// <summary>
    /// A file's capabilities, of all extended attributes what Docker takes along. The common spelling holds the bytes themselves, which the
    /// library writes when they are text; any others have libarchive's spelling.
    /// </summary>
    private static Dictionary<string, string> CapabilityRecord(byte[] value) => Ascii.IsValid(value)
        ? new() { ["SCHILY.xattr.security.capability"] = Encoding.ASCII.GetString(value) }
        : new() { ["LIBARCHIVE.xattr.security.capability"] = Convert.ToBase64String(value) };

    /// <summary>Adds a file with this content, owned by root.</summary>
    public void AddText(string name, ReadOnlySpan<byte> content)
    {
        using var stream = new MemoryStream(content.ToArray());
        _writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { Mode = (UnixFileMode)0b110_100_100, DataStream = stream });
    }

    /// <summary>Adds something and all that is below it.</summary>
    public void AddTree(string path, string name)
    {
        if (!Add(path, name)) return;
        foreach (var child in Names(path)) AddTree(Path.Combine(path, child), name.TrimEnd('/') + "/" + child);
    }

    /// <summary>The names in a directory, sorted, so that the same tree gives the same archive.</summary>
    public static List<string> Names(string directory)
    {
        try
        {
            var names = new List<string>();
            foreach (var path in Directory.EnumerateFileSystemEntries(directory)) names.Add(Path.GetFileName(path));
            names.Sort(StringComparer.Ordinal);
            return names;
        }
        catch (UnauthorizedAccessException e)
        {
            throw HostFiles.Opening(directory, e);
        }
    }

    public void Dispose() => _writer.Dispose();

    private static FileStat Stat(string path)
    {
        try
        {
            return Sys.StatAt(path);
        }
        catch (SyscallException e)
        {
            throw new CliException($"lstat {path}: {SyscallException.Describe(e.Errno)}");
        }
    }

    private static PaxTarEntry? Entry(FileStat stat, string path, string name) => stat.Type switch
    {
        FileStat.S_IFREG => new PaxTarEntry(TarEntryType.RegularFile, name),
        FileStat.S_IFDIR => new PaxTarEntry(TarEntryType.Directory, name.TrimEnd('/') + "/"),
        FileStat.S_IFLNK => new PaxTarEntry(TarEntryType.SymbolicLink, name) { LinkName = new FileInfo(path).LinkTarget ?? "" },
        FileStat.S_IFIFO => new PaxTarEntry(TarEntryType.Fifo, name),
        FileStat.S_IFCHR => new PaxTarEntry(TarEntryType.CharacterDevice, name) { DeviceMajor = (int)stat.DeviceMajor, DeviceMinor = (int)stat.DeviceMinor },
        FileStat.S_IFBLK => new PaxTarEntry(TarEntryType.BlockDevice, name) { DeviceMajor = (int)stat.DeviceMajor, DeviceMinor = (int)stat.DeviceMinor },
        _ => null,
    };

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw HostFiles.Opening(path, e);
        }
    }
}
