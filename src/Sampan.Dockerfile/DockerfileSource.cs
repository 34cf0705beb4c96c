using System.Globalization;
using System.Text;

namespace Sampan.Dockerfile;

/// <summary>The text of a Dockerfile by lines, and what it is called in messages.</summary>
public sealed class DockerfileSource
{
    private const int ContextLines = 2;
    private const int MaxExcerptLines = 20;
    private const int MaxExcerptChars = 200;

    private DockerfileSource(string fileName, string[] lines)
    {
        FileName = fileName;
        Lines = lines;
    }

    /// <summary>The name shown in messages, e.g. <c>Dockerfile</c>.</summary>
    public string FileName { get; }

    /// <summary>The lines without their ends (LF or CRLF).</summary>
    public IReadOnlyList<string> Lines { get; }

    /// <summary>Reads a Dockerfile's bytes: UTF-8, a byte order mark is ignored.</summary>
    /// <exception cref="DockerfileException">The file is too large, not UTF-8, or holds a NUL.</exception>
    public static DockerfileSource Parse(ReadOnlySpan<byte> bytes, string fileName, DockerfileLimits limits)
    {
        if (bytes.Length > limits.MaxBytes)
        {
            throw new DockerfileException(
                $"'{fileName}' has {Text(bytes.Length)} bytes, more than the {Text(limits.MaxBytes)} that a Dockerfile may have");
        }

        if (bytes.StartsWith("\uFEFF"u8))
        {
            bytes = bytes[3..];
        }

        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            var line = bytes[..Math.Clamp(e.Index, 0, bytes.Length)].Count((byte)'\n') + 1;
            throw new DockerfileException($"'{fileName}' is not valid UTF-8 at line {line}") { FileName = fileName, Lines = new(line, line) };
        }

        if (text.IndexOf('\0') is >= 0 and var at)
        {
            var line = text.AsSpan(0, at).Count('\n') + 1;
            throw new DockerfileException($"'{fileName}' holds a NUL byte at line {line}") { FileName = fileName, Lines = new(line, line) };
        }

        return Parse(text, fileName);
    }

    /// <summary>Splits text into lines.</summary>
    public static DockerfileSource Parse(string text, string fileName)
    {
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].EndsWith('\r'))
            {
                lines[i] = lines[i][..^1];
            }
        }

        // A final line end does not begin another line.
        return new(fileName, lines[^1].Length == 0 ? lines[..^1] : lines);
    }

    /// <summary>The lines of a range with two before and after, numbered, the range itself marked by <c>&gt;&gt;&gt;</c>.</summary>
    public string Excerpt(LineRange range)
    {
        var text = new StringBuilder("--------------------\n");
        var first = Math.Max(1, range.Start - ContextLines);
        var last = Math.Min(Lines.Count, Math.Min(range.End + ContextLines, first + MaxExcerptLines - 1));
        for (var number = first; number <= last; number++)
        {
            var line = Lines[number - 1];
            if (line.Length > MaxExcerptChars)
            {
                line = line[..MaxExcerptChars] + "…";
            }

            var mark = number >= range.Start && number <= range.End ? ">>>" : "   ";
            text.Append(CultureInfo.InvariantCulture, $"{number,4} | {mark} {line}").Append('\n');
        }

        return text.Append("--------------------").ToString();
    }

    internal DockerfileException Error(string message, LineRange lines) => new(message)
    {
        FileName = FileName,
        Lines = lines,
        Excerpt = Excerpt(lines),
    };

    private static string Text(int number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
