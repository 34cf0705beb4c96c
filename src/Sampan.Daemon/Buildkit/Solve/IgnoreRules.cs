using System.Text;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>An ignore file's lines as the patterns that a client leaves files out by.</summary>
internal static class IgnoreRules
{
    public static IReadOnlyList<string> Patterns(byte[] file)
    {
        var text = Encoding.UTF8.GetString(file).TrimStart('\uFEFF');
        return [.. text.Split('\n').Where(line => !line.StartsWith('#')).Select(Pattern).Where(pattern => pattern.Length > 0)];
    }

    private static string Pattern(string line)
    {
        var pattern = line.Trim();
        var isException = pattern.StartsWith('!');
        pattern = isException ? pattern[1..].Trim() : pattern;
        if (pattern.Length == 0)
        {
            return "";
        }

        // As Go's path.Clean, and without the slash at the beginning: patterns are relative to the context.
        var parts = new List<string>();
        foreach (var part in pattern.Split('/').Where(part => part is not ("" or ".")))
        {
            if (part == ".." && parts is [.., not ".."])
            {
                parts.RemoveAt(parts.Count - 1);
            }
            else if (part != ".." || !pattern.StartsWith('/'))
            {
                parts.Add(part);
            }
        }

        return (isException ? "!" : "") + (parts.Count == 0 ? "." : string.Join('/', parts));
    }
}
