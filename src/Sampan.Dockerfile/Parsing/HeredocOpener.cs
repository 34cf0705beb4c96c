using Sampan.Dockerfile.Expansion;

namespace Sampan.Dockerfile.Parsing;

/// <summary>Finds <c>&lt;&lt;NAME</c>, <c>&lt;&lt;-NAME</c> and <c>3&lt;&lt;"NAME"</c> among the words of a line.</summary>
internal static class HeredocOpener
{
    public static IReadOnlyList<Heredoc> Find(string line, char escape)
    {
        IReadOnlyList<string> words;
        try
        {
            words = new WordExpander(escape) { KeepQuotes = true, KeepEscapes = true, KeepUnset = true }.ExpandToWords(line, _ => null);
        }
        catch (ExpansionException)
        {
            return []; // an unmatched quote is the shell's matter, not ours
        }

        return [.. words.Select(word => Parse(word, escape)).OfType<Heredoc>()];
    }

    /// <summary>One word as a heredoc's opener, without content; null when it is something else.</summary>
    public static Heredoc? Parse(string word, char escape)
    {
        var digits = 0;
        while (digits < word.Length && char.IsAsciiDigit(word[digits]))
        {
            digits++;
        }

        if (!word.AsSpan(digits).StartsWith("<<"))
        {
            return null;
        }

        var rest = word[(digits + 2)..];
        var chomp = rest.StartsWith('-');
        rest = chomp ? rest[1..] : rest;
        if (rest.Length == 0 || rest.Contains('<') || (digits > 0 && !int.TryParse(word.AsSpan(0, digits), out _)))
        {
            return null;
        }

        var expander = new WordExpander(escape) { KeepUnset = true };
        var names = expander.ExpandToWords(rest, _ => null);
        return names.Count != 1 ? null
            : new Heredoc(names[0], digits == 0 ? 0 : int.Parse(word.AsSpan(0, digits)), Expand: names[0] == rest, chomp, "");
    }
}
