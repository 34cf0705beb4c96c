using System.Globalization;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Formatting;

/// <summary>Sizes as Docker prints and reads them.</summary>
internal static class Units
{
    private static readonly string[] Decimal = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    private static readonly string[] Binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

    /// <summary>Bytes in powers of 1000 with so many significant digits: <c>1.24MB</c>.</summary>
    public static string Human(double bytes, int digits = 3) => Scale(bytes, 1000, Decimal, digits);

    /// <summary>Bytes in powers of 1024: <c>1.5GiB</c>.</summary>
    public static string HumanBinary(double bytes) => Scale(bytes, 1024, Binary, 4);

    /// <summary>Reads <c>512m</c>, <c>1.5 GiB</c>, <c>64</c>: always powers of 1024.</summary>
    /// <exception cref="FlagValueException">Not a size.</exception>
    public static long ParseBytes(string text)
    {
        var last = text.AsSpan().LastIndexOfAny("0123456789. ");
        if (last < 0) throw new FlagValueException($"invalid size: '{text}'");
        var number = text[last] == ' ' ? text[..last] : text[..(last + 1)];
        var suffix = text[(last + 1)..].ToLowerInvariant();
        if (!double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var size))
        {
            throw new FlagValueException($"strconv.ParseFloat: parsing {FlagValues.Quote(number)}: invalid syntax");
        }

        if (size < 0) throw new FlagValueException($"invalid size: '{text}'");
        if (suffix is "" or "b") return (long)size;
        var power = "kmgtp".IndexOf(suffix[0]);
        if (power < 0 || suffix.Length > 1 && suffix[1..] is not ("b" or "ib")) throw new FlagValueException($"invalid suffix: '{suffix}'");
        return (long)(size * Math.Pow(1024, power + 1));
    }

    /// <summary>A number as C's <c>%.{digits}g</c> prints it.</summary>
    public static string General(double value, int digits)
    {
        if (value == 0) return "0";
        var scientific = value.ToString("E" + (digits - 1), CultureInfo.InvariantCulture);
        var at = scientific.IndexOf('E');
        var exponent = int.Parse(scientific.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent >= -4 && exponent < digits)
        {
            return Trim(value.ToString("F" + (digits - 1 - exponent), CultureInfo.InvariantCulture));
        }

        var sign = exponent < 0 ? '-' : '+';
        return $"{Trim(scientific[..at])}e{sign}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
    }

    private static string Trim(string number) => number.Contains('.') ? number.TrimEnd('0').TrimEnd('.') : number;

    private static string Scale(double value, double step, string[] names, int digits)
    {
        var i = 0;
        for (; value >= step && i < names.Length - 1; i++) value /= step;
        return General(value, digits) + names[i];
    }
}
