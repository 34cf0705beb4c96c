using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Templates;

/// <summary>Prints values as Go's package fmt does.</summary>
internal static class GoFormat
{
    /// <summary>The value as <c>%v</c> shows it.</summary>
    public static string Print(object? value)
    {
        var text = new StringBuilder();
        Print(text, value);
        return text.ToString();
    }

    public static string TypeOf(object? value) => value switch
    {
        null => "<nil>",
        bool => "bool",
        string => "string",
        long or int => "int",
        double => "float64",
        JsonObject or Row => "map[string]interface {}",
        _ => "[]interface {}",
    };

    /// <summary>fmt.Sprint: spaces only between operands that are both not strings.</summary>
    public static string Sprint(object?[] values)
    {
        var text = new StringBuilder();
        for (var i = 0; i < values.Length; i++)
        {
            if (i > 0 && values[i] is not string && values[i - 1] is not string) text.Append(' ');
            Print(text, values[i]);
        }

        return text.ToString();
    }

    public static string Sprintln(object?[] values) => string.Join(' ', Array.ConvertAll(values, Print)) + "\n";

    /// <summary>fmt.Sprintf.</summary>
    public static string Sprintf(string format, object?[] values)
    {
        var text = new StringBuilder();
        var next = 0;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            var verb = Directive.Read(format, ref i, values, ref next);
            if (verb.Letter == '%') text.Append('%');
            else if (verb.Letter == '\0') text.Append("%!(NOVERB)");
            else if (next >= values.Length) text.Append($"%!{verb.Letter}(MISSING)");
            else text.Append(verb.Format(values[next++]));
        }

        if (next < values.Length)
        {
            var rest = Array.ConvertAll(values[next..], static v => v is null ? "<nil>" : $"{TypeOf(v)}={Print(v)}");
            text.Append("%!(EXTRA ").AppendJoin(", ", rest).Append(')');
        }

