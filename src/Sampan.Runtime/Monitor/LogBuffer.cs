using System.Text;

namespace Sampan.Runtime;

/// <summary>Collects log entries and escapes their text as Docker's jsonlog does. The default value is empty.</summary>
internal struct LogBuffer
{
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
            var plain = PlainLength(text);
            Add(text[..plain]);
            text = text[plain..];
            if (text.IsEmpty)
            {
                return;
            }

            text = text[AddSpecial(text)..];
        }
    }

    private static int PlainLength(ReadOnlySpan<byte> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is < 0x20 or >= 0x80 or (byte)'"' or (byte)'\\' or (byte)'<' or (byte)'>' or (byte)'&')
            {
                return i;
            }
        }

        return text.Length;
    }

    /// <summary>Escapes one character; how many bytes it had.</summary>
    private int AddSpecial(ReadOnlySpan<byte> text)
    {
        var first = text[0];
        if (first < 0x80)
        {
            switch (first)
            {
                case (byte)'"': Add("\\\""u8); break;
                case (byte)'\\': Add("\\\\"u8); break;
                case (byte)'\n': Add("\\n"u8); break;
                case (byte)'\r': Add("\\r"u8); break;
                default:
                    Add("\\u00"u8);
                    Add("0123456789abcdef"u8.Slice(first >> 4, 1));
                    Add("0123456789abcdef"u8.Slice(first & 15, 1));
                    break;
            }

            return 1;
        }

        if (Rune.DecodeFromUtf8(text, out var rune, out var used) != System.Buffers.OperationStatus.Done)
        {
            // One for each stray byte, where .NET would take a cut sequence as one.
            Add("\\ufffd"u8);
            return 1;
        }

        Add(rune.Value switch { 0x2028 => "\\u2028"u8, 0x2029 => "\\u2029"u8, _ => text[..used] });
        return used;
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
