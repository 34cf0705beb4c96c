namespace Sampan.Cli.CommandLine;

/// <summary>How many plain words a command takes.</summary>
/// <param name="Min">At least so many.</param>
/// <param name="Max">At most so many; null for any number.</param>
internal readonly record struct Arity(int Min, int? Max)
{
    public static readonly Arity None = new(0, 0);
    public static readonly Arity Any = new(0, null);

    public static Arity Exactly(int n) => new(n, n);

    public static Arity AtLeast(int n) => new(n, null);

    public static Arity AtMost(int n) => new(0, n);

    public static Arity Range(int min, int max) => new(min, max);

    /// <summary>What is wrong with <paramref name="count"/> words for "sampan x", or null.</summary>
    public string? Complaint(string path, int count)
    {
        if (count >= Min && (Max is null || count <= Max)) return null;
        return this switch
        {
            (0, 0) => $"'{path}' accepts no arguments",
            (var min, null) => $"'{path}' requires at least {Words(min)}",
            (0, { } max) => $"'{path}' requires at most {Words(max)}",
            (var min, { } max) when min == max => $"'{path}' requires {Words(min)}",
            (var min, { } max) => $"'{path}' requires at least {min} and at most {Words(max)}",
        };
    }

    private static string Words(int n) => n == 1 ? "1 argument" : $"{n} arguments";
}

/// <summary>Runs a command whose flags are parsed; returns the exit code.</summary>
internal delegate int CommandBody(ClientContext context, List<string> args);

/// <summary>Declares the flags of a command and returns what runs it.</summary>
internal delegate CommandBody CommandSetup(FlagSet flags);

/// <summary>A node of the command tree. Flags and children are made only when somebody asks for them, to start fast.</summary>
internal sealed class Command
{
    public required string Name { get; init; }

    public required string Summary { get; init; }

    /// <summary>What follows the name in the usage line: <c>[OPTIONS] IMAGE [COMMAND] [ARG...]</c>.</summary>
    public string Synopsis { get; init; } = "";

    /// <summary>A second usage line.</summary>
    public string? SecondSynopsis { get; init; }

    /// <summary>Further paragraphs of the help page.</summary>
    public string? Details { get; init; }

    /// <summary>Other names under the same parent.</summary>
    public string[] Aliases { get; init; } = [];

    /// <summary>All ways to say the command, for the help page.</summary>
    public string[] Spellings { get; init; } = [];

    public Arity Arity { get; init; } = Arity.Any;

    /// <summary>False when the words after the first plain one belong to another program.</summary>
    public bool Interspersed { get; init; } = true;

    /// <summary>Wraps failures as run and create do: prefixed, with a hint at the help, exit code 125.</summary>
    public bool RunLike { get; init; }

    public bool Hidden { get; init; }

    /// <summary>The heading in the top help page.</summary>
    public string Group { get; init; } = "Commands";

    public CommandSetup? Setup { get; init; }

    public Func<Command[]>? Children { get; init; }
}
