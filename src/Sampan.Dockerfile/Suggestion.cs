namespace Sampan.Dockerfile;

/// <summary>Finds what was probably meant by a misspelt word.</summary>
public static class Suggestion
{
    /// <summary>" (did you mean X?)" for the nearest of the known words, or nothing when none is near.</summary>
    public static string For(string word, IEnumerable<string> known)
    {
        // Two edits are near for a word of five letters or more, one for a shorter one; a swap counts as one.
        var limit = word.Length <= 4 ? 1 : 2;
        var best = known.Select(k => (Word: k, Distance: Distance(word.ToUpperInvariant(), k.ToUpperInvariant(), limit)))
            .Where(c => c.Distance <= limit && c.Distance < c.Word.Length)
            .OrderBy(c => c.Distance).ThenBy(c => c.Word, StringComparer.Ordinal).FirstOrDefault();
        return best.Word is null ? "" : $" (did you mean {best.Word}?)";
    }

    private static int Distance(string a, string b, int limit)
    {
        if (Math.Abs(a.Length - b.Length) > limit)
        {
            return limit + 1;
        }

        var table = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    table[i, j] = i + j;
                    continue;
                }

                var change = a[i - 1] == b[j - 1] ? 0 : 1;
                table[i, j] = Math.Min(Math.Min(table[i - 1, j], table[i, j - 1]) + 1, table[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    table[i, j] = Math.Min(table[i, j], table[i - 2, j - 2] + 1);
                }
            }
        }

        return table[a.Length, b.Length];
    }
}
