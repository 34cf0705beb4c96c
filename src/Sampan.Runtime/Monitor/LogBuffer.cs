using System.Text;

namespace Sampan.Runtime;

/// <summary>Collects log entries and escapes their text as Docker's jsonlog does. The default value is empty.</summary>
internal struct LogBuffer
{
    /// <summary>Bytes that one byte can become, and bytes that are looked at at a time.</summary>
    private const int LongestEscape = 6, Slice = 2048;

    private byte[]? _bytes;

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void Add(ReadOnlySpan<byte> text)
    {
        Reserve(text.Length);
        text.CopyTo(_bytes.AsSpan(Length));
        Length += text.Length;
    }

    /// <summary>
    /// A JSON string's inside, as Go writes it: every byte that is not UTF-8 becomes U+FFFD; &lt;, &gt; and &amp; (for logs that end up in
    /// HTML) and the line separators are escaped.
    /// </summary>
    public void AddEscaped(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            // Room is made for a slice at a time, so that the buffer grows with what is written and not with the worst that could be.
            Reserve(Math.Min(text.Length, Slice) * LongestEscape);
            var target = _bytes.AsSpan(Length);
            int read = 0, written = 0;
            while (read < text.Length && read < Slice)
            {
                var b = text[read];
                if (b is >= 0x20 and < 0x80 and not ((byte)'"' or (byte)'\\' or (byte)'<' or (byte)'>' or (byte)'&'))
                {
                    target[written++] = b;
                    read++;
                    continue;
                }

                var escape = Escape(text[read..], target[written..], out var used);
                written += escape;
                read += used;
            }

            Length += written;
            text = text[read..];
        }
    }

    /// <summary>Writes one character that is not plain; how many bytes it has become.</summary>
    private static int Escape(ReadOnlySpan<byte> text, Span<byte> target, out int used)
    {
        used = 1;
        var first = text[0];
        if (first < 0x80)
        {
            switch (first)
            {
                case (byte)'"': return Put("\\\""u8, target);
                case (byte)'\\': return Put("\\\\"u8, target);
                case (byte)'\n': return Put("\\n"u8, target);
                case (byte)'\r': return Put("\\r"u8, target);
                default:
                    Put("\\u00"u8, target);
                    target[4] = "0123456789abcdef"u8[first >> 4];
                    target[5] = "0123456789abcdef"u8[first & 15];
                    return LongestEscape;
            }
        }

        if (Rune.DecodeFromUtf8(text, out var rune, out var length) != System.Buffers.OperationStatus.Done)
        {
            // One for each stray byte, where .NET would take a cut sequence as one.
            return Put("\\ufffd"u8, target);
        }

        used = length;
        return Put(rune.Value switch { 0x2028 => "\\u2028"u8, 0x2029 => "\\u2029"u8, _ => text[..length] }, target);
    }

    private static int Put(ReadOnlySpan<byte> text, Span<byte> target)
    {
        text.CopyTo(target);
        return text.Length;
    }

    private void Reserve(int more)
    {
        var needed = Length + more;
        if (_bytes is null || _bytes.Length < needed)
        {
            Array.Resize(ref _bytes, Math.Max(needed, Math.Max(512, Length * 2)));
        }
    }
}
