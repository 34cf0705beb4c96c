namespace Sampan.Dockerfile.Parsing;

/// <summary>The parser directives that lead a Dockerfile (<c># name=value</c>).</summary>
public sealed record Directives
{
    private static readonly string[] Known = ["escape", "syntax", "check"];

    /// <summary>The character that escapes and that continues lines; <c>\</c> unless it is set to <c>`</c>.</summary>
    public char Escape { get; init; } = '\\';

    /// <summary>The frontend asked for, e.g. <c>docker/dockerfile:1</c>.</summary>
    public string? Syntax { get; init; }

    /// <summary>The value of the check directive, e.g. <c>skip=JSONArgsRecommended;error=true</c>.</summary>
    public string? Check { get; init; }

    /// <summary>Line of the syntax directive, 0 when there is none.</summary>
    public int SyntaxLine { get; init; }

    /// <summary>Line of the check directive, 0 when there is none.</summary>
    public int CheckLine { get; init; }

    /// <summary>How many lines at the top are directives.</summary>
    public int LineCount { get; init; }

    /// <summary>Reads the directives: they end at the first line that is none.</summary>
    /// <exception cref="DockerfileException">One is given twice, or escape is neither <c>\</c> nor <c>`</c>.</exception>
    internal static Directives Read(DockerfileSource source)
    {
        var result = new Directives();
        var seen = new HashSet<string>();
        for (var i = 0; i < source.Lines.Count; i++)
        {
            if (Split(source.Lines[i]) is not var (name, value) || !Known.Contains(name))
            {
                break;
            }

            var at = new LineRange(i + 1, i + 1);
            if (!seen.Add(name))
            {
                throw source.Error($"only one '{name}' parser directive can be used", at);
            }

            result = name switch
            {
                "escape" when value is not ("\\" or "`") => throw source.Error($"invalid escape directive '{value}': must be ` or \\", at),
                "escape" => result with { Escape = value[0] },
                "syntax" => result with { Syntax = value, SyntaxLine = i + 1 },
                _ => result with { Check = value, CheckLine = i + 1 },
            };
            result = result with { LineCount = i + 1 };
        }

        return result;
    }

    /// <summary>A line <c># name = value</c> as name (lower case) and value; null when it is something else.</summary>
    private static (string Name, string Value)? Split(string line)
    {
        var text = line.Trim();
        var equals = text.IndexOf('=');
        if (!text.StartsWith('#') || equals < 0)
        {
            return null;
        }

        var name = text[1..equals].Trim();
        var value = text[(equals + 1)..].Trim();
        return name.Length == 0 || value.Length == 0 || !char.IsAsciiLetter(name[0]) || !name.All(char.IsAsciiLetterOrDigit)
            ? null : (name.ToLowerInvariant(), value);
    }
}
