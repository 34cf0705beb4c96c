using System.Globalization;
using Sampan.Api;

namespace Sampan.Daemon.Options;

/// <summary>A mistake in flags or configuration: the daemon prints the message and exits with 1.</summary>
internal sealed class SettingsException(string message) : Exception(message);

/// <summary>Values by flag name, from the command line and the file.</summary>
internal sealed class Settings
{
    private readonly Dictionary<string, List<string>> _values = [];

    public bool Help { get; private set; }

    public bool ShowVersion { get; private set; }

    public IReadOnlyDictionary<string, List<string>> Values => _values;

    /// <summary>From the file alone.</summary>
    public BuildGcOptions BuildGc { get; set; } = new();

    public string? Text(string name) => _values.TryGetValue(name, out var list) ? list[^1] : null;

    public IReadOnlyList<string> List(string name) => _values.TryGetValue(name, out var list) ? list : [];

    public bool Boolean(string name, bool absent) => Text(name) is { } text ? ParseBoolean(name, text) : absent;

    public int Number(string name, int absent) => Text(name) is { } text ? ParseNumber(name, text) : absent;

    public void Add(Flag flag, string value)
    {
        switch (flag.Kind)
        {
            case FlagKind.Boolean:
                ParseBoolean(flag.Name, value);
                break;
            case FlagKind.Number:
                ParseNumber(flag.Name, value);
                break;
            case FlagKind.Map when !value.Contains('='):
                throw new SettingsException($"invalid argument \"{value}\" for \"--{flag.Name}\" flag: want key=value");
        }

        if (!_values.TryGetValue(flag.Name, out var list))
        {
            _values[flag.Name] = list = [];
        }

        list.Add(value);
    }

    /// <summary>Reads a command line as pflag does: <c>--name value</c>, <c>--name=value</c>, <c>-Hvalue</c>, <c>-DH value</c>.</summary>
    public static Settings Parse(IReadOnlyList<string> args)
    {
        var settings = new Settings();
        for (var i = 0; i < args.Count; i++)
        {
            var arg = args[i];
            string? Next() => i + 1 < args.Count ? args[++i] : null;
            if (arg.StartsWith("--", StringComparison.Ordinal) && arg.Length > 2)
            {
                settings.Long(arg[2..], Next);
            }
            else if (arg.Length > 1 && arg[0] == '-' && arg[1] != '-')
            {
                settings.Shorts(arg[1..], Next);
            }
            else
            {
                throw new SettingsException($"\"sampan daemon\" accepts no arguments, got \"{arg}\"");
            }
        }

        return settings;
    }

    private void Long(string text, Func<string?> next)
    {
        var equals = text.IndexOf('=');
        var (name, value) = equals < 0 ? (text, null) : (text[..equals], text[(equals + 1)..]);
        if (name is "help" or "version")
        {
            (Help, ShowVersion) = (Help || name == "help", ShowVersion || name == "version");
            return;
        }

        var flag = Flag.Find(name) ?? throw new SettingsException($"unknown flag: --{name}");
        value ??= flag.Kind == FlagKind.Boolean ? "true" : next() ?? throw new SettingsException($"flag needs an argument: --{name}");
        Add(flag, value);
    }

    private void Shorts(string letters, Func<string?> next)
    {
        for (var i = 0; i < letters.Length; i++)
        {
            if (letters[i] is 'h' or 'v')
            {
                (Help, ShowVersion) = (Help || letters[i] == 'h', ShowVersion || letters[i] == 'v');
                continue;
            }

            var flag = Flag.All.FirstOrDefault(f => f.Short == letters[i])
                ?? throw new SettingsException($"unknown shorthand flag: '{letters[i]}' in -{letters}");
            var rest = letters[(i + 1)..];
            if (flag.Kind == FlagKind.Boolean)
            {
                if (rest.StartsWith('='))
                {
                    Add(flag, rest[1..]);
                    return;
                }

                Add(flag, "true");
                continue;
            }

            var value = rest.Length > 0 ? rest.TrimStart('=') : next();
            Add(flag, value ?? throw new SettingsException($"flag needs an argument: '{letters[i]}' in -{letters}"));
            return;
        }
    }

    private static bool ParseBoolean(string name, string text) => text.ToLowerInvariant() switch
    {
        "1" or "t" or "true" => true,
        "0" or "f" or "false" => false,
        _ => throw new SettingsException($"invalid argument \"{text}\" for \"--{name}\" flag: want true or false"),
    };

    private static int ParseNumber(string name, string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n)
            ? n
            : throw new SettingsException($"invalid argument \"{text}\" for \"--{name}\" flag: not a number");
}
