namespace Sampan.Cli.Formatting;

/// <summary>
/// The order of Docker's lists of names: by characters, digits before all others, and numbers by their value, so that <c>net2</c> comes before
/// <c>net10</c>.
/// </summary>
internal sealed class NaturalOrder : IComparer<string>
{
    public static NaturalOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        var a = x.AsSpan();
        var b = y.AsSpan();
        while (a.Length > 0 && b.Length > 0)
        {
            var (isNumber, isOther) = (char.IsAsciiDigit(a[0]), char.IsAsciiDigit(b[0]));
            var order = isNumber != isOther ? isOther.CompareTo(isNumber) : isNumber ? CompareNumbers(ref a, ref b) : a[0].CompareTo(b[0]);
            if (order != 0) return order;
            if (isNumber) continue;
            a = a[1..];
            b = b[1..];
        }

        return a.Length.CompareTo(b.Length);
    }

    /// <summary>Numbers of any length; of equal ones the one with fewer zeros in front is less.</summary>
    private static int CompareNumbers(ref ReadOnlySpan<char> a, ref ReadOnlySpan<char> b)
    {
        var x = Take(ref a, out var zerosOfA);
        var y = Take(ref b, out var zerosOfB);
        var order = x.Length != y.Length ? x.Length.CompareTo(y.Length) : x.SequenceCompareTo(y);
        return order != 0 ? order : zerosOfA.CompareTo(zerosOfB);
    }

    private static ReadOnlySpan<char> Take(ref ReadOnlySpan<char> text, out int zeros)
    {
        var end = text.IndexOfAnyExceptInRange('0', '9');
        var number = end < 0 ? text : text[..end];
        text = text[number.Length..];
        var digits = number.TrimStart('0');
        zeros = number.Length - digits.Length;
        return digits;
    }
}
