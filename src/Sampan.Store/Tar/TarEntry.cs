using System.Text;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>The kinds of entries that mean something in a layer.</summary>
internal enum TarEntryKind
{
    Regular,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,

    /// <summary>A volume label or other note that makes no file.</summary>
    Note,
}

/// <summary>A stretch of a sparse file that the archive holds.</summary>
internal readonly record struct SparsePart(long Offset, long Length);

/// <summary>One entry of a tar with all extended headers applied. Names are bytes.</summary>
internal sealed class TarEntry
{
    public required byte[] Name { get; init; }

    public byte[] LinkName { get; init; } = [];

    public required TarEntryKind Kind { get; init; }

    /// <summary>Permissions, 07777.</summary>
    public uint Mode { get; init; }

    public uint Uid { get; init; }

    public uint Gid { get; init; }

    /// <summary>Bytes of the file; of a sparse one with its holes.</summary>
    public long Size { get; set; }

    /// <summary>Bytes in the archive.</summary>
    public long StoredSize { get; set; }

    public FileTime Modified { get; init; }

    public uint DeviceMajor { get; init; }

    public uint DeviceMinor { get; init; }

    public IReadOnlyList<(byte[] Name, byte[] Value)> Xattrs { get; init; } = [];

    /// <summary>What a sparse file has, in ascending order; null for others.</summary>
    public IReadOnlyList<SparsePart>? Sparse { get; set; }

    /// <summary>Where its header begins in the archive.</summary>
    public long Offset { get; init; }

    /// <summary>The name for messages.</summary>
    public string DisplayName => Display(Name);

    /// <summary>Bytes as text on one line: what is not printable UTF-8 is escaped, and a long name is cut.</summary>
    public static string Display(ReadOnlySpan<byte> name)
    {
        const int limit = 200;
        var text = new StringBuilder();
        foreach (var rune in Encoding.UTF8.GetString(name.Length > limit ? name[..limit] : name).EnumerateRunes())
        {
            _ = Rune.IsControl(rune) ? text.Append($"\\x{rune.Value:x2}") : text.Append(rune);
        }

        return name.Length > limit ? text.Append('…').ToString() : text.ToString();
    }
}
