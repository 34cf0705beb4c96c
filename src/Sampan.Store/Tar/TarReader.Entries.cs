using Sampan.Linux;

namespace Sampan.Store;

/// <summary>From a header and its extended records to an entry.</summary>
internal sealed partial class TarReader
{
    private TarEntry ReadEntry(PaxRecords pax, byte[]? longName, byte[]? longLink, long start)
    {
        var name = pax.SparseName ?? longName ?? pax.Path ?? HeaderName();
        _entry = new TarEntry { Name = name, Kind = TarEntryKind.Note };
        var link = longLink ?? pax.LinkPath ?? UntilNul(_block.AsSpan(157, 100));
        CheckName(name, "name");
        CheckName(link, "link target");

        var kind = Kind(name);
        var headerOnly = kind is TarEntryKind.HardLink or TarEntryKind.Symlink or TarEntryKind.CharDevice or TarEntryKind.BlockDevice or TarEntryKind.Fifo
            || (kind == TarEntryKind.Directory && _block[156] != (byte)'D');
        var stored = headerOnly ? 0 : pax.Size ?? Number(124, 12, "size");
        _padding = Padding(stored);
        _remaining = stored;
        var isDevice = kind is TarEntryKind.CharDevice or TarEntryKind.BlockDevice;
        var entry = new TarEntry
        {
            Name = name,
            LinkName = link,
            Kind = kind,
            Mode = (uint)Number(100, 8, "mode") & 0xFFF,
            Uid = Id(pax.Uid, 108, "uid"),
            Gid = Id(pax.Gid, 116, "gid"),
            Size = stored,
            StoredSize = stored,
            Modified = pax.Modified ?? new FileTime(Number(136, 12, "mtime"), 0),
            DeviceMajor = isDevice ? (uint)Number(329, 8, "devmajor") : 0,
            DeviceMinor = isDevice ? (uint)Number(337, 8, "devminor") : 0,
            Xattrs = pax.Xattrs,
            Offset = start,
        };

        // Last, as a map in blocks of its own takes the place of the header.
        if (kind == TarEntryKind.Regular)
        {
            entry.Sparse = ReadSparse(pax, ref stored);
            (entry.Size, entry.StoredSize) = (stored, _remaining);
        }

        return entry;
    }

    private void CheckName(byte[] name, string what)
    {
        if (limits.NameBytes > 0 && name.Length > limits.NameBytes)
        {
            throw Error($"the {what} has {name.Length} bytes, more than the limit of {limits.NameBytes}");
        }
    }

    private uint Id(long? pax, int start, string field)
    {
        var id = pax ?? Number(start, 8, field);
        return id <= uint.MaxValue - 1 ? (uint)id : throw Error($"the header's field \"{field}\" is {id}, beyond what Linux has");
    }

    private TarEntryKind Kind(byte[] name) => _block[156] switch
    {
        // Before POSIX a directory was a file whose name ended in a slash.
        0 or (byte)'0' or (byte)'7' or (byte)'S' => name.AsSpan().EndsWith("/"u8) ? TarEntryKind.Directory : TarEntryKind.Regular,
        (byte)'1' => TarEntryKind.HardLink,
        (byte)'2' => TarEntryKind.Symlink,
        (byte)'3' => TarEntryKind.CharDevice,
        (byte)'4' => TarEntryKind.BlockDevice,
        (byte)'5' or (byte)'D' => TarEntryKind.Directory,
        (byte)'6' => TarEntryKind.Fifo,
        (byte)'V' => TarEntryKind.Note,
        (byte)'M' => throw Error("the entry continues another volume, and multi-volume archives are not supported"),
        var type => throw Error($"unknown entry type 0x{type:x2}"),
    };