        return text.ToString();
    }

    /// <summary>A floating-point number in Go's shortest form (<c>%v</c>).</summary>
    public static string Shortest(double value)
    {
        if (double.IsNaN(value)) return "NaN";
        if (double.IsInfinity(value)) return value > 0 ? "+Inf" : "-Inf";
        return Shortest(value, 21);
    }

    public static string JsonNumber(double value) => Shortest(value, 21).Replace("e-0", "e-", StringComparison.Ordinal);

    private static string Shortest(double value, int largestExponent)
    {
        var round = value.ToString("E16", CultureInfo.InvariantCulture);
        var exponent = int.Parse(round.AsSpan(round.IndexOf('E') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var digits = value.ToString("R", CultureInfo.InvariantCulture);
        if (value != 0 && (exponent < -4 || exponent >= largestExponent))
        {
            var mantissa = decimal.Parse(digits, NumberStyles.Float, CultureInfo.InvariantCulture).ToString("0.################E+00", CultureInfo.InvariantCulture);
            return mantissa.Replace('E', 'e');
        }

        return digits.Contains('E') ? ((decimal)value).ToString(CultureInfo.InvariantCulture) : digits;
    }

    private static void Print(StringBuilder text, object? value)
    {
        switch (value)
        {
            case null: text.Append("<nil>"); break;
            case bool b: text.Append(b ? "true" : "false"); break;
            case string s: text.Append(s); break;
            case double d: text.Append(Shortest(d)); break;
            case NilCollection nil: text.Append(nil == NilCollection.Map ? "map[]" : "[]"); break;
            case JsonValue v: Print(text, JsonShape.Unwrap(v)); break;
            case JsonObject o when JsonShape.IsMap(o):
                text.Append("map[");
                var keys = new List<string>();
                foreach (var (key, _) in o) keys.Add(key);
                keys.Sort(StringComparer.Ordinal);
                for (var i = 0; i < keys.Count; i++)
                {
                    text.Append(i > 0 ? " " : "").Append(keys[i]).Append(':');
                    Print(text, o[keys[i]]);
                }

                text.Append(']');
                break;
            case JsonObject o:
                PrintList(text, '{', '}', Values(o));
                break;
            case JsonArray a: PrintList(text, '[', ']', a); break;
            case IEnumerable<object?> list: PrintList(text, '[', ']', list); break;
            default: text.Append(CultureInfo.InvariantCulture, $"{value}"); break;
        }
    }

    private static IEnumerable<object?> Values(JsonObject o)
    {
        foreach (var (name, _) in o)
        {
            JsonShape.TryField(o, name, out var value);
            yield return value;
        }
    }

    private static void PrintList(StringBuilder text, char open, char close, IEnumerable<object?> items)
    {
        text.Append(open);
        var first = true;
        foreach (var item in items)
        {
            if (!first) text.Append(' ');
            first = false;
            Print(text, item);
        }

        text.Append(close);
    }

    /// <summary>One <c>%</c> directive with its flags, width and precision.</summary>
    private readonly record struct Directive(char Letter, bool Minus, bool Plus, bool Zero, bool Space, bool Sharp, int Width, int Precision)
    {
        private const int MaxWidth = 10_000;

        /// <summary>Reads from the <c>%</c> at <paramref name="i"/>; leaves <paramref name="i"/> at the verb.</summary>
        public static Directive Read(string format, ref int i, object?[] values, ref int next)
        {
            bool minus = false, plus = false, zero = false, space = false, sharp = false;
            for (i++; i < format.Length && format[i] is '-' or '+' or '0' or ' ' or '#'; i++)
            {
                minus |= format[i] == '-';
                plus |= format[i] == '+';
                zero |= format[i] == '0';
                space |= format[i] == ' ';
                sharp |= format[i] == '#';
            }

            var width = Number(format, ref i, values, ref next) ?? 0;
            int? precision = null;
            if (i < format.Length && format[i] == '.')
            {
                i++;
                precision = Number(format, ref i, values, ref next) ?? 0;
            }

            if (width < 0) (width, minus) = (-width, true);
            return new Directive(i < format.Length ? format[i] : '\0', minus, plus, zero && !minus, space, sharp,
                Math.Min(width, MaxWidth), Math.Min(precision ?? -1, MaxWidth));
        }

        public string Format(object? value)
        {
            var text = Letter switch
            {
                'v' when Sharp && value is string s => FlagValues.Quote(s),
                'v' => value is double d && Plus && d >= 0 ? "+" + Shortest(d) : value is long n ? Integer(n) : Print(value),
                's' when value is string s => Precision >= 0 && Precision < s.Length ? s[..Precision] : s,
                's' when value is not (bool or long or double or null) => Print(value),
                'q' when value is string s => FlagValues.Quote(s),
                'q' when value is JsonArray or IEnumerable<object?> => QuoteAll(value),
                'q' when value is long n and >= 0 and <= 0x10FFFF => $"'{new Rune((int)n)}'",
                'd' when value is long n => Integer(n),
                't' when value is bool b => b ? "true" : "false",
                'x' or 'X' => Hex(value),
                'o' when value is long n => Convert.ToString(n, 8),
                'b' when value is long n => Convert.ToString(n, 2),
                'c' when value is long n and >= 0 and <= 0x10FFFF => new Rune((int)n).ToString(),
                'f' or 'F' when value is double d => Sign(d.ToString("F" + Digits, CultureInfo.InvariantCulture)),
                'e' or 'E' when value is double d => Sign(Exponential(d)),
                'g' or 'G' when value is double d => Sign(Precision < 0 ? Shortest(d) : Formatting.Units.General(d, Math.Max(Precision, 1))),
                'T' => TypeOf(value),
                _ => null,
            } ?? (value is null ? $"%!{Letter}(<nil>)" : $"%!{Letter}({TypeOf(value)}={Print(value)})");
            return Pad(text, value is long or double);
        }

        private int Digits => Precision < 0 ? 6 : Precision;

        private string Integer(long n)
        {
            var text = Math.Abs((decimal)n).ToString(CultureInfo.InvariantCulture);
            if (Precision >= 0) text = text.PadLeft(Precision, '0');
            return n < 0 ? "-" + text : Sign(text);
        }

        private string Sign(string text) => text.StartsWith('-') ? text : Plus ? "+" + text : Space ? " " + text : text;

        private string Exponential(double d)
            => d.ToString((Letter == 'e' ? "e" : "E") + Digits, CultureInfo.InvariantCulture).Replace("e+0", "e+", StringComparison.Ordinal)
                .Replace("e-0", "e-", StringComparison.Ordinal);

        private string? Hex(object? value)
        {
            var text = value switch
            {
                long n => n < 0 ? "-" + (-(decimal)n is var m ? ((ulong)m).ToString("x", CultureInfo.InvariantCulture) : "") : n.ToString("x", CultureInfo.InvariantCulture),
                string s => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(s)),
                _ => null,
            };
            if (text is null) return null;
            if (Sharp) text = "0x" + text;
            return Letter == 'X' ? text.ToUpperInvariant() : text;
        }

        private static string QuoteAll(object value)
        {
            var items = new List<string>();
            foreach (var item in Interpreter.Items(value)) items.Add(item.Value is string s ? FlagValues.Quote(s) : Print(item.Value));
            return $"[{string.Join(' ', items)}]";
        }

        private string Pad(string text, bool number)
        {
            var missing = Width - text.EnumerateRunes().Count();
            if (missing <= 0) return text;
            if (Minus) return text + new string(' ', missing);
            if (!Zero) return new string(' ', missing) + text;
            return number && text[0] is '-' or '+' ? text[0] + new string('0', missing) + text[1..] : new string('0', missing) + text;
        }

        private static int? Number(string format, ref int i, object?[] values, ref int next)
        {
            if (i < format.Length && format[i] == '*')
            {
                i++;
                return next < values.Length && values[next] is long n ? (next++, (int)Math.Clamp(n, -MaxWidth, MaxWidth)).Item2 : null;
            }

            var start = i;
            while (i < format.Length && char.IsAsciiDigit(format[i])) i++;
            return i == start ? null : int.TryParse(format.AsSpan(start, i - start), out var number) ? number : MaxWidth;
        }
    }
}
