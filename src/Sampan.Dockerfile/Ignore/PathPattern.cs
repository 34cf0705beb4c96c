namespace Sampan.Dockerfile.Ignore;

/// <summary>
/// A pattern for slash-separated paths: <c>*</c> and <c>?</c> stay within a name, <c>[a-z]</c> and <c>[^a]</c> are classes, <c>\</c> escapes,
/// and where allowed <c>**</c> crosses names. Matching follows all alternatives at once: its cost is length times length.
/// </summary>
public sealed class PathPattern
{
    private const int StackStates = 256;

    private readonly Token[] _tokens;
    private readonly string _prefix; // what every match begins with

    private PathPattern(string text, List<Token> tokens)
    {
        Text = text;
        _tokens = [.. tokens];
        _prefix = string.Concat(tokens.TakeWhile(token => token.Kind == Kind.Literal).Select(token => token.Value));
    }

    private enum Kind
    {
        Literal,
        One,
        Star,
        Maybe,      // the next token may be left out
        StarsSlash, // anything up to a slash
        StarsEnd,   // the rest
        Class,
    }

    public string Text { get; }

    /// <summary>True when the text has characters that make it more than a name.</summary>
    public static bool HasWildcards(string text) => text.AsSpan().ContainsAny('*', '?', '[');

    /// <summary>A pattern for one level at a time, as COPY's sources are (<c>**</c> is no more than <c>*</c>).</summary>
    /// <exception cref="FormatException">A class is open or empty, or an escape ends the pattern.</exception>
    public static PathPattern ParseSource(string text) => new(text, Compile(text, acrossNames: false));

    /// <summary>A pattern of an ignore file.</summary>
    /// <inheritdoc cref="ParseSource"/>
    public static PathPattern ParseIgnore(string text) => new(text, Compile(text, acrossNames: true));

    /// <summary>True when the whole path fits.</summary>
    public bool IsMatch(string path)
    {
        if (!path.StartsWith(_prefix, StringComparison.Ordinal) || _prefix.Length == _tokens.Length)
        {
            return path == _prefix && _prefix.Length == _tokens.Length;
        }

        Span<bool> states = _tokens.Length < StackStates ? stackalloc bool[StackStates] : new bool[_tokens.Length + 1];
        return Run(path.AsSpan(_prefix.Length), states, _prefix.Length) && states[_tokens.Length];
    }

    /// <summary>True when something below a directory may fit.</summary>
    public bool MayMatchBelow(string directory)
    {
        Span<bool> states = _tokens.Length < StackStates ? stackalloc bool[StackStates] : new bool[_tokens.Length + 1];
        return Run(directory + "/", states, 0) && states[.._tokens.Length].Contains(true);
    }

    /// <summary>Follows a path from one state, all alternatives at once; false when none is left before its end.</summary>
    private bool Run(ReadOnlySpan<char> path, Span<bool> states, int start)
    {
        states.Clear();
        states[start] = true;
        var (low, high) = (start, start); // no state outside is on
        foreach (var c in path)
        {
            high = PassOver(states, low, high);
            (low, high) = Advance(states, low, high, c);
            if (low > high)
            {
                return false;
            }
        }

        PassOver(states, low, high);
        return true;
    }

    /// <summary>Switches on what is reached without a character; gives the highest state that is on.</summary>
    private int PassOver(Span<bool> states, int low, int high)
    {
        for (var s = low; s <= high && s < _tokens.Length; s++)
        {
            if (states[s] && _tokens[s].Kind is (Kind.Star or Kind.StarsEnd or Kind.Maybe))
            {
                var next = s + (_tokens[s].Kind == Kind.Maybe ? 2 : 1);
                states[s + 1] = true;
                states[next] = true;
                high = Math.Max(high, next);
            }
        }

        return high;
    }

    private (int Low, int High) Advance(Span<bool> states, int low, int high, char c)
    {
        var (newLow, newHigh) = (int.MaxValue, -1);
        for (var s = Math.Min(high + 1, _tokens.Length); s >= low; s--)
        {
            var on = s > low && states[s - 1] && _tokens[s - 1].Takes(c);
            if (!on && s < _tokens.Length && states[s])
            {
                on = _tokens[s].Kind switch
                {
                    Kind.Star => c != '/',
                    Kind.StarsEnd or Kind.StarsSlash => true,
                    _ => false,
                };
            }

            states[s] = on;
            if (on)
            {
                newLow = s;
                newHigh = Math.Max(newHigh, s);
            }
        }

        return (newLow, newHigh);
    }

    private static List<Token> Compile(string text, bool acrossNames)
    {
        List<Token> tokens = [];
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '*' when acrossNames && i + 1 < text.Length && text[i + 1] == '*':
                    i++;
                    if (i + 1 < text.Length && text[i + 1] == '/')
                    {
                        i++;
                    }

                    // Docker's reading: "**" at the end is anything, elsewhere any number of whole directories.
                    tokens.AddRange(i + 1 == text.Length ? [new(Kind.StarsEnd)] : [new(Kind.Maybe), new(Kind.StarsSlash)]);
                    break;
                case '*':
                    tokens.Add(new(Kind.Star));
                    break;
                case '?':
                    tokens.Add(new(Kind.One));
                    break;
                case '[':
                    tokens.Add(Class(text, ref i));
                    break;
                case '\\':
                    tokens.Add(++i < text.Length ? new(Kind.Literal, text[i]) : throw Bad(text));
                    break;
                default:
                    tokens.Add(new(Kind.Literal, text[i]));
                    break;
            }
        }

        return tokens;
    }

    private static Token Class(string text, ref int i)
    {
        List<(char, char)> ranges = [];
        var negated = i + 1 < text.Length && text[i + 1] == '^';
        i += negated ? 2 : 1;
        while (i < text.Length && (text[i] != ']' || ranges.Count == 0))
        {
            var low = Member(text, ref i);
            var high = low;
            if (i < text.Length && text[i] == '-')
            {
                i++;
                high = Member(text, ref i);
            }

            ranges.Add((low, high));
        }

        return i < text.Length ? new(Kind.Class, Ranges: [.. ranges], Negated: negated) : throw Bad(text);
    }

    private static char Member(string text, ref int i)
    {
        if (i < text.Length && text[i] == '\\')
        {
            i++;
        }
        else if (i >= text.Length || text[i] is '-' or ']')
        {
            throw Bad(text);
        }

        return i < text.Length ? text[i++] : throw Bad(text);
    }

    private static FormatException Bad(string text) => new($"syntax error in pattern '{text}'");

    private readonly record struct Token(Kind Kind, char Value = '\0', (char Low, char High)[]? Ranges = null, bool Negated = false)
    {
        /// <summary>True when this token may end with a character.</summary>
        public bool Takes(char c) => Kind switch
        {
            Kind.Literal => c == Value,
            Kind.One => c != '/',
            Kind.StarsSlash => c == '/',
            Kind.Class => c != '/' && Ranges!.Any(r => c >= r.Low && c <= r.High) != Negated,
            _ => false,
        };
    }
}
