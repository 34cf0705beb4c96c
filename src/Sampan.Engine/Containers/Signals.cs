using System.Globalization;

namespace Sampan.Engine.Containers;

/// <summary>Signal names of signal(7) for x86-64 and arm64.</summary>
internal static class Signals
{
    private static readonly string[] Known =
    [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD",
        "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    public const int Kill = 9, Term = 15;

    /// <summary>A name with or without SIG, or a number from 1 to 64.</summary>
    public static int Parse(string signal)
    {
        if (int.TryParse(signal, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= 64)
        {
            return number;
        }

        var name = signal.ToUpperInvariant();
        name = name.StartsWith("SIG", StringComparison.Ordinal) ? name[3..] : name;
        number = Array.IndexOf(Known, name);
        if (number <= 0 && name.StartsWith("RTMIN", StringComparison.Ordinal) && int.TryParse(name[5..].TrimStart('+'), CultureInfo.InvariantCulture, out var offset))
        {
            number = 34 + offset;
        }

        return number > 0 ? number : throw EngineException.Invalid($"invalid signal: {signal}");
    }
}
