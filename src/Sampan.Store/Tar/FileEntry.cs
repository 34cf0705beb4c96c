using Sampan.Linux;

namespace Sampan.Store;

/// <summary>From a file to the entry that describes it.</summary>
internal static class FileEntry
{
    /// <summary>Null for a socket, which no tar can hold.</summary>
    /// <param name="name">The name in the archive; a directory gets its slash here.</param>
    /// <param name="link">The first name of a file that has several; null when this is it.</param>
    public static TarEntry? Of(int parent, ReadOnlySpan<byte> leaf, byte[] name, in FileStat stat, byte[]? link, FileTime time)
    {
        TarEntryKind? kind = link is not null ? TarEntryKind.HardLink : stat.Type switch
        {
            FileStat.S_IFREG => TarEntryKind.Regular,
            FileStat.S_IFDIR => TarEntryKind.Directory,
            FileStat.S_IFLNK => TarEntryKind.Symlink,
            FileStat.S_IFCHR => TarEntryKind.CharDevice,
            FileStat.S_IFBLK => TarEntryKind.BlockDevice,
            FileStat.S_IFIFO => TarEntryKind.Fifo,
            _ => null,
        };
        if (kind is not { } known)
        {
            return null;
        }

        var size = known == TarEntryKind.Regular ? stat.Size : 0;
        return new TarEntry
        {
            Name = known == TarEntryKind.Directory ? [.. name, (byte)'/'] : name,
            LinkName = link ?? (known == TarEntryKind.Symlink ? Sys.ReadlinkAt(parent, leaf) : []),
            Kind = known,
            Mode = stat.Permissions,
            Uid = stat.Uid,
            Gid = stat.Gid,
            Size = size,
            StoredSize = size,
            Modified = time,
            DeviceMajor = stat.DeviceMajor,
            DeviceMinor = stat.DeviceMinor,
            Xattrs = known == TarEntryKind.HardLink ? [] : Xattrs(parent, leaf),
        };
    }

    /// <summary>
    /// A file's extended attributes by name, without those that belong to overlayfs or to this host's security policy rather than to the file.
    /// </summary>
    public static IReadOnlyList<(byte[] Name, byte[] Value)> Xattrs(int parent, ReadOnlySpan<byte> leaf)
    {
        var names = Sys.ListXattrAt(parent, leaf);
        if (names.IsEmpty)
        {
            return [];
        }

        var xattrs = new List<(byte[] Name, byte[] Value)>();
        foreach (var range in names.Split((byte)0))
        {
            var name = names[range];
            if (name.IsEmpty || name.StartsWith(Overlay.XattrPrefix) || name.SequenceEqual("security.selinux"u8) || name.SequenceEqual("security.evm"u8)
                || name.SequenceEqual("security.ima"u8) || Sys.GetXattrAt(parent, leaf, name) is not { } value)
            {
                continue;
            }

            xattrs.Add((name.ToArray(), value));
        }

        xattrs.Sort(static (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        return xattrs;
    }
}
