using Sampan.Dockerfile.Parsing;

namespace Sampan.Dockerfile.Instructions;

/// <summary>COPY and ADD.</summary>
internal static class TransferParser
{
    public static Instruction Parse(Node node)
    {
        var isCopy = node.Keyword == "copy";
        var flags = isCopy
            ? new FlagReader(node, "from", "chown", "chmod", "link?", "parents?", "exclude*")
            : new FlagReader(node, "chown", "chmod", "link?", "exclude*", "checksum", "keep-git-dir?", "unpack?");
        var (sources, inline, destination) = Arguments(node);
        return isCopy
            ? new CopyInstruction(node, sources, inline, destination)
            {
                From = flags.Text("from"),
                Chown = flags.Text("chown"),
                Chmod = flags.Text("chmod"),
                Link = flags.Switch("link") ?? false,
                Parents = flags.Switch("parents") ?? false,
                Exclude = flags.Texts("exclude"),
            }
            : new AddInstruction(node, sources, inline, destination)
            {
                Chown = flags.Text("chown"),
                Chmod = flags.Text("chmod"),
                Link = flags.Switch("link") ?? false,
                Exclude = flags.Texts("exclude"),
                Checksum = flags.Text("checksum"),
                KeepGitDir = flags.Switch("keep-git-dir") ?? false,
                Unpack = flags.Switch("unpack"),
            };
    }

    private static (IReadOnlyList<string> Sources, IReadOnlyList<InlineFile> Inline, string Destination) Arguments(Node node)
    {
        var name = node.Keyword.ToUpperInvariant();
        var words = node.Arguments;
        if (words.Count == 0)
        {
            throw new FormatException($"{name} requires at least two arguments");
        }

        if (words.Count == 1)
        {
            throw new FormatException(
                $"{name} requires at least two arguments, but only one was provided. Destination could not be determined");
        }

        List<string> sources = [];
        List<InlineFile> inline = [];
        foreach (var word in words.SkipLast(1))
        {
            var opener = node.Heredocs.Count == 0 ? null : HeredocOpener.Parse(word, '\\');
            var heredoc = opener is null ? null : node.Heredocs.FirstOrDefault(h => h.Name == opener.Name);
            if (heredoc is null)
            {
                sources.Add(word);
            }
            else
            {
                inline.Add(new(heredoc.Name, heredoc.Content, heredoc.Expand));
            }
        }

        return words[^1].Length == 0 ? throw new FormatException($"{name}: the destination is empty") : (sources, inline, words[^1]);
    }
}
