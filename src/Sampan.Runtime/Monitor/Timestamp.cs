using System.Globalization;
using System.Text;

namespace Sampan.Runtime;

/// <summary>Times as Unix nanoseconds and as RFC 3339 with nanoseconds, trailing zeros cut, as Go writes them.</summary>
public static class Timestamp
{
    /// <summary>Bytes of the longest text.</summary>
    internal const int MaxLength = 30;

    /// <summary>Unix nanoseconds.</summary>
    public static long Now() => (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) * 100;

    public static string Format(long unixNanoseconds)
    {
        Span<byte> text = stackalloc byte[MaxLength];
        return Encoding.ASCII.GetString(text[..Write(text, unixNanoseconds)]);
    }

    /// <summary>Writes the text as ASCII; how many bytes it has.</summary>
    internal static int Write(Span<byte> target, long unixNanoseconds)
    {
        var seconds = Math.DivRem(unixNanoseconds, 1_000_000_000, out var nanoseconds);
        if (nanoseconds < 0)
        {
            (seconds, nanoseconds) = (seconds - 1, nanoseconds + 1_000_000_000);
        }

        DateTime.UnixEpoch.AddSeconds(seconds).TryFormat(target, out var length, "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
        if (nanoseconds > 0)
        {
            target[length++] = (byte)'.';
            for (var digit = 100_000_000L; nanoseconds > 0; digit /= 10)
            {
                target[length++] = (byte)('0' + nanoseconds / digit);
                nanoseconds %= digit;
            }
        }

        target[length++] = (byte)'Z';
        return length;
    }
}