    /// <summary>The name of a header without extension: ustar has a prefix of 155 bytes, star one of 131, GNU and v7 none.</summary>
    private byte[] HeaderName()
    {
        var name = UntilNul(_block.AsSpan(0, 100));
        if (!_block.AsSpan(257, 6).SequenceEqual("ustar\0"u8))
        {
            return name;
        }

        var isStar = _block.AsSpan(508, 4).SequenceEqual("tar\0"u8);
        var prefix = UntilNul(_block.AsSpan(345, isStar ? 131 : 155));
        return prefix.Length == 0 ? name : [.. prefix, (byte)'/', .. name];
    }

    private List<SparsePart>? ReadSparse(PaxRecords pax, ref long size)
    {
        List<SparsePart>? parts;
        if (_block[156] == (byte)'S')
        {
            parts = ReadGnuSparse(out size);
        }
        else if (pax.SparseMajor == 1)
        {
            size = pax.SparseSize ?? throw Error("the sparse file's real size is missing");
            parts = ReadSparseMap();
        }
        else
        {
            parts = pax.SparseParts;
            size = parts is null ? size : pax.SparseSize ?? throw Error("the sparse file's real size is missing");
        }

        if (parts is null)
        {
            return null;
        }

        var (end, total) = (0L, 0L);
        foreach (var part in parts)
        {
            if (part.Offset < end || part.Length < 0 || part.Offset > size || part.Length > size - part.Offset)
            {
                throw Error("the sparse file's map is out of order or beyond the file's end");
            }

            end = part.Offset + part.Length;
            total += part.Length;
        }

        return total == _remaining ? parts : throw Error($"the sparse file's map has {total} bytes, the archive {_remaining}");
    }

    /// <summary>GNU's old form: four parts in the header, 21 more in each block that follows it.</summary>
    private List<SparsePart> ReadGnuSparse(out long size)
    {
        size = Number(483, 12, "realsize");
        var parts = new List<SparsePart>();
        var (start, count, more) = (386, 4, 482);
        while (true)
        {
            for (var i = 0; i < count && _block[start + (24 * i) + 12] != 0; i++)
            {
                parts.Add(new SparsePart(Number(start + (24 * i), 12, "sparse offset"), Number(start + (24 * i) + 12, 12, "sparse length")));
            }

            if (_block[more] == 0)
            {
                return parts;
            }

            if (limits.ExtendedHeaderBytes > 0 && parts.Count > limits.ExtendedHeaderBytes / 24)
            {
                throw Error($"the sparse file's map is larger than the limit of {limits.ExtendedHeaderBytes} bytes");
            }

            // These blocks come before the content and are not counted in its size.
            if (!ReadBlock())
            {
                throw Error("the archive is truncated: a sparse file's map is missing");
            }

            (start, count, more) = (0, 21, 504);
        }
    }

    /// <summary>pax 1.0: the content begins with the map, decimals on lines, filled up to whole blocks.</summary>
    private List<SparsePart> ReadSparseMap()
    {
        var parts = new List<SparsePart>();
        var (numbers, expected, value, digits) = (-1L, long.MaxValue, 0L, 0);
        var offset = 0L;
        while (numbers < expected)
        {
            if (_remaining < BlockBytes || !ReadBlock())
            {
                throw Error("the sparse file's map is truncated");
            }

            _remaining -= BlockBytes;
            for (var i = 0; i < BlockBytes && numbers < expected; i++)
            {
                if (_block[i] is >= (byte)'0' and <= (byte)'9' && digits < 18)
                {
                    (value, digits) = ((value * 10) + (_block[i] - '0'), digits + 1);
                    continue;
                }

                if (_block[i] != (byte)'\n' || digits == 0)
                {
                    throw Error("the sparse file's map is not decimals on lines");
                }

                if (numbers < 0)
                {
                    expected = limits.ExtendedHeaderBytes == 0 || value <= limits.ExtendedHeaderBytes / 4 ? 2 * value
                        : throw Error($"the sparse file's map has {value} parts, too many");
                }
                else if (numbers % 2 == 0)
                {
                    offset = value;
                }
                else
                {
                    parts.Add(new SparsePart(offset, value));
                }

                (numbers, value, digits) = (numbers + 1, 0, 0);
            }
        }

        return parts;
    }
}
