using System.Globalization;
using System.Text;
using Sampan.Dockerfile.Parsing;

namespace Sampan.Tests.Unit.Dockerfile;

/// <summary>Where BuildKit's vectors are, and how its trees are printed.</summary>
internal static class Vectors
{
    public static string Folder { get; } = Conformance.Path("dockerfile");

    /// <summary>A tree as BuildKit's parser tests print it.</summary>
    public static string Print(DockerfileDocument document) => string.Join('\n', document.Nodes.Select(Print));

    private static string Print(Node node)
    {
        var text = new StringBuilder($"({node.Keyword}");
        if (node.Flags.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" [{string.Join(' ', node.Flags.Select(Quote))}]");
        }

        text.Append(node.Trigger is { } trigger ? " " + Print(trigger) : string.Concat(node.Arguments.Select(a => " " + Quote(a))));
        return text.Append(')').ToString();
    }

    private static string Quote(string text)
    {
        var result = new StringBuilder("\"");
        foreach (var c in text)
        {
            result.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\b' => "\\b",
                '\f' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                < ' ' => $"\\x{(int)c:x2}",
                _ => c.ToString(),
            });
        }

        return result.Append('"').ToString();
    }
}
