using Sampan.Cli.Formatting;

namespace Sampan.Cli.CommandLine;

/// <summary>The flags of one command, in the grammar of Go's pflag (which Docker's users type).</summary>
internal sealed class FlagSet
{
    private readonly List<Flag> _flags = [];

    public IReadOnlyList<Flag> All => _flags;

    public Flag Add(Flag flag)
    {
        _flags.Add(flag);
        return flag;
    }

    public SwitchFlag Switch(string name, char shorthand, string usage, bool initial = false)
        => (SwitchFlag)Add(new SwitchFlag(name, shorthand, usage, initial) { DefaultText = initial ? "true" : null });

    public SwitchFlag Switch(string name, string usage, bool initial = false) => Switch(name, '\0', usage, initial);

    public ValueFlag<string> Text(string name, char shorthand, string usage, string initial = "", string type = "string")
        => Value(name, shorthand, type, usage, initial, static v => v, initial.Length > 0 ? FlagValues.Quote(initial) : null);

    public ValueFlag<string> Text(string name, string usage, string initial = "", string type = "string")
        => Text(name, '\0', usage, initial, type);

    public ValueFlag<long> Int(string name, char shorthand, string usage, long initial = 0)
        => Value(name, shorthand, "int", usage, initial, FlagValues.Int,
            initial != 0 ? initial.ToString(System.Globalization.CultureInfo.InvariantCulture) : null);

    public ValueFlag<long> Int(string name, string usage, long initial = 0) => Int(name, '\0', usage, initial);

    /// <summary>A size such as <c>512m</c>, in bytes.</summary>
    public ValueFlag<long> Bytes(string name, char shorthand, string usage) => Value(name, shorthand, "bytes", usage, 0L, Units.ParseBytes);

    /// <summary>Such a size, with -1 for "unlimited".</summary>
    public ValueFlag<long> SwapBytes(string name, string usage)
        => Value(name, '\0', "bytes", usage, 0L, static v => v == "-1" ? -1 : Units.ParseBytes(v));

    /// <summary>A span such as <c>1m30s</c>, in nanoseconds.</summary>
    public ValueFlag<long> Duration(string name, string usage) => Value(name, '\0', "duration", usage, 0L, Durations.ParseFlag, "0s");

    public ListFlag List(string name, char shorthand, string usage, Func<string, string>? check = null, string type = "list",
        string? defaultText = null)
        => (ListFlag)Add(new ListFlag(name, shorthand, type, usage, check) { DefaultText = defaultText });

    public ListFlag List(string name, string usage, Func<string, string>? check = null, string type = "list", string? defaultText = null)
        => List(name, '\0', usage, check, type, defaultText);

    /// <summary>Takes several values in one word, separated by commas.</summary>
    public ListFlag Strings(string name, string usage) => (ListFlag)Add(new ListFlag(name, '\0', "strings", usage, null, commas: true));

    public ValueFlag<T> Value<T>(string name, char shorthand, string type, string usage, T initial, Func<string, T> parse,
        string? defaultText = null)
        => (ValueFlag<T>)Add(new ValueFlag<T>(name, shorthand, type, usage, initial, parse) { DefaultText = defaultText });

    /// <summary>Accepts a second name that the help page does not show (Docker's older spellings).</summary>
    public void HiddenAlias(Flag target, string name) => Add(new AliasFlag(target, name) { Hidden = true });

    /// <summary>Sets the flags that <paramref name="args"/> name and returns the other words.</summary>
    /// <param name="args">The words after the command.</param>
    /// <param name="interspersed">When false, everything from the first plain word on is left alone.</param>
    /// <exception cref="CliException">An unknown flag, or a value that is missing or refused (exit code 125).</exception>
    /// <exception cref="HelpRequestedException"><c>--help</c>.</exception>
    public List<string> Parse(IReadOnlyList<string> args, bool interspersed)
    {
        var words = new List<string>();
        for (var i = 0; i < args.Count;)
        {
            var word = args[i++];
            if (word == "--")
            {
                for (; i < args.Count; i++) words.Add(args[i]);
            }
            else if (word.Length < 2 || word[0] != '-')
            {
                words.Add(word);
                for (; !interspersed && i < args.Count; i++) words.Add(args[i]);
            }
            else if (word[1] == '-')
            {
                ParseLong(word, args, ref i);
            }
            else
            {
                ParseShort(word, args, ref i);
            }
        }

        return words;
    }

    private void ParseLong(string word, IReadOnlyList<string> args, ref int next)
    {
        if (word[2] is '-' or '=') throw Error($"bad flag syntax: {word}");
        var equals = word.IndexOf('=');
        var name = equals < 0 ? word[2..] : word[2..equals];
        var flag = Find(name);
        if (flag is null)
        {
            if (name == "help" && (equals < 0 || word[(equals + 1)..] != "false")) throw new HelpRequestedException(deprecatedShorthand: false);
            if (name == "help") return;
            throw Error($"unknown flag: --{name}");
        }

        if (equals >= 0) Set(flag, word[(equals + 1)..]);
        else if (flag.ImpliedValue is { } implied) Set(flag, implied);
        else if (next < args.Count) Set(flag, args[next++]);
        else throw Error($"flag needs an argument: {word}");
    }

    private void ParseShort(string word, IReadOnlyList<string> args, ref int next)
    {
        for (var rest = word[1..]; rest.Length > 0;)
        {
            var flag = FindShorthand(rest[0]);
            if (flag is null)
            {
                if (rest[0] == 'h') throw new HelpRequestedException(deprecatedShorthand: true);
                throw Error($"unknown shorthand flag: {QuoteRune(rest[0])} in -{rest}");
            }

            if (rest.Length > 2 && rest[1] == '=')
            {
                Set(flag, rest[2..]);
                return;
            }

            if (flag.ImpliedValue is { } implied)
            {
                Set(flag, implied);
                rest = rest[1..];
                continue;
            }

            if (rest.Length > 1) Set(flag, rest[1..]);
            else if (next < args.Count) Set(flag, args[next++]);
            else throw Error($"flag needs an argument: {QuoteRune(rest[0])} in -{rest}");
            return;
        }
    }

    private static void Set(Flag flag, string value)
    {
        try
        {
            flag.Set(value);
        }
        catch (FlagValueException e)
        {
            throw Error($"invalid argument {FlagValues.Quote(value)} for {FlagValues.Quote(flag.Display)} flag: {e.Message}");
        }
    }

    private Flag? Find(string name)
    {
        foreach (var flag in _flags)
        {
            if (flag.Name == name) return flag;
        }

        return null;
    }

    private Flag? FindShorthand(char c)
    {
        foreach (var flag in _flags)
        {
            if (flag.Shorthand == c && c != '\0') return flag;
        }

        return null;
    }

    private static string QuoteRune(char c) => c == '\'' ? @"'\''" : $"'{c}'";

    private static UsageException Error(string message) => new(message, 125);

    private sealed class AliasFlag(Flag target, string name) : Flag(name, '\0', target.Type, target.Usage)
    {
        public override string? ImpliedValue => target.ImpliedValue;

        protected override void Apply(string value) => target.Set(value);
    }
}
