using System.Formats.Tar;
using Sampan.Cli.CommandLine;
using Sampan.Linux;

namespace Sampan.Cli.Archives;

/// <summary>Writes files of this machine as a tar archive, in order of their names.</summary>
/// <param name="output">Where the archive goes; not closed.</param>
/// <param name="asRoot">Give everything to root, as a build context is; otherwise keep owners.</param>
internal sealed class TreeArchive(Stream output, bool asRoot) : IDisposable
{
    private readonly TarWriter _writer = new(output, TarEntryFormat.Pax, leaveOpen: true);

    /// <summary>Adds one file, link or directory, without what is below it.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="name">Its name in the archive.</param>
    /// <returns>Whether it is a directory (not a link to one).</returns>
    public bool Add(string path, string name)
    {
        FileSystemInfo info = new FileInfo(path);
        if (info.Attributes.HasFlag(FileAttributes.Directory)) info = new DirectoryInfo(path);
        var isDirectory = info is DirectoryInfo && info.LinkTarget is null;
        PaxTarEntry entry;
        if (info.LinkTarget is { } target) entry = new PaxTarEntry(TarEntryType.SymbolicLink, name) { LinkName = target };
        else if (isDirectory) entry = new PaxTarEntry(TarEntryType.Directory, name.TrimEnd('/') + "/");
        else if (info.Attributes.HasFlag(FileAttributes.Normal) || (info.Attributes & FileAttributes.Device) == 0) entry = new PaxTarEntry(TarEntryType.RegularFile, name);
        else return false;
        Describe(entry, info);
        if (entry.EntryType != TarEntryType.RegularFile)
        {
            _writer.WriteEntry(entry);
            return isDirectory;
        }

        try
        {
            using var content = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.SequentialScan);
            entry.DataStream = content;
            _writer.WriteEntry(entry);
        }
        catch (Exception e) when (e is FileNotFoundException or UnauthorizedAccessException)
        {
            throw Options.HostFiles.Opening(path, e);
        }

        return false;
    }

    /// <summary>Adds a file with this content, owned by root.</summary>
    public void AddText(string name, ReadOnlySpan<byte> content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead)
        => _writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { Mode = mode, DataStream = new MemoryStream(content.ToArray()) });

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
        catch (UnauthorizedAccessException)
        {
            throw new CliException($"open {directory}: permission denied");
        }
    }

    public void Dispose() => _writer.Dispose();

    private void Describe(PaxTarEntry entry, FileSystemInfo info)
    {
        entry.Mode = info.LinkTarget is null ? info.UnixFileMode : (UnixFileMode)0x1FF;
        entry.ModificationTime = new DateTimeOffset(info.LastWriteTimeUtc, TimeSpan.Zero);
        if (asRoot) return;
        var (uid, gid) = FileOwner.Of(info.FullName);
        entry.Uid = uid;
        entry.Gid = gid;
    }
}
