using System.Globalization;

namespace Sampan.Dockerfile.Instructions;

/// <summary>Durations as Go writes them: <c>1m30s</c>, <c>1.5h</c>, <c>500ms</c>.</summary>
public static class GoDuration
{
    private static readonly (string Unit, long Nanoseconds)[] Units =
        [("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

    /// <summary>As Go prints it: <c>1m30s</c>, <c>1.5s</c>, <c>300ms</c>, <c>0s</c>; to the resolution of 100 ns.</summary>
    public static string Format(TimeSpan span)
    {
        var invariant = System.Globalization.CultureInfo.InvariantCulture;
        if (span < TimeSpan.Zero) return "-" + Format(-span);
        if (span == TimeSpan.Zero) return "0s";
        if (span < TimeSpan.FromMilliseconds(1)) return (span.Ticks / 10m).ToString("0.#", invariant) + "µs";
        if (span < TimeSpan.FromSeconds(1)) return (span.Ticks / 10_000m).ToString("0.####", invariant) + "ms";
        var seconds = (span.Ticks % TimeSpan.TicksPerMinute / 10_000_000m).ToString("0.#######", invariant) + "s";
        var minutes = span.Ticks / TimeSpan.TicksPerMinute;
        return minutes == 0 ? seconds : minutes < 60 ? $"{minutes}m{seconds}" : $"{minutes / 60}h{minutes % 60}m{seconds}";
    }

    /// <summary>Reads a duration; parts below 100 ns are lost.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static TimeSpan Parse(string text)
    {
        var rest = text.AsSpan();
        var negative = rest.StartsWith("-");
        rest = rest.TrimStart("+-");
        decimal total = 0;
        if (rest.Length == 0)
        {
            throw Bad(text);
        }

        while (rest.Length > 0 && !rest.SequenceEqual("0"))
        {
            var digits = rest.IndexOfAnyExcept("0123456789.");
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                throw Bad(text);
            }

            rest = rest[digits..];
            var length = rest.IndexOfAny("0123456789.");
            var name = rest[..(length < 0 ? rest.Length : length)].ToString();
            var unit = Array.Find(Units, u => u.Unit == name).Nanoseconds;
            if (unit == 0 || number > long.MaxValue / unit)
            {
                throw Bad(text);
            }

            total += number * unit;
            rest = rest[name.Length..];
        }

        return total <= long.MaxValue ? TimeSpan.FromTicks((long)(negative ? -total : total) / 100) : throw Bad(text);
    }

    private static FormatException Bad(string text) => new($"invalid duration '{text}'");
}
