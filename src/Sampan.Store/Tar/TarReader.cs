namespace Sampan.Store;

/// <summary>Is told every byte of an archive that is not the content of a file taken by <see cref="TarReader.TakeContent"/>, in order.</summary>
internal interface ITarTrace
{
    void Raw(ReadOnlySpan<byte> bytes);
}

/// <summary>
/// Reads a tar as a stream: ustar, old (v7), pax and GNU, with sparse files of all four kinds. Nothing is allocated from a number the archive
/// states but what the limits allow. Every failure names the byte and the entry.
/// </summary>
internal sealed partial class TarReader(ChunkPipe input, ApplyLimits limits, ITarTrace? trace = null)
{
    internal const int BlockBytes = 512;

    private readonly byte[] _block = new byte[BlockBytes];
    private readonly PaxRecords _globals = new();
    private TarEntry? _entry;
    private long _remaining;
    private int _padding;
    private long _entries;
    private long _claimed;
    private bool _ended;

    /// <summary>Bytes of the archive read so far.</summary>
    public long Offset { get; private set; }

    /// <summary>Number of entries so far.</summary>
    public long Entries => _entries;

    /// <summary>The next entry, after skipping what is left of the last one's content; null at the end of the archive.</summary>
    public TarEntry? Next()
    {
        SkipContent();
        if (_ended)
        {
            return null;
        }

        var pax = _globals.Inherit();
        byte[]? longName = null;
        byte[]? longLink = null;
        var start = Offset;
        while (true)
        {
            if (!ReadHeader())
            {
                if (longName is not null || longLink is not null || pax.HasOwn)
                {
                    throw Error("the archive ends after an extended header, its file is missing");
                }

                _ended = true;
                return null;
            }

            switch (_block[156])
            {
                case (byte)'x':
                    pax.Parse(ReadExtended(), this, limits);
                    break;
                case (byte)'g':
                    _globals.Parse(ReadExtended(), this, limits);
                    pax = _globals.Inherit(pax);
                    break;
                case (byte)'L':
                    longName = UntilNul(ReadExtended());
                    break;
                case (byte)'K':
                    longLink = UntilNul(ReadExtended());
                    break;
                default:
                    return Begin(ReadEntry(pax, longName, longLink, start));
            }
        }
    }

    /// <summary>The next bytes of the current entry's content, at most <paramref name="limit"/>; empty at its end. They are valid until the next call.</summary>
    public ReadOnlySpan<byte> TakeContent(long limit = long.MaxValue)
    {
        limit = Math.Min(limit, _remaining);
        if (limit == 0)
        {
            return [];
        }

        // The bytes stay where they are until Peek is called again.
        var bytes = Peek();
        if (bytes.IsEmpty)
        {
            throw Error($"the archive is truncated: {_remaining} more bytes of content expected");
        }

        bytes = bytes.Length > limit ? bytes[..(int)limit] : bytes;
        input.Advance(bytes.Length);
        Count(bytes.Length);
        _remaining -= bytes.Length;
        return bytes;
    }

    /// <summary>Reads to the end of the stream, past the archive's end: the padding belongs to the layer's digest.</summary>
    public void Drain()
    {
        for (var bytes = Peek(); !bytes.IsEmpty; bytes = Peek())
        {
            trace?.Raw(bytes);
            input.Advance(bytes.Length);
            Count(bytes.Length);
        }
    }

    /// <summary>A failure at the current place.</summary>
    internal TarException Error(string message) => new(message, Offset, _entry?.DisplayName);

    private TarEntry Begin(TarEntry entry)
    {
        _entry = entry;
        if (limits.Entries > 0 && ++_entries > limits.Entries)
        {
            throw Error($"more than {limits.Entries} entries");
        }

        // The first holds for sparse files, which take no room in the archive: all that is claimed is to be read and hashed.
        if (limits.TotalBytes > 0 && (entry.Size > limits.TotalBytes - _claimed || entry.StoredSize > limits.TotalBytes - Offset))
        {
            throw Error($"the entry claims {entry.Size} bytes, more than is left of the limit of {limits.TotalBytes}");
        }

        _claimed += entry.Size;

        _remaining = entry.StoredSize;
        return entry;
    }

