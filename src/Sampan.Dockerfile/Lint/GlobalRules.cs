using Sampan.Dockerfile.Expansion;
using Sampan.Dockerfile.Instructions;

namespace Sampan.Dockerfile.Lint;

/// <summary>The arguments before the first FROM, with their defaults and with what the build gives.</summary>
internal sealed class GlobalRules
{
    private readonly DockerfileModel _model;
    private readonly Dictionary<string, string> _defaults = PlatformArgs();
    private readonly Dictionary<string, string> _values = PlatformArgs();

    public GlobalRules(DockerfileModel model, LintInput input, Linter linter)
    {
        _model = model;
        Input = input;
        foreach (var instruction in model.GlobalArgs)
        {
            foreach (var arg in instruction.Args)
            {
                VariableRules.Secret(linter, instruction, arg.Name);
                Names.Add(arg.Name);
                Declare(_defaults, instruction, arg, null);
                Declare(_values, instruction, arg, input.BuildArgs.GetValueOrDefault(arg.Name));
            }
        }
    }

    public LintInput Input { get; }

    public IReadOnlyList<Stage> Stages => _model.Stages;

    /// <summary>What FROM may use.</summary>
    public HashSet<string> Names { get; } = [.. PlatformArgs().Keys];

    public string WithDefaults(Instruction instruction, string word) => Expand(instruction, word, _defaults);

    public string WithValues(Instruction instruction, string word) => Expand(instruction, word, _values);

    /// <summary>Names in a word that nothing declares.</summary>
    public IReadOnlyList<string> Missing(Instruction instruction, string word)
    {
        List<string> missing = [];
        VariableRules.Guard(_model, instruction, word, () => new WordExpander(_model.Document.Directives.Escape) { OnUnset = missing.Add }
            .Expand(word, name => Names.Contains(name) ? "x" : null));
        return [.. missing.Distinct()];
    }

    /// <summary>Values of the automatic arguments; of no consequence but that they are valid parts of names.</summary>
    private static Dictionary<string, string> PlatformArgs()
    {
        var args = new Dictionary<string, string> { ["TARGETSTAGE"] = "default" };
        foreach (var prefix in (string[])["TARGET", "BUILD"])
        {
            (args[prefix + "PLATFORM"], args[prefix + "OS"], args[prefix + "ARCH"], args[prefix + "VARIANT"]) = ("linux/amd64", "linux", "amd64", "");
        }

        return args;
    }

    private void Declare(Dictionary<string, string> values, ArgInstruction instruction, NameValue arg, string? given)
    {
        if ((given ?? (arg.Value is null ? null : Expand(instruction, arg.Value, values))) is { } value)
        {
            values[arg.Name] = value;
        }
    }

    private string Expand(Instruction instruction, string word, Dictionary<string, string> values) => VariableRules.Guard(
        _model, instruction, word, () => new WordExpander(_model.Document.Directives.Escape).Expand(word, name => values.GetValueOrDefault(name)));
}
