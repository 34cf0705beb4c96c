using System.Globalization;

namespace Sampan.Api;

/// <summary>Times as the Engine API writes them: RFC 3339 in UTC with up to nine fractional digits, trailing zeros dropped.</summary>
public static class GoTime
{
    /// <summary>Go's zero time, which the API shows for "never".</summary>
    public const string Zero = "0001-01-01T00:00:00Z";

    /// <summary>The text of <paramref name="time"/>; null becomes <see cref="Zero"/>.</summary>
    public static string Format(DateTimeOffset? time) =>
        time is { } t ? t.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture) : Zero;

    /// <summary>Nanoseconds since 1970 as used by <c>timeNano</c> (the clock here has a resolution of 100 ns).</summary>
    public static long UnixNano(DateTimeOffset time) => (time.UtcTicks - DateTime.UnixEpoch.Ticks) * 100;

    /// <summary>Reads RFC 3339 with any number of fractional digits; null when it is none, or the zero time.</summary>
    public static DateTimeOffset? Parse(string? text)
    {
        if (string.IsNullOrEmpty(text) || text == Zero)
        {
            return null;
        }

        // DateTimeOffset reads at most seven digits; further ones are below its resolution.
        var dot = text.IndexOf('.');
        if (dot > 0)
        {
            var end = dot + 1;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
            {
                end++;
            }

            if (end - dot > 8)
            {
                text = string.Concat(text.AsSpan(0, dot + 8), text.AsSpan(end));
            }
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
    }
}
