using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Streams;

/// <summary>Finds the key sequence that detaches (<c>ctrl-p,ctrl-q</c>) in what is typed, holding back a beginning of it until it is known.</summary>
internal sealed class DetachKeys(byte[] sequence)
{
    private int _matched;

    public static readonly byte[] Default = [16, 17];

    /// <summary>Reads <c>ctrl-a</c>, <c>ctrl-@</c>, single letters, joined by commas.</summary>
    public static byte[] Parse(string text)
    {
        if (text.Length == 0) return Default;
        var keys = new List<byte>();
        foreach (var key in text.Split(','))
        {
            if (key.Length == 1 && char.IsAscii(key[0])) keys.Add((byte)key[0]);
            else if (key.StartsWith("ctrl-", StringComparison.Ordinal) && key.Length == 6 && Control(key[5]) is { } code) keys.Add(code);
            else throw new CliException($"invalid detach keys ({text}): unknown character: '{key}'");
        }

        return [.. keys];
    }

    /// <summary>Passes typed bytes on to <paramref name="output"/>; true when the sequence was completed.</summary>
    public bool Feed(ReadOnlySpan<byte> typed, List<byte> output)
    {
        foreach (var key in typed)
        {
            if (key == sequence[_matched])
            {
                if (++_matched == sequence.Length) return true;
                continue;
            }

            // Not the sequence after all: what was held back goes first. The key itself may begin it anew.
            output.AddRange(sequence.AsSpan(0, _matched));
            _matched = key == sequence[0] ? 1 : 0;
            if (_matched == 0) output.Add(key);
            else if (sequence.Length == 1) return true;
        }

        return false;
    }

    private static byte? Control(char c) => c switch
    {
        >= 'a' and <= 'z' => (byte)(c - 'a' + 1),
        '@' => 0,
        '[' => 27,
        '\\' => 28,
        ']' => 29,
        '^' => 30,
        '_' => 31,
        _ => null,
    };
}
