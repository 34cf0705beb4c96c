using System.Globalization;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Formatting;

/// <summary>Spans and points of time as Docker prints and reads them.</summary>
internal static class Durations
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>A rough span: <c>2 minutes</c>, <c>About an hour</c>.</summary>
    public static string Human(TimeSpan span)
    {
        var seconds = (long)span.TotalSeconds;
        if (seconds < 1) return "Less than a second";
        if (seconds == 1) return "1 second";
        if (seconds < 60) return $"{seconds} seconds";
        var minutes = (long)span.TotalMinutes;
        if (minutes == 1) return "About a minute";
        if (minutes < 60) return $"{minutes} minutes";
        var hours = (long)(span.TotalHours + 0.5);
        if (hours == 1) return "About an hour";
        return hours switch
        {
            < 48 => $"{hours} hours",
            < 24 * 7 * 2 => $"{hours / 24} days",
            < 24 * 30 * 2 => $"{hours / 24 / 7} weeks",
            < 24 * 365 * 2 => $"{hours / 24 / 30} months",
            _ => $"{(long)span.TotalHours / 24 / 365} years",
        };
    }

    public static string Ago(DateTimeOffset then, DateTimeOffset now) => Human(now - then) + " ago";

    /// <summary>Reads a span in Go's form, in nanoseconds.</summary>
    /// <exception cref="FlagValueException">Not a span.</exception>
    public static long ParseFlag(string text)
        => TryParse(text, out var nanoseconds, out var missingUnit) ? nanoseconds
            : throw new FlagValueException($"time: {(missingUnit ? "missing unit in" : "invalid")} duration {FlagValues.Quote(text)}");

    /// <summary>Reads <c>1h2m3.5s</c>, <c>-10ms</c>, <c>0</c>.</summary>
    public static bool TryParse(string text, out long nanoseconds, out bool missingUnit)
    {
        nanoseconds = 0;
        missingUnit = false;
        var negative = text.StartsWith('-');
        var rest = text.AsSpan(text.StartsWith('-') || text.StartsWith('+') ? 1 : 0);
        if (rest is "0") return true;
        if (rest.IsEmpty) return false;
        decimal total = 0;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept("0123456789.");
            missingUnit = digits < 0;
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return false;
            }

            rest = rest[digits..];
            var end = rest.IndexOfAny("0123456789.");
            var unit = end < 0 ? rest : rest[..end];
            decimal? scale = unit switch
            {
                "ns" => 1,
                "us" or "µs" or "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => NanosecondsPerSecond,
                "m" => 60 * NanosecondsPerSecond,
                "h" => 3600 * NanosecondsPerSecond,
                _ => null,
            };
            if (scale is null || number > long.MaxValue / scale) return false;
            total += number * scale.Value;
            rest = end < 0 ? [] : rest[end..];
        }

        if (total > long.MaxValue) return false;
        nanoseconds = negative ? -(long)total : (long)total;
        return true;
    }

    /// <summary>What <c>--since</c> and <c>--until</c> send: "seconds.nanoseconds" for a date, a Unix time, or a span before now.</summary>
    /// <exception cref="CliException">Neither of these.</exception>
    public static string Timestamp(string text, DateTimeOffset now)
    {
        if (text != "0" && TryParse(text, out var span, out _)) return Unix(now.AddTicks(-(span / 100)));
        if (text.AsSpan().IndexOfAnyExcept("0123456789.") < 0 && text.Length > 0) return text;
        const DateTimeStyles styles = DateTimeStyles.AssumeLocal | DateTimeStyles.AllowWhiteSpaces;
        string[] forms =
        [
            "yyyy-MM-dd", "yyyy-MM-ddzzz", "yyyy-MM-ddTHH:mm", "yyyy-MM-ddTHH:mmzzz", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-ddTHH:mm:ssK",
            "yyyy-MM-ddTHH:mm:ss.FFFFFFF", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK",
        ];
        var value = text;
        var dot = text.IndexOf('.');
        if (dot > 0)
        {
            // .NET reads seven digits of a second, Docker's log lines have nine.
            var end = text.AsSpan(dot + 1).IndexOfAnyExcept("0123456789");
            end = end < 0 ? text.Length : dot + 1 + end;
            if (end - dot > 8) value = string.Concat(text.AsSpan(0, dot + 8), text.AsSpan(end));
        }

        return DateTimeOffset.TryParseExact(value, forms, CultureInfo.InvariantCulture, styles, out var point)
            ? Unix(point)
            : throw new CliException($"failed to parse value as time or duration: {FlagValues.Quote(text)}");
    }

    private static string Unix(DateTimeOffset point)
    {
        var ticks = point.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
        return string.Create(CultureInfo.InvariantCulture, $"{ticks / TimeSpan.TicksPerSecond}.{ticks % TimeSpan.TicksPerSecond * 100:000000000}");
    }
}
