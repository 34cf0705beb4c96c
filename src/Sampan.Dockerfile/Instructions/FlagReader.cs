using Sampan.Dockerfile.Parsing;

namespace Sampan.Dockerfile.Instructions;

/// <summary>An instruction's <c>--flags</c>, checked against those it knows. Throws <see cref="FormatException"/>.</summary>
internal sealed class FlagReader
{
    private readonly Dictionary<string, List<string>> _values = [];

    /// <param name="node">The instruction.</param>
    /// <param name="known">Its flags: plain ones take a value; <c>name?</c> may stand alone; <c>name*</c> may be repeated.</param>
    public FlagReader(Node node, params string[] known)
    {
        foreach (var flag in node.Flags)
        {
            var equals = flag.IndexOf('=');
            var name = (equals < 0 ? flag : flag[..equals])[2..];
            var form = known.FirstOrDefault(k => k.TrimEnd('?', '*') == name)
                ?? throw new FormatException($"unknown flag: --{name}{Suggest(name, known)}");
            if (equals < 0 && !form.EndsWith('?'))
            {
                throw new FormatException($"missing a value on flag: --{name}");
            }

            if (!_values.TryGetValue(name, out var values))
            {
                _values[name] = values = [];
            }
            else if (!form.EndsWith('*'))
            {
                throw new FormatException($"duplicate flag specified: --{name}");
            }

            values.Add(equals < 0 ? "true" : flag[(equals + 1)..]);
        }
    }

    public string? Text(string name) => _values.TryGetValue(name, out var values) ? values[0] : null;

    public IReadOnlyList<string> Texts(string name) => _values.TryGetValue(name, out var values) ? values : [];

    public bool? Switch(string name) => Text(name) switch
    {
        null => null,
        "true" => true,
        "false" => false,
        var other => throw new FormatException($"expecting boolean value for flag --{name}, not '{other}'"),
    };

    private static string Suggest(string name, string[] known) =>
        Suggestion.For("--" + name, known.Select(k => "--" + k.TrimEnd('?', '*')));
}
