using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Options;

/// <summary>Reads a flag's value of the form <c>key=value,key=value</c>.</summary>
internal static class KeyValues
{
    /// <summary>Keys are given in lower case.</summary>
    /// <exception cref="CliException">A field has no value.</exception>
    public static IEnumerable<(string Key, string Value)> Parse(string text, string flag)
    {
        foreach (var field in text.Split(','))
        {
            var at = field.IndexOf('=');
            if (at <= 0) throw new CliException($"invalid field {FlagValues.Quote(field)} in {flag} {text}: it must be a key=value pair");
            yield return (field[..at].Trim().ToLowerInvariant(), field[(at + 1)..]);
        }
    }
}
