using Sampan.Dockerfile.Parsing;

namespace Sampan.Dockerfile.Lint;

/// <summary>Looks through a Dockerfile for what works but is probably not meant. Pure; the rules are <see cref="LintRule.All"/>.</summary>
public sealed class Linter
{
    private readonly LintSwitches _switches;
    private readonly List<DockerfileWarning> _warnings = [];

    private Linter(LintSwitches switches) => _switches = switches;

    /// <summary>Checks all stages, also those that a target leaves out.</summary>
    /// <exception cref="DockerfileException">The check directive is malformed, or a variable cannot be expanded.</exception>
    public static LintReport Check(DockerfileModel model, LintInput input)
    {
        var linter = new Linter(LintSwitches.Of(model, input.BuildArgs));
        foreach (var warning in model.Document.Warnings)
        {
            linter.Warn(LintRule.Find(warning.Rule)!, warning.Message, warning.Lines);
        }

        linter.Casing(model.Document.Nodes);
        DescriptionRules.Check(model, linter);
        var globals = new GlobalRules(model, input, linter);
        var scopes = new List<VariableScope>();
        foreach (var stage in model.Stages)
        {
            var start = new StageRules(globals, stage, linter).Check(scopes);
            scopes.Add(new InstructionRules(model, input, start, linter).Check(stage));
        }

        return new([.. linter._warnings.OrderBy(w => w.Lines.Start)], linter._switches.IsError);
    }

    internal void Warn(LintRule rule, string message, LineRange lines)
    {
        if (_switches.Has(rule))
        {
            _warnings.Add(new(rule.Name, message, lines));
        }
    }

    internal void Warn(LintRule rule, string message, Node node) => Warn(rule, message, node.Lines);

    private void Casing(IReadOnlyList<Node> nodes)
    {
        var lower = nodes.Count(n => n.Name == n.Name.ToLowerInvariant());
        var upper = nodes.Count(n => n.Name == n.Name.ToUpperInvariant());
        var isLower = lower > upper;
        foreach (var node in nodes.Where(n => n.Name != (isLower ? n.Name.ToLowerInvariant() : n.Name.ToUpperInvariant())))
        {
            var majority = isLower ? "lowercase" : "uppercase";
            Warn(LintRule.ConsistentInstructionCasing, $"Command '{node.Name}' should match the case of the command majority ({majority})", node);
        }
    }
}
