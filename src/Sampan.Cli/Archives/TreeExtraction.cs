using System.Formats.Tar;
using Sampan.Cli.CommandLine;
using Sampan.Linux;

namespace Sampan.Cli.Archives;

/// <summary>Unpacks what a container sent to a place of this machine. The archive is not trusted: nothing lands outside that place.</summary>
internal static class TreeExtraction
{
    /// <summary>Unpacks an archive whose first component becomes <paramref name="root"/>; returns the bytes of the files.</summary>
    /// <param name="strip">False when the archive's names begin below the root.</param>
    public static long Extract(Stream archive, string root, bool owners, bool strip = true)
    {
        using var reader = new TarReader(archive, leaveOpen: true);
        var directories = new List<(string Path, TarEntry Entry)>();
        long size = 0;
        while (reader.GetNextEntry() is { } entry)
        {
            if (Place(entry.Name, root, strip) is not { } path) continue;
            CheckParents(root, path, entry.Name);
            Write(entry, path, root, strip);
            size += entry.Length;
            if (owners) Chown(path, entry);
            if (entry.EntryType == TarEntryType.Directory) directories.Add((path, entry));
        }

        archive.CopyTo(Stream.Null);
        // Modes of directories come last: a read-only one could not be filled.
        for (var i = directories.Count - 1; i >= 0; i--)
        {
            Sys.ChmodAt(Sys.AT_FDCWD, Bytes.FromText(directories[i].Path), (uint)directories[i].Entry.Mode);
            Directory.SetLastWriteTimeUtc(directories[i].Path, directories[i].Entry.ModificationTime.UtcDateTime);
        }

        return size;
    }

    /// <summary>The place of an entry: its first component is the root itself, when it is to be stripped.</summary>
    private static string? Place(string name, string root, bool strip)
    {
        var parts = new List<string>();
        foreach (var part in name.Split('/'))
        {
            if (part == "..") throw new CliException($"the archive has an entry outside of it: {FlagValues.Quote(name)}");
            if (part is not ("" or ".")) parts.Add(part);
        }

        var below = !strip || name.StartsWith("./", StringComparison.Ordinal) || name == "." ? parts : parts.Count == 0 ? null : parts.GetRange(1, parts.Count - 1);
        return below is null ? null : below.Count == 0 ? root : Path.Combine(root, string.Join('/', below));
    }

    /// <summary>A directory on the way that the archive itself made a link would lead outside.</summary>
    private static void CheckParents(string root, string path, string name)
    {
        for (var parent = Path.GetDirectoryName(path); parent is not null && parent.Length > root.Length; parent = Path.GetDirectoryName(parent))
        {
            if (new FileInfo(parent).LinkTarget is not null) throw new CliException($"the archive writes through a link: {FlagValues.Quote(name)}");
        }
    }

    private static void Write(TarEntry entry, string path, string root, bool strip)
    {
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                Directory.CreateDirectory(path);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                Remove(path);
                entry.ExtractToFile(path, overwrite: false);
                break;
            case TarEntryType.SymbolicLink:
                Remove(path);
                File.CreateSymbolicLink(path, entry.LinkName);
                break;
            case TarEntryType.HardLink:
                var target = Place(entry.LinkName, root, strip) ?? throw new CliException($"the archive has a link to nothing: {FlagValues.Quote(entry.Name)}");
                CheckParents(root, target, entry.LinkName);
                Remove(path);
                var errno = Sys.TryLinkAt(Sys.AT_FDCWD, Bytes.FromText(target), Sys.AT_FDCWD, Bytes.FromText(path));
                if (errno != 0) throw new SyscallException("link", $"'{target}' to '{path}'", errno);
                break;
            case TarEntryType.Fifo or TarEntryType.CharacterDevice or TarEntryType.BlockDevice:
                Remove(path);
                entry.ExtractToFile(path, overwrite: false);
                break;
            default:
                throw new CliException($"the archive has an entry of an unknown kind: {FlagValues.Quote(entry.Name)}");
        }
    }

    private static void Remove(string path)
    {
        if (File.Exists(path) || new FileInfo(path).LinkTarget is not null) File.Delete(path);
        else if (Directory.Exists(path)) throw new CliException($"cannot overwrite directory {FlagValues.Quote(path)} with a file");
    }

    private static void Chown(string path, TarEntry entry) => Sys.ChownAt(Sys.AT_FDCWD, Bytes.FromText(path), (uint)entry.Uid, (uint)entry.Gid);
}

/// <summary>Counts what is written through it.</summary>
internal sealed class CountingStream(Stream inner) : SequentialStream
{
    public long Count { get; private set; }

    public override bool CanWrite => true;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer);
        Count += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => inner.Flush();
}
