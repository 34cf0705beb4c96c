using System.Globalization;
using System.Net;

namespace Sampan.Network.Names;

/// <summary>Names between wire and text.</summary>
internal static class DnsName
{
    /// <summary>The longest text of a name, without its last dot.</summary>
    public const int TextLimit = 253;

    /// <summary>
    /// A name of the wire in lower case with dots. False for names no container can have: other characters than those of host names and
    /// of Docker's names in a label.
    /// </summary>
    /// <param name="wire">As <see cref="DnsRecord.SkipName"/> has found it good.</param>
    /// <param name="text">At least <see cref="TextLimit"/> characters.</param>
    public static bool TryToText(ReadOnlySpan<byte> wire, Span<char> text, out int length)
    {
        length = 0;
        for (var at = 0; wire[at] != 0; at += wire[at] + 1)
        {
            if (length > 0)
            {
                text[length++] = '.';
            }

            foreach (var b in wire.Slice(at + 1, wire[at]))
            {
                if (b is not (>= (byte)'a' and <= (byte)'z' or >= (byte)'0' and <= (byte)'9' or >= (byte)'A' and <= (byte)'Z' or (byte)'-' or (byte)'_'))
                {
                    return false;
                }

                text[length++] = (char)(b is >= (byte)'A' and <= (byte)'Z' ? b | 0x20 : b);
            }
        }

        return length > 0;
    }

    /// <summary>The wire's form of a text, for data of a record; false when it is no name.</summary>
    public static bool TryToWire(ReadOnlySpan<char> text, Span<byte> wire, out int length)
    {
        length = 0;
        if (text.Length is 0 or > TextLimit)
        {
            return false;
        }

        foreach (var range in text.Split('.'))
        {
            var label = text[range];
            if (label.Length is 0 or > Dns.LabelLimit || !System.Text.Ascii.IsValid(label))
            {
                return false;
            }

            wire[length++] = (byte)label.Length;
            length += System.Text.Encoding.ASCII.GetBytes(label, wire[length..]);
        }

        wire[length++] = 0;
        return true;
    }

    /// <summary>The address that a reverse name asks for: four numbers and in-addr.arpa, or 32 digits and ip6.arpa (RFC 3596, 2.5).</summary>
    public static bool TryReverse(ReadOnlySpan<char> name, out IPAddress address)
    {
        const string four = ".in-addr.arpa", six = ".ip6.arpa";
        address = IPAddress.None;
        Span<byte> bytes = stackalloc byte[16];
        if (name.EndsWith(four, StringComparison.Ordinal))
        {
            var at = 4;
            foreach (var range in name[..^four.Length].Split('.'))
            {
                if (at == 0 || !byte.TryParse(name[range], NumberStyles.None, CultureInfo.InvariantCulture, out bytes[--at]))
                {
                    return false;
                }
            }

            address = at == 0 ? new IPAddress(bytes[..4]) : address;
            return at == 0;
        }

        if (!name.EndsWith(six, StringComparison.Ordinal) || name.Length != 63 + six.Length)
        {
            return false;
        }

        for (var i = 0; i < 32; i++)
        {
            var digit = name[i * 2];
            if (!char.IsAsciiHexDigit(digit) || (i < 31 && name[i * 2 + 1] != '.'))
            {
                return false;
            }

            bytes[15 - i / 2] |= (byte)(Convert.FromHexString([digit, digit])[0] & (i % 2 == 0 ? 0x0f : 0xf0));
        }

        address = new IPAddress(bytes);
        return true;
    }
}
