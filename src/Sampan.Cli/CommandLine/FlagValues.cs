using System.Globalization;

namespace Sampan.Cli.CommandLine;

/// <summary>Parses flag values as Go's strconv and Docker's units do, with their messages.</summary>
internal static class FlagValues
{
    public static bool Bool(string value) => value switch
    {
        "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
        "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
        _ => throw new FlagValueException($"strconv.ParseBool: parsing {Quote(value)}: invalid syntax"),
    };

    public static long Int(string value)
    {
        var negative = value.StartsWith('-');
        var digits = value.StartsWith('-') || value.StartsWith('+') ? value[1..] : value;
        if (!TryUnsigned(digits, out var number, out var tooLarge))
        {
            throw Bad("ParseInt", value, tooLarge);
        }

        if (number > (negative ? 1UL << 63 : long.MaxValue)) throw Bad("ParseInt", value, outOfRange: true);
        return negative ? unchecked(-(long)number) : (long)number;
    }

    public static ulong UInt(string value)
        => TryUnsigned(value, out var number, out var tooLarge) ? number : throw Bad("ParseUint", value, tooLarge);

    public static ushort UInt16(string value)
    {
        var number = UInt(value);
        return number <= ushort.MaxValue ? (ushort)number : throw Bad("ParseUint", value, outOfRange: true);
    }

    /// <summary>Nano CPUs from a decimal number of CPUs such as <c>1.5</c>.</summary>
    public static long Cpus(string value)
    {
        if (!decimal.TryParse(value, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture, out var cpus))
        {
            throw new FlagValueException($"failed to parse {value} as a rational number");
        }

        var nano = cpus * 1_000_000_000m;
        if (nano != decimal.Truncate(nano)) throw new FlagValueException("value is too precise");
        if (nano is > long.MaxValue or < long.MinValue) throw new FlagValueException($"failed to parse {value} as a rational number");
        return (long)nano;
    }

    /// <summary>A text in Go's quotes.</summary>
    public static string Quote(string value)
    {
        var text = new System.Text.StringBuilder("\"");
        foreach (var c in value)
        {
            text.Append(c switch
            {
                '"' => "\\\"",
                '\\' => @"\\",
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                '\a' => "\\a",
                '\b' => "\\b",
                '\f' => "\\f",
                '\v' => "\\v",
                < ' ' or '\x7f' => "\\x" + ((int)c).ToString("x2", CultureInfo.InvariantCulture),
                _ => c.ToString(),
            });
        }

        return text.Append('"').ToString();
    }

    private static bool TryUnsigned(string text, out ulong number, out bool tooLarge)
    {
        number = 0;
        tooLarge = false;
        var (radix, digits) = text switch
        {
            ['0', 'x' or 'X', .. var rest] => (16, rest),
            ['0', 'b' or 'B', .. var rest] => (2, rest),
            ['0', 'o' or 'O', .. var rest] => (8, rest),
            ['0', .. var rest] when rest.Length > 0 => (8, rest),
            _ => (10, text),
        };
        if (digits.Length == 0) return false;
        foreach (var c in digits)
        {
            var digit = c is >= '0' and <= '9' ? c - '0' : char.ToLowerInvariant(c) is >= 'a' and <= 'f' and var h ? h - 'a' + 10 : 99;
            if (digit >= radix) return false;
            var next = (UInt128)number * (uint)radix + (uint)digit;
            if (next > ulong.MaxValue)
            {
                tooLarge = true;
                return false;
            }

            number = (ulong)next;
        }

        return true;
    }

    private static FlagValueException Bad(string function, string value, bool outOfRange)
        => new($"strconv.{function}: parsing {Quote(value)}: {(outOfRange ? "value out of range" : "invalid syntax")}");
}
