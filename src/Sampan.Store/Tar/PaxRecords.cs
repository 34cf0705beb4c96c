using Sampan.Linux;

namespace Sampan.Store;

/// <summary>The records of pax headers that matter: a file's own over those for all that follow.</summary>
internal sealed class PaxRecords
{
    /// <summary>More than the kernel can keep for one file (XATTR_LIST_MAX).</summary>
    private const int XattrLimit = 4096;

    private const string XattrPrefix = "SCHILY.xattr.";

    private List<(byte[] Name, byte[] Value)> _xattrs = [];
    private long? _partOffset;

    public byte[]? Path { get; private set; }

    public byte[]? LinkPath { get; private set; }

    public long? Size { get; private set; }

    public long? Uid { get; private set; }

    public long? Gid { get; private set; }

    public FileTime? Modified { get; private set; }

    public IReadOnlyList<(byte[] Name, byte[] Value)> Xattrs => _xattrs;

    /// <summary>GNU.sparse.major: 1 has its map in the content.</summary>
    public long SparseMajor { get; private set; }

    /// <summary>The name of a sparse file; <see cref="Path"/> then is one made up for other readers.</summary>
    public byte[]? SparseName { get; private set; }

    /// <summary>The size with holes.</summary>
    public long? SparseSize { get; private set; }

    /// <summary>The map of the forms 0.0 and 0.1.</summary>
    public List<SparsePart>? SparseParts { get; private set; }

    /// <summary>True when a header of its own was read.</summary>
    public bool HasOwn { get; private set; }

    /// <summary>A copy to lay a file's own records over; with <paramref name="own"/>, records already read for it stay on top.</summary>
    public PaxRecords Inherit(PaxRecords? own = null)
    {
        if (own is { HasOwn: true })
        {
            return own;
        }

        return new PaxRecords { _xattrs = [.. _xattrs], Path = Path, LinkPath = LinkPath, Size = Size, Uid = Uid, Gid = Gid, Modified = Modified };
    }

    /// <summary>Reads "length key=value\n" records.</summary>
    public void Parse(ReadOnlySpan<byte> text, TarReader reader, ApplyLimits limits)
    {
        HasOwn = true;
        while (!text.IsEmpty)
        {
            var space = text.IndexOf((byte)' ');
            if (space < 1 || space > 18 || !TarNumbers.TryReadDecimal(text[..space], out var length) || length > text.Length || length < space + 3
                || text[(int)length - 1] != (byte)'\n')
            {
                throw reader.Error("the extended header is not made of \"length key=value\" lines");
            }

            var record = text[(space + 1)..((int)length - 1)];
            text = text[(int)length..];
            var equals = record.IndexOf((byte)'=');
            if (equals < 1)
            {
                throw reader.Error("a line of the extended header has no key");
            }

            if (!Set(record[..equals], record[(equals + 1)..], limits))
            {
                throw reader.Error($"the extended header's \"{TarEntry.Display(record[..equals])}\" has the invalid value \"{TarEntry.Display(record[(equals + 1)..])}\"");
            }
        }
    }

    private bool Set(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ApplyLimits limits)
    {
        if (key.StartsWith("SCHILY.xattr."u8))
        {
            SetXattr(key[XattrPrefix.Length..].ToArray(), value);
            return _xattrs.Count <= XattrLimit;
        }

        // Another spelling, in base64, for writers that know text alone.
        if (key.StartsWith("LIBARCHIVE.xattr."u8))
        {
            var bytes = new byte[value.Length];
            var isValid = System.Buffers.Text.Base64.DecodeFromUtf8(value, bytes, out _, out var written) == System.Buffers.OperationStatus.Done;
            SetXattr(key["LIBARCHIVE.xattr.".Length..].ToArray(), bytes.AsSpan(0, written));
            return isValid && _xattrs.Count <= XattrLimit;
        }

        switch (System.Text.Encoding.ASCII.GetString(key))
        {
            case "path":
                Path = value.IsEmpty ? null : value.ToArray();
                return !value.Contains((byte)0);
            case "linkpath":
                LinkPath = value.IsEmpty ? null : value.ToArray();
                return !value.Contains((byte)0);
            case "size":
                return Number(value, v => Size = v);
            case "uid":
                return Number(value, v => Uid = v);
            case "gid":
                return Number(value, v => Gid = v);
            case "mtime":
                var valid = TarNumbers.TryReadTime(value, out var time);
                Modified = value.IsEmpty ? null : time;
                return valid || value.IsEmpty;
            default:
                return !key.StartsWith("GNU.sparse."u8) || SetSparse(System.Text.Encoding.ASCII.GetString(key["GNU.sparse.".Length..]), value, limits);
        }
    }

    private void SetXattr(byte[] name, ReadOnlySpan<byte> value)
    {
        _xattrs.RemoveAll(x => x.Name.AsSpan().SequenceEqual(name));
        _xattrs.Add((name, value.ToArray()));
    }

    private bool SetSparse(string key, ReadOnlySpan<byte> value, ApplyLimits limits)
    {
        switch (key)
        {
            case "major":
                return Number(value, v => SparseMajor = v ?? 0) && SparseMajor <= 1;
            case "name":
                SparseName = value.ToArray();
                return !value.IsEmpty && !value.Contains((byte)0);
            case "size" or "realsize":
                return Number(value, v => SparseSize = v);
            case "numblocks":
                // Only tells that there is a map, which may be empty.
                SparseParts ??= [];
                return Number(value, _ => { });
            case "offset":
                return Number(value, v => _partOffset = v);
            case "numbytes":
                return Number(value, AddPart) && Fits(limits);
            case "map":
                return SetMap(value) && Fits(limits);
            default:
                return true;
        }
    }

    private bool Fits(ApplyLimits limits) => limits.ExtendedHeaderBytes == 0 || SparseParts is null || SparseParts.Count <= limits.ExtendedHeaderBytes / 4;

    private void AddPart(long? length)
    {
        SparseParts ??= [];
        SparseParts.Add(new SparsePart(_partOffset ?? 0, length ?? 0));
        _partOffset = null;
    }

    private bool SetMap(ReadOnlySpan<byte> value)
    {
        SparseParts = [];
        foreach (var range in value.Split((byte)','))
        {
            if (value.IsEmpty)
            {
                return true;
            }

            if (!TarNumbers.TryReadDecimal(value[range], out var number))
            {
                return false;
            }

            if (_partOffset is null)
            {
                _partOffset = number;
            }
            else
            {
                AddPart(number);
            }
        }

        return _partOffset is null;
    }

    private static bool Number(ReadOnlySpan<byte> value, Action<long?> set)
    {
        if (value.IsEmpty)
        {
            set(null);
            return true;
        }

        var valid = TarNumbers.TryReadDecimal(value, out var number);
        set(number);
        return valid;
    }
}
