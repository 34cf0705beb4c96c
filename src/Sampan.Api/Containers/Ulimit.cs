using System.Globalization;

namespace Sampan.Api;

/// <summary>One resource limit of setrlimit(2); -1 is unlimited.</summary>
public sealed class Ulimit
{
    private static readonly string[] Names =
    [
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
    ];

    public string Name { get; set; } = "";
    public long Hard { get; set; }
    public long Soft { get; set; }

    /// <summary>Reads <c>nofile=1024[:2048]</c>: the soft limit, and the hard one when it is another.</summary>
    /// <exception cref="FormatException">It is written otherwise; the words are Docker's.</exception>
    public static Ulimit Parse(string text)
    {
        var at = text.IndexOf('=');
        if (at < 0)
        {
            throw new FormatException($"invalid ulimit argument: {text}");
        }

        var (name, values) = (text[..at], text[(at + 1)..]);
        if (!Names.Contains(name))
        {
            throw new FormatException($"invalid ulimit type: {name}");
        }

        var limits = values.Split(':');
        if (limits.Length > 2)
        {
            throw new FormatException($"too many limit value arguments - {values}, can only have up to two, `soft[:hard]`");
        }

        var (soft, hard) = (Number(limits[0]), Number(limits[^1]));
        return hard == -1 || (soft <= hard && soft != -1) ? new Ulimit { Name = name, Soft = soft, Hard = hard }
            : throw new FormatException($"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}");
    }

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}={Soft}:{Hard}");

    private static long Number(string digits) => long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
        : throw new FormatException($"strconv.ParseInt: parsing \"{digits}\": invalid syntax");
}
