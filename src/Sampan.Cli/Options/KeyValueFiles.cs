using System.Text;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Options;

/// <summary>Reads <c>--env-file</c> and <c>--label-file</c>: one NAME=value a line, <c>#</c> comments.</summary>
internal static class KeyValueFiles
{
    private const int MaxBytes = 16 << 20;

    /// <param name="path">The file.</param>
    /// <param name="kind">"env" or "label", for messages.</param>
    /// <param name="lookUp">Gives the value of a name that stands alone; null leaves the name out.</param>
    public static List<string> Read(string path, string kind, Func<string, string?>? lookUp)
    {
        var bytes = ReadBytes(path);
        var entries = new List<string>();
        var number = 0;
        foreach (var range in Split(bytes))
        {
            number++;
            var line = bytes.AsSpan(range);
            if (line.EndsWith("\r"u8)) line = line[..^1];
            if (number == 1 && line.StartsWith("\uFEFF"u8)) line = line[3..];
            if (!System.Text.Unicode.Utf8.IsValid(line))
            {
                throw new CliException($"invalid {kind} file ({path}): invalid utf8 bytes at line {number}: [{string.Join(' ', line.ToArray())}]");
            }

            if (Entry(Encoding.UTF8.GetString(line).TrimStart(), path, kind, lookUp) is { } entry) entries.Add(entry);
        }

        return entries;
    }

    private static string? Entry(string line, string path, string kind, Func<string, string?>? lookUp)
    {
        if (line.Length == 0 || line[0] == '#') return null;
        var equals = line.IndexOf('=');
        var name = equals < 0 ? line : line[..equals];
        if (name.AsSpan().IndexOfAny(" \t\v\f") >= 0)
        {
            throw new CliException($"invalid {kind} file ({path}): variable '{name}' contains whitespaces");
        }

        if (name.Length == 0) throw new CliException($"invalid {kind} file ({path}): no variable name on line '{line}'");
        if (equals >= 0) return line;
        if (lookUp is null) return line;
        return lookUp(name) is { } value ? $"{name}={value}" : null;
    }

    private static byte[] ReadBytes(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.CanSeek && file.Length > MaxBytes) throw new CliException($"file '{path}' is larger than {MaxBytes} bytes");
            using var all = new MemoryStream();
            file.CopyTo(all);
            return all.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw HostFiles.Opening(path, e);
        }
    }

    private static IEnumerable<Range> Split(byte[] bytes)
    {
        for (var start = 0; start < bytes.Length;)
        {
            var end = Array.IndexOf(bytes, (byte)'\n', start);
            if (end < 0) end = bytes.Length;
            yield return start..end;
            start = end + 1;
        }
    }
}

/// <summary>Messages about files of this machine, in Go's words.</summary>
internal static class HostFiles
{
    public static CliException Opening(string path, Exception e) => new($"open {path}: {Reason(path, e)}");

    public static string Reason(string path, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => "no such file or directory",
        UnauthorizedAccessException when Directory.Exists(path) => "is a directory",
        UnauthorizedAccessException => "permission denied",
        _ => e.Message,
    };
}
