namespace Sampan.Daemon.Buildkit.Session;

/// <summary>
/// Makes header fields of the values that HttpClient has joined. gRPC's metadata may have several values of one name, which a server in Go takes
/// as fields of their own only; HttpClient writes one field and has no other way. So callers join values by <see cref="Separator"/>, and here,
/// on their way out, they come apart again. HttpClient's fields are plain literals (RFC 7541, 6.2.2), so nothing has to be kept.
/// </summary>
internal sealed class RepeatedFields
{
    /// <summary>No value has it: clients of HTTP would not take a control character.</summary>
    public const char Separator = '\u001f';

    private const int PrefaceBytes = 24; // "PRI * HTTP/2.0…", which comes first
    private const int FrameHeader = 9;
    private const int MaxPayload = 16 * 1024; // HTTP/2's least, which every server takes
    private const byte Headers = 1, Continuation = 9;
    private const byte EndStream = 1, EndHeaders = 4;

    private readonly MemoryStream _waiting = new();
    private readonly MemoryStream _block = new();
    private bool _isBegun;
    private byte _flags;

    /// <summary>Takes bytes on their way to the server, and gives those that can go now; a frame that is not whole waits.</summary>
    public ReadOnlyMemory<byte> Next(ReadOnlySpan<byte> bytes)
    {
        _waiting.Write(bytes);
        var all = _waiting.ToArray();
        var output = new MemoryStream();
        var at = 0;
        if (!_isBegun && all.Length >= PrefaceBytes)
        {
            output.Write(all, 0, PrefaceBytes);
            (_isBegun, at) = (true, PrefaceBytes);
        }

        while (_isBegun && all.Length - at >= FrameHeader)
        {
            var length = FrameHeader + ((all[at] << 16) | (all[at + 1] << 8) | all[at + 2]);
            if (all.Length - at < length)
            {
                break;
            }

            Frame(all.AsSpan(at, length), output);
            at += length;
        }

        _waiting.SetLength(0);
        _waiting.Write(all.AsSpan(at));
        return output.ToArray();
    }

    private void Frame(ReadOnlySpan<byte> frame, MemoryStream output)
    {
        if (frame[3] is not (Headers or Continuation))
        {
            output.Write(frame);
            return;
        }

        _flags |= (byte)(frame[4] & EndStream);
        _block.Write(frame[FrameHeader..]);
        if ((frame[4] & EndHeaders) == 0)
        {
            return;
        }

        var block = Split(_block.ToArray());
        Span<byte> header = stackalloc byte[FrameHeader];
        frame[..FrameHeader].CopyTo(header); // for the stream's number
        for (var at = 0; at == 0 || at < block.Length; at += MaxPayload)
        {
            var part = block.AsSpan(at, Math.Min(MaxPayload, block.Length - at));
            var flags = (at == 0 ? _flags : 0) | (at + part.Length == block.Length ? EndHeaders : 0);
            header[0] = (byte)(part.Length >> 16);
            header[1] = (byte)(part.Length >> 8);
            header[2] = (byte)part.Length;
            header[3] = at == 0 ? Headers : Continuation;
            header[4] = (byte)flags;
            output.Write(header);
            output.Write(part);
        }

        _block.SetLength(0);
        _flags = 0;
    }

    /// <summary>The fields of a block with those apart that were joined.</summary>
    internal static byte[] Split(ReadOnlySpan<byte> block)
    {
        const byte Indexed = 0x80, Incremental = 0x40, SizeUpdate = 0x20;
        var output = new MemoryStream();
        while (!block.IsEmpty)
        {
            var whole = block;
            var kind = block[0];
            var prefixBits = (kind & Indexed) != 0 ? 7 : (kind & Incremental) != 0 ? 6 : (kind & SizeUpdate) != 0 ? 5 : 4;
            var index = Integer(ref block, prefixBits);
            if ((kind & (Indexed | Incremental)) is Indexed or (Indexed | Incremental) || (kind & (Indexed | Incremental | SizeUpdate)) == SizeUpdate)
            {
                output.Write(whole[..^block.Length]);
                continue;
            }

            if (index == 0)
            {
                Text(ref block);
            }

            var head = whole[..^block.Length];
            var value = Text(ref block);
            if (!value.Contains((byte)Separator))
            {
                output.Write(whole[..^block.Length]);
                continue;
            }

            foreach (var part in value.Split((byte)Separator))
            {
                output.Write(head);
                WriteText(output, value[part]);
            }
        }

        return output.ToArray();
    }

    private static int Integer(ref ReadOnlySpan<byte> block, int prefixBits)
    {
        var most = (1 << prefixBits) - 1;
        var value = block[0] & most;
        block = block[1..];
        for (var shift = 0; value >= most; shift += 7)
        {
            var next = block[0];
            block = block[1..];
            value += (next & 0x7F) << shift;
            if (next < 0x80)
            {
                break;
            }
        }

        return value;
    }

    /// <summary>A string as it is written, which HttpClient does without Huffman's code.</summary>
    private static ReadOnlySpan<byte> Text(ref ReadOnlySpan<byte> block)
    {
        var length = Integer(ref block, 7);
        var text = block[..length];
        block = block[length..];
        return text;
    }

    private static void WriteText(MemoryStream output, ReadOnlySpan<byte> text)
    {
        const int Most = 127;
        var rest = text.Length;
        output.WriteByte((byte)Math.Min(rest, Most));
        if (rest >= Most)
        {
            for (rest -= Most; rest >= 0x80; rest >>= 7)
            {
                output.WriteByte((byte)(rest | 0x80));
            }

            output.WriteByte((byte)rest);
        }

        output.Write(text);
    }
}
