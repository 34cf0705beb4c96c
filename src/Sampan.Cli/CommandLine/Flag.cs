namespace Sampan.Cli.CommandLine;

/// <summary>One flag of a command: how it is called, how its help line reads, and what it does with a value.</summary>
internal abstract class Flag(string name, char shorthand, string type, string usage)
{
    public string Name { get; } = name;

    /// <summary>The one-letter form, or NUL when there is none.</summary>
    public char Shorthand { get; } = shorthand;

    /// <summary>The word for the value in the help page; empty for switches.</summary>
    public string Type { get; } = type;

    public string Usage { get; } = usage;

    /// <summary>What the help page says in "(default …)", or null for nothing.</summary>
    public string? DefaultText { get; init; }

    public bool Hidden { get; set; }

    /// <summary>Set when the flag was named on the command line, also with its default.</summary>
    public bool Changed { get; private set; }

    /// <summary>The value of a flag that was named without one (<c>--rm</c>), or null when it needs one.</summary>
    public virtual string? ImpliedValue => null;

    public void Set(string value)
    {
        Apply(value);
        Changed = true;
    }

    /// <summary>The flag's name as messages print it: <c>-d, --detach</c>.</summary>
    public string Display => Shorthand == '\0' ? "--" + Name : $"-{Shorthand}, --{Name}";

    /// <exception cref="FlagValueException">The value cannot be taken.</exception>
    protected abstract void Apply(string value);
}

/// <summary>A flag with one value of a given type; the last one given counts.</summary>
internal sealed class ValueFlag<T>(string name, char shorthand, string type, string usage, T initial, Func<string, T> parse)
    : Flag(name, shorthand, type, usage)
{
    public T Value { get; set; } = initial;

    protected override void Apply(string value) => Value = parse(value);
}

/// <summary>A switch: present means true, <c>--flag=false</c> turns it off.</summary>
internal sealed class SwitchFlag(string name, char shorthand, string usage, bool initial)
    : Flag(name, shorthand, "", usage)
{
    public bool Value { get; private set; } = initial;

    public override string? ImpliedValue => "true";

    protected override void Apply(string value) => Value = FlagValues.Bool(value);

    public static implicit operator bool(SwitchFlag flag) => flag.Value;
}

/// <summary>A flag that may be repeated; every value is kept in order.</summary>
internal sealed class ListFlag(string name, char shorthand, string type, string usage, Func<string, string>? check, bool commas = false)
    : Flag(name, shorthand, type, usage)
{
    public List<string> Values { get; } = [];

    protected override void Apply(string value)
    {
        foreach (var one in commas ? value.Split(',') : [value])
        {
            Values.Add(check is null ? one : check(one));
        }
    }
}
