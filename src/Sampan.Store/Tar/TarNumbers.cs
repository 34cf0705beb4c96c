using System.Buffers.Text;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>The numbers of tar headers: octal text, GNU's base-256, and pax's decimals.</summary>
internal static class TarNumbers
{
    /// <summary>Reads a field: octal with blanks and NULs around it, or base-256 when its first bit is set. False when it is neither or too large.</summary>
    public static bool TryReadField(ReadOnlySpan<byte> field, out long value)
    {
        if ((field[0] & 0x80) != 0)
        {
            return TryReadBase256(field, out value);
        }

        value = 0;
        var text = field;
        var nul = text.IndexOf((byte)0);
        text = (nul >= 0 ? text[..nul] : text).Trim((byte)' ');
        foreach (var digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'7' || value > (long.MaxValue >> 3))
            {
                return false;
            }

            value = (value << 3) | (uint)(digit - '0');
        }

        return true;
    }

    /// <summary>Reads a decimal without sign.</summary>
    public static bool TryReadDecimal(ReadOnlySpan<byte> text, out long value) =>
        Utf8Parser.TryParse(text, out value, out var used) && used == text.Length && value >= 0 && text[0] != (byte)'+';

    /// <summary>Reads pax's time: decimal seconds with any number of fractional digits, of which nine count.</summary>
    public static bool TryReadTime(ReadOnlySpan<byte> text, out FileTime time)
    {
        time = default;
        var dot = text.IndexOf((byte)'.');
        var whole = dot < 0 ? text : text[..dot];
        var fraction = dot < 0 ? [] : text[(dot + 1)..];
        if (fraction.ContainsAnyExcept("0123456789"u8) || !Utf8Parser.TryParse(whole, out long seconds, out var used) || used != whole.Length)
        {
            return false;
        }

        uint nanoseconds = 0;
        for (var i = 0; i < 9; i++)
        {
            nanoseconds = (nanoseconds * 10) + (i < fraction.Length ? (uint)(fraction[i] - '0') : 0);
        }

        // -1.25 is 1.75 before zero: the kernel wants -2 s and 750,000,000 ns.
        time = whole.StartsWith("-"u8) && nanoseconds > 0 ? new FileTime(seconds - 1, 1_000_000_000 - nanoseconds) : new FileTime(seconds, nanoseconds);
        return true;
    }

    /// <summary>Writes octal with leading zeros and a NUL; false when it does not fit.</summary>
    public static bool TryWriteOctal(Span<byte> field, long value)
    {
        var digits = field.Length - 1;
        if (value < 0 || (digits < 21 && value >> (3 * digits) != 0))
        {
            return false;
        }

        field[digits] = 0;
        for (var i = digits - 1; i >= 0; i--, value >>= 3)
        {
            field[i] = (byte)('0' + (value & 7));
        }

        return true;
    }

    private static bool TryReadBase256(ReadOnlySpan<byte> field, out long value)
    {
        // Two's complement, big-endian, with the marker bit on top.
        var negative = (field[0] & 0x40) != 0;
        value = negative ? -1 : 0;
        for (var i = 0; i < field.Length; i++)
        {
            var digit = i == 0 ? (field[0] & 0x7F) | (negative ? 0x80 : 0) : field[i];
            if (value is > (long.MaxValue >> 8) or < (long.MinValue >> 8))
            {
                return false;
            }

            value = (value << 8) | (uint)digit;
        }

        return true;
    }
}
