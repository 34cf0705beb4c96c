namespace Sampan.Build.Files;

/// <summary>What <c>--chmod</c> asks for: an octal number, or chmod(1)'s symbols.</summary>
internal sealed class ModeChange
{
    private const uint AllBits = 0xFFF, SetUid = 0x800, SetGid = 0x400, Sticky = 0x200;
    private readonly uint? _octal;
    private readonly List<(uint Who, List<(char Operator, string Permissions)> Actions)> _clauses = [];

    private ModeChange(uint? octal) => _octal = octal;

    /// <summary>Reads a mode.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static ModeChange Parse(string text)
    {
        if (text.Length is > 0 and <= 5 && text.All(c => c is >= '0' and <= '7'))
        {
            var octal = Convert.ToUInt32(text, 8);
            return octal <= AllBits ? new(octal) : throw Bad(text);
        }

        var change = new ModeChange(null);
        foreach (var clause in text.Split(','))
        {
            var position = 0;
            uint who = 0;
            for (; position < clause.Length && "ugoa".Contains(clause[position]); position++)
            {
                who |= clause[position] switch { 'u' => 4u, 'g' => 2u, 'o' => 1u, _ => 7u };
            }

            List<(char, string)> actions = [];
            while (position < clause.Length && clause[position] is '+' or '-' or '=')
            {
                var start = position + 1;
                var end = start;
                while (end < clause.Length && "rwxXstugo".Contains(clause[end]))
                {
                    end++;
                }

                actions.Add((clause[position], clause[start..end]));
                position = end;
            }

            if (actions.Count == 0 || position < clause.Length)
            {
                throw Bad(text);
            }

            change._clauses.Add((who == 0 ? 7u : who, actions));
        }

        return change;
    }

    /// <summary>The permission bits after the change.</summary>
    public uint Apply(uint mode, bool isDirectory)
    {
        if (_octal is { } octal)
        {
            return octal;
        }

        foreach (var (who, actions) in _clauses)
        {
            foreach (var (sign, permissions) in actions)
            {
                var bits = Bits(who, permissions, mode, isDirectory);
                mode = sign switch
                {
                    '+' => mode | bits,
                    '-' => mode & ~bits,
                    _ => (mode & ~Mask(who)) | bits,
                };
            }
        }

        return mode & AllBits;
    }

    private static uint Bits(uint who, string permissions, uint mode, bool isDirectory)
    {
        uint low = 0, special = 0;
        foreach (var c in permissions)
        {
            low |= c switch
            {
                'r' => 4u,
                'w' => 2u,
                'x' => 1u,
                'X' when isDirectory || (mode & 0x49) != 0 => 1u,
                'u' => (mode >> 6) & 7,
                'g' => (mode >> 3) & 7,
                'o' => mode & 7,
                _ => 0u,
            };
            special |= c switch
            {
                's' => ((who & 4) != 0 ? SetUid : 0) | ((who & 2) != 0 ? SetGid : 0),
                't' => Sticky,
                _ => 0u,
            };
        }

        return special | ((who & 4) != 0 ? low << 6 : 0) | ((who & 2) != 0 ? low << 3 : 0) | ((who & 1) != 0 ? low : 0);
    }

    private static uint Mask(uint who) => ((who & 4) != 0 ? 0x1C0u | SetUid : 0) | ((who & 2) != 0 ? 0x38u | SetGid : 0) | ((who & 1) != 0 ? 7u | Sticky : 0);

    private static FormatException Bad(string text) => new($"invalid chmod parameter: '{text}' is neither an octal number up to 7777 nor a symbolic mode");
}
