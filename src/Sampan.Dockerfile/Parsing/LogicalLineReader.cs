using System.Text;

namespace Sampan.Dockerfile.Parsing;

/// <summary>Joins continued lines, drops comments and empty lines, and reads the bodies of heredocs.</summary>
internal sealed class LogicalLineReader(DockerfileSource source, char escape, DockerfileLimits limits)
{
    private int _next;

    /// <summary>The number of the line read last, from 1.</summary>
    public int LineNumber => _next;

    /// <summary>True when the instruction read last had an empty line among its continuation lines.</summary>
    public bool HadEmptyContinuation { get; private set; }

    /// <summary>The next instruction on one line and the number of its first line; null at the end of the file.</summary>
    public (string Text, int Start)? Read()
    {
        HadEmptyContinuation = false;
        while (_next < source.Lines.Count)
        {
            var first = Take().TrimStart();
            if (first.Length == 0 || first[0] == '#')
            {
                continue;
            }

            var start = _next;
            var text = new StringBuilder();
            var continued = Append(text, first, start);
            while (continued && _next < source.Lines.Count)
            {
                var line = Take();
                var trimmed = line.AsSpan().TrimStart();
                if (trimmed.Length == 0)
                {
                    HadEmptyContinuation = true;
                }
                else if (trimmed[0] != '#')
                {
                    continued = Append(text, line, start);
                }
            }

            if (text.Length > 0)
            {
                return (text.ToString(), start);
            }
        }

        return null;
    }

    /// <summary>The lines up to a terminator, each with a line end.</summary>
    public string ReadHeredoc(string name, bool chomp, int start)
    {
        var body = new StringBuilder();
        while (_next < source.Lines.Count)
        {
            var line = Take();
            if ((chomp ? line.TrimStart('\t') : line) == name)
            {
                return body.ToString();
            }

            body.Append(line).Append('\n');
        }

        throw source.Error($"unterminated heredoc: no line says '{name}'", new(start, start));
    }

    private string Take()
    {
        var line = source.Lines[_next++];
        return line.Length <= limits.MaxLineChars ? line : throw TooLong(_next);
    }

    /// <summary>Adds a line; true when it ends in an escape that is not itself escaped, so that it goes on.</summary>
    private bool Append(StringBuilder text, string line, int start)
    {
        var end = line.AsSpan().TrimEnd(" \t");
        var continued = end.Length > 0 && end[^1] == escape && (end.Length == 1 || end[^2] != escape);
        text.Append(continued ? end[..^1] : line);
        return text.Length <= limits.MaxLineChars ? continued : throw TooLong(start);
    }

    private DockerfileException TooLong(int line) => new($"line {line} of '{source.FileName}' is longer than {limits.MaxLineChars:N0} characters")
    {
        FileName = source.FileName,
        Lines = new(line, line),
    };
}