    private void SkipContent()
    {
        while (_remaining > 0)
        {
            trace?.Raw(TakeContent());
        }

        while (_padding > 0)
        {
            var bytes = Peek();
            if (bytes.IsEmpty)
            {
                throw Error($"the archive is truncated: {_padding} more bytes of padding expected");
            }

            bytes = bytes[..Math.Min(bytes.Length, _padding)];
            trace?.Raw(bytes);
            input.Advance(bytes.Length);
            Count(bytes.Length);
            _padding -= bytes.Length;
        }
    }

    /// <summary>Reads a block of 512 bytes; false at a clean end of the stream.</summary>
    private bool ReadBlock()
    {
        var have = 0;
        while (have < BlockBytes)
        {
            var bytes = Peek();
            if (bytes.IsEmpty)
            {
                return have == 0 ? false : throw Error($"the archive is truncated: a block has {have} of {BlockBytes} bytes");
            }

            bytes = bytes[..Math.Min(bytes.Length, BlockBytes - have)];
            bytes.CopyTo(_block.AsSpan(have));
            input.Advance(bytes.Length);
            Count(bytes.Length);
            have += bytes.Length;
        }

        trace?.Raw(_block);
        return true;
    }

    /// <summary>Reads a header and checks its sum; false at the end, which is a block of zeros or the end of the stream.</summary>
    private bool ReadHeader()
    {
        if (!ReadBlock() || !_block.AsSpan().ContainsAnyExcept((byte)0))
        {
            return false;
        }

        // Some old writers summed signed bytes.
        var (unsignedSum, signedSum) = (0L, 0L);
        for (var i = 0; i < BlockBytes; i++)
        {
            var b = i is >= 148 and < 156 ? (byte)' ' : _block[i];
            unsignedSum += b;
            signedSum += (sbyte)b;
        }

        return TarNumbers.TryReadField(_block.AsSpan(148, 8), out var sum) && (sum == unsignedSum || sum == signedSum) ? true
            : throw Error("not a tar header (its checksum is wrong)");
    }

    /// <summary>The content of an extended header.</summary>
    private byte[] ReadExtended()
    {
        var size = Number(124, 12, "size");
        if (size > limits.ExtendedHeaderBytes && limits.ExtendedHeaderBytes > 0)
        {
            throw Error($"an extended header claims {size} bytes, more than the limit of {limits.ExtendedHeaderBytes}");
        }

        // Grows with what is really there.
        var content = new MemoryStream();
        _remaining = size;
        _padding = Padding(size);
        while (_remaining > 0)
        {
            var bytes = TakeContent();
            trace?.Raw(bytes);
            content.Write(bytes);
        }

        SkipContent();
        return content.ToArray();
    }

    private ReadOnlySpan<byte> Peek()
    {
        try
        {
            return input.Peek();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw Error($"the archive is damaged: {e.Message}");
        }
    }

    private void Count(int bytes)
    {
        Offset += bytes;
        if (limits.TotalBytes > 0 && Offset > limits.TotalBytes)
        {
            throw Error($"the archive is longer than the limit of {limits.TotalBytes} bytes");
        }
    }

    private long Number(int start, int length, string field)
    {
        var valid = TarNumbers.TryReadField(_block.AsSpan(start, length), out var value);
        return valid && (value >= 0 || start == 136) ? value : throw Error($"the header's field \"{field}\" is not a valid number");
    }

    private static int Padding(long size) => (int)(-size & (BlockBytes - 1));

    private static byte[] UntilNul(ReadOnlySpan<byte> bytes)
    {
        var nul = bytes.IndexOf((byte)0);
        return (nul < 0 ? bytes : bytes[..nul]).ToArray();
    }
}
