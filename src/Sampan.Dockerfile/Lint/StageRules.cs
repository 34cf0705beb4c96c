using Sampan.Dockerfile.Instructions;

namespace Sampan.Dockerfile.Lint;

/// <summary>What is to be said about a FROM.</summary>
internal sealed class StageRules(GlobalRules globals, Stage stage, Linter linter)
{
    private static readonly string[] Reserved = ["scratch", "context"];
    private readonly FromInstruction _from = stage.From;

    /// <summary>Checks FROM; gives what the stage begins with.</summary>
    /// <param name="earlier">How the stages before it ended.</param>
    public VariableScope Check(IReadOnlyList<VariableScope> earlier)
    {
        Names();
        Platform();
        Arguments();
        return Start(earlier);
    }

    private void Names()
    {
        if (stage.Name is null)
        {
            return;
        }

        var words = _from.Node.Arguments;
        if (words[2] != stage.Name)
        {
            linter.Warn(LintRule.StageNameCasing, $"Stage name '{words[2]}' should be lowercase", _from.Node);
        }

        if (IsUpper(words[1]) != IsUpper(_from.Node.Name) || IsLower(words[1]) != IsLower(_from.Node.Name))
        {
            linter.Warn(LintRule.FromAsCasing, $"'{words[1]}' and '{_from.Node.Name}' keywords' casing do not match", _from.Node);
        }

        if (globals.Stages.Take(stage.Index).Any(s => s.Name == stage.Name))
        {
            linter.Warn(LintRule.DuplicateStageName, $"Duplicate stage name '{words[2]}', stage names should be unique", _from.Node);
        }

        if (Reserved.Contains(stage.Name))
        {
            linter.Warn(LintRule.ReservedStageName, $"'{words[2]}' is reserved and should not be used as a stage name", _from.Node);
        }
    }

    private void Platform()
    {
        if (_from.Platform is not { } platform)
        {
            return;
        }

        if (platform is "$TARGETPLATFORM" or "${TARGETPLATFORM}")
        {
            linter.Warn(LintRule.RedundantTargetPlatform, $"Setting platform to predefined {platform} in FROM is redundant as this is the default behavior", _from.Node);
        }

        // A stage called build_arm64 is meant for that platform alone.
        if (!platform.Contains('$') && !platform.Split('/').Any(part => part.Length > 0 && stage.Name?.Contains(part, StringComparison.OrdinalIgnoreCase) == true))
        {
            linter.Warn(LintRule.FromPlatformFlagConstDisallowed, $"FROM --platform flag should not use constant value \"{platform}\"", _from.Node);
        }
    }

    private void Arguments()
    {
        var missing = globals.Missing(_from, _from.Image).Concat(_from.Platform is null ? [] : globals.Missing(_from, _from.Platform)).Distinct().ToList();
        foreach (var name in missing)
        {
            linter.Warn(LintRule.UndefinedArgInFrom, $"FROM argument '{name}' is not declared{Suggestion.For(name, globals.Names)}", _from.Node);
        }

        if (missing.Count == 0 && _from.Image.Contains('$') && !IsBase(globals.WithDefaults(_from, _from.Image)))
        {
            linter.Warn(LintRule.InvalidDefaultArgInFrom, $"Default value for ARG {_from.Image} results in empty or invalid base image name", _from.Node);
        }
    }

    private bool IsBase(string name) => EarlierStage(name) is not null || ImageName.IsValid(name);

    private Stage? EarlierStage(string name) =>
        globals.Stages.Take(stage.Index).LastOrDefault(s => name.Equals(s.Name, StringComparison.OrdinalIgnoreCase));

    private VariableScope Start(IReadOnlyList<VariableScope> earlier)
    {
        var name = globals.WithValues(_from, _from.Image);
        if (EarlierStage(name) is { } origin)
        {
            return earlier[origin.Index];
        }

        // Every RUN has a PATH, whatever the base says of it.
        IReadOnlyCollection<string>? names = name == "scratch" ? [] : globals.Input.BaseEnvironment(name);
        return new(new HashSet<string>([.. names ?? [], "PATH"]), names is not null, HasWorkdir: false, HasShell: false);
    }

    private static bool IsUpper(string word) => word == word.ToUpperInvariant();

    private static bool IsLower(string word) => word == word.ToLowerInvariant();
}
