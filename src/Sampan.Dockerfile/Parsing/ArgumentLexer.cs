using System.Text;

namespace Sampan.Dockerfile.Parsing;

/// <summary>Cuts the text after an instruction's name into words. Throws <see cref="FormatException"/> with the reason.</summary>
internal static class ArgumentLexer
{
    private static readonly char[] Blank = [' ', '\t', '\v', '\f', '\r'];

    /// <summary>Cuts off the first word; both parts come without blanks around.</summary>
    public static (string Head, string Tail) SplitFirst(string text)
    {
        text = text.Trim();
        var end = text.IndexOfAny(Blank);
        return end < 0 ? (text, "") : (text[..end], text[end..].Trim());
    }

    /// <summary>Words between blanks, without regard to quotes.</summary>
    public static IReadOnlyList<string> Fields(string text) =>
        text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Takes the leading <c>--flags</c> off; <c>--</c> ends them. Quotes and backslashes work within a flag and are removed.</summary>
    public static (IReadOnlyList<string> Flags, string Tail) TakeFlags(string text)
    {
        List<string> flags = [];
        var position = 0;
        while (true)
        {
            while (position < text.Length && char.IsWhiteSpace(text[position]))
            {
                position++;
            }

            if (!text.AsSpan(position).StartsWith("--"))
            {
                return (flags, text[position..]);
            }

            var word = TakeFlag(text, ref position);
            if (word == "--")
            {
                return (flags, text[position..].TrimStart());
            }

            flags.Add(word);
        }
    }

    private static string TakeFlag(string text, ref int position)
    {
        var word = new StringBuilder();
        var quote = '\0';
        for (; position < text.Length; position++)
        {
            var c = text[position];
            if (quote == '\0' && char.IsWhiteSpace(c))
            {
                break;
            }

            if (c == '\\')
            {
                if (position + 1 < text.Length)
                {
                    word.Append(text[++position]);
                }
            }
            else if (quote == '\0' && c is '\'' or '"')
            {
                quote = c;
            }
            else if (quote != '\0' && c == quote)
            {
                quote = '\0';
            }
            else
            {
                word.Append(c);
            }
        }

        return word.ToString();
    }

    /// <summary>Words between blanks where quotes and escapes hold blanks together; both stay in the word as written.</summary>
    public static IReadOnlyList<string> QuotedWords(string text, char escape)
    {
        List<string> words = [];
        var word = new StringBuilder();
        var quote = '\0';
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == escape && quote != '\'')
            {
                if (i + 1 < text.Length)
                {
                    word.Append(c).Append(text[++i]); // an escape at the very end is dropped
                }

                continue;
            }

            if (quote != '\0')
            {
                quote = c == quote ? '\0' : quote;
            }
            else if (c is '\'' or '"')
            {
                quote = c;
            }
            else if (char.IsWhiteSpace(c))
            {
                Flush();
                continue;
            }

            word.Append(c);
        }

        Flush();
        return words;

        void Flush()
        {
            if (word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }
        }
    }

    /// <summary>ENV's and LABEL's pairs, three words each: name, value, separator.</summary>
    public static IReadOnlyList<string> Pairs(string text, string keyword, char escape)
    {
        var words = QuotedWords(text, escape);
        if (words.Count == 0)
        {
            return [];
        }

        if (!words[0].Contains('='))
        {
            var (name, value) = SplitFirst(text); // the old form: ENV name all the rest
            return value.Length > 0 ? [name, value, ""]
                : throw new FormatException($"{keyword.ToUpperInvariant()} must have two arguments");
        }

        return [.. words.SelectMany(word =>
        {
            var equals = word.IndexOf('=');
            return equals >= 0 ? (string[])[word[..equals], word[(equals + 1)..], "="]
                : throw new FormatException($"can't find = in '{word}', must be of the form name=value");
        })];
    }
}
