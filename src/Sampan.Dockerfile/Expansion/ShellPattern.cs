using System.Text;

namespace Sampan.Dockerfile.Expansion;

/// <summary>The patterns of <c>${name#pattern}</c> and its kin: <c>*</c> any text, <c>?</c> any character, <c>\</c> takes the next literally.</summary>
internal static class ShellPattern
{
    /// <summary>Removes the shortest (or longest) match at the start.</summary>
    public static string TrimStart(string value, string pattern, bool longest)
    {
        var ends = MatchEnds(value, 0, Compile(pattern));
        return ends.Count == 0 ? value : value[(longest ? ends[^1] : ends[0])..];
    }

    /// <summary>Removes the shortest (or longest) match at the end.</summary>
    public static string TrimEnd(string value, string pattern, bool longest)
    {
        var tokens = Compile(pattern);
        for (var i = 0; i <= value.Length; i++)
        {
            var start = longest ? i : value.Length - i;
            if (MatchEnds(value, start, tokens) is [.., var last] && last == value.Length)
            {
                return value[..start];
            }
        }

        return value;
    }

    /// <summary>Replaces the first match, or all; each match is the longest at its place.</summary>
    public static string Replace(string value, string pattern, string replacement, bool all)
    {
        var tokens = Compile(pattern);
        var result = new StringBuilder();
        for (var i = 0; i < value.Length;)
        {
            if (MatchEnds(value, i, tokens) is [.., var end] && end > i)
            {
                result.Append(replacement);
                i = end;
                if (!all)
                {
                    return result.Append(value, i, value.Length - i).ToString();
                }
            }
            else
            {
                result.Append(value[i++]);
            }
        }

        return result.ToString();
    }

    private static List<(char Kind, char Value)> Compile(string pattern)
    {
        List<(char, char)> tokens = [];
        for (var i = 0; i < pattern.Length; i++)
        {
            var c = pattern[i];
            tokens.Add(c switch
            {
                '*' or '?' => (c, '\0'),
                '\\' when i + 1 < pattern.Length => ('=', pattern[++i]),
                _ => ('=', c),
            });
        }

        return tokens;
    }

    /// <summary>All ends of matches that begin at a place, ascending. Runs all alternatives side by side, so no pattern is slow.</summary>
    private static List<int> MatchEnds(string value, int start, List<(char Kind, char Value)> tokens)
    {
        List<int> ends = [];
        var states = new bool[tokens.Count + 1];
        states[0] = true;
        for (var i = start; ; i++)
        {
            for (var s = 0; s < tokens.Count; s++)
            {
                states[s + 1] |= states[s] && tokens[s].Kind == '*';
            }

            if (states[^1])
            {
                ends.Add(i);
            }

            if (i == value.Length)
            {
                return ends;
            }

            var any = false;
            for (var s = tokens.Count; s >= 0; s--)
            {
                var stays = s < tokens.Count && states[s] && tokens[s].Kind == '*';
                var comes = s > 0 && states[s - 1] && (tokens[s - 1].Kind == '?' || (tokens[s - 1].Kind == '=' && tokens[s - 1].Value == value[i]));
                states[s] = stays || comes;
                any |= states[s];
            }

            if (!any)
            {
                return ends;
            }
        }
    }
}
