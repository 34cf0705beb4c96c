using Sampan.Dockerfile.Expansion;
using Sampan.Dockerfile.Ignore;
using Sampan.Dockerfile.Instructions;

namespace Sampan.Dockerfile.Lint;

/// <summary>What is to be said about a stage's instructions, one after the other.</summary>
/// <param name="model">The file.</param>
/// <param name="input">What is known of the context.</param>
/// <param name="start">What the stage begins with.</param>
/// <param name="linter">Takes the warnings.</param>
internal sealed class InstructionRules(DockerfileModel model, LintInput input, VariableScope start, Linter linter)
{
    /// <summary>Linux's PATH_MAX. Nothing is said of longer sources: each of their directories is held against the rules.</summary>
    private const int MaxPathChars = 4096;

    private VariableScope _scope = start;

    /// <summary>Checks a stage; gives what one that is made from it begins with.</summary>
    public VariableScope Check(Stage stage)
    {
        Repeated(stage);
        foreach (var instruction in stage.Instructions)
        {
            Variables(instruction);
            Form(instruction);
        }

        return _scope;
    }

    private void Repeated(Stage stage)
    {
        foreach (var group in stage.Instructions.Where(i => i is CmdInstruction or EntrypointInstruction or HealthcheckInstruction).GroupBy(i => i.Keyword))
        {
            foreach (var instruction in group.SkipLast(1))
            {
                linter.Warn(
                    LintRule.MultipleInstructionsDisallowed,
                    $"Multiple {group.Key} instructions should not be used in the same stage because only the last one will be used", instruction.Node);
            }
        }
    }

    private void Variables(Instruction instruction)
    {
        var words = Words(instruction).ToList();
        List<string> missing = [];
        var expander = new WordExpander(model.Document.Directives.Escape) { OnUnset = missing.Add };
        foreach (var word in words.Where(word => word.Contains('$')))
        {
            VariableRules.Guard(model, instruction, word, () => expander.Expand(word, name => _scope.Names.Contains(name) ? "x" : null));
        }

        foreach (var name in _scope.IsComplete ? missing.Distinct() : [])
        {
            linter.Warn(
                LintRule.UndefinedVar, $"Usage of undefined variable '${name}'{Suggestion.For("$" + name, _scope.Names.Select(n => "$" + n))}", instruction.Node);
        }
    }

    /// <summary>The words of an instruction in which the builder, not a shell, puts values for variables.</summary>
    private static IEnumerable<string> Words(Instruction instruction) => instruction switch
    {
        TransferInstruction t => [.. t.Sources, t.Destination, t.Chown ?? "", t.Chmod ?? "", .. t.Exclude],
        ArgInstruction arg => arg.Args.Select(a => a.Value ?? ""),
        EnvInstruction env => env.Pairs.SelectMany(p => new[] { p.Name, p.Value ?? "" }),
        LabelInstruction label => label.Pairs.SelectMany(p => new[] { p.Name, p.Value ?? "" }),
        ExposeInstruction expose => expose.Ports,
        UserInstruction user => [user.User],
        VolumeInstruction volume => volume.Paths,
        WorkdirInstruction workdir => [workdir.Path],
        StopSignalInstruction stop => [stop.Signal],
        RunInstruction run => run.Mounts.SelectMany(m => new[] { m.Target ?? "", m.Source ?? "", m.Id ?? "" }),
        _ => [],
    };

    private void Form(Instruction instruction)
    {
        switch (instruction)
        {
            case CmdInstruction { Command.IsShellForm: true } or EntrypointInstruction { Command.IsShellForm: true } when !_scope.HasShell:
                linter.Warn(
                    LintRule.JsonArgsRecommended,
                    $"JSON arguments recommended for {instruction.Keyword} to prevent unintended behavior related to OS signals", instruction.Node);
                break;
            case ShellInstruction:
                _scope = _scope with { HasShell = true };
                break;
            case MaintainerInstruction:
                linter.Warn(LintRule.MaintainerDeprecated, "Maintainer instruction is deprecated in favor of using label", instruction.Node);
                break;
            case WorkdirInstruction workdir:
                Workdir(workdir);
                break;
            case ArgInstruction arg:
                Declare(arg, arg.Args);
                break;
            case EnvInstruction env:
                Legacy(env);
                Declare(env, env.Pairs);
                break;
            case LabelInstruction label:
                Legacy(label);
                break;
            case ExposeInstruction expose:
                Ports(expose);
                break;
            case TransferInstruction transfer and not CopyInstruction { From: not null }:
                Ignored(transfer);
                break;
        }
    }

    private void Workdir(WorkdirInstruction workdir)
    {
        // One that begins with a variable may be absolute.
        if (!_scope.HasWorkdir && !workdir.Path.StartsWith('/') && !workdir.Path.StartsWith('$'))
        {
            linter.Warn(LintRule.WorkdirRelativePath, $"Relative workdir \"{workdir.Path}\" can have unexpected results if the base image changes", workdir.Node);
        }

        _scope = _scope with { HasWorkdir = true };
    }

    private void Declare(Instruction instruction, IReadOnlyList<NameValue> pairs)
    {
        foreach (var pair in pairs)
        {
            VariableRules.Secret(linter, instruction, pair.Name);
        }

        _scope = _scope.With(pairs.Select(p => p.Name));
    }

    private void Legacy(Instruction instruction)
    {
        if (instruction.Node.Arguments is [_, _, "", ..])
        {
            linter.Warn(
                LintRule.LegacyKeyValueFormat,
                $"\"{instruction.Keyword} key=value\" should be used instead of legacy \"{instruction.Keyword} key value\" format", instruction.Node);
        }
    }

    private void Ports(ExposeInstruction expose)
    {
        foreach (var port in expose.Ports.Where(port => !port.Contains('$')))
        {
            var parts = port.Split('/');
            if (parts.Length == 2 && parts[1] != parts[1].ToLowerInvariant())
            {
                linter.Warn(LintRule.ExposeProtoCasing, $"Defined protocol '{port}' in EXPOSE instruction should be lowercase", expose.Node);
            }

            if (parts[0].Contains(':'))
            {
                linter.Warn(
                    LintRule.ExposeInvalidFormat, $"EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'", expose.Node);
            }
        }
    }

    private void Ignored(TransferInstruction transfer)
    {
        foreach (var source in transfer.Sources.Where(s => !s.Contains('$') && !s.Contains("://") && !PathPattern.HasWildcards(s)))
        {
            var path = IgnoreMatcher.Clean("/" + source)[1..];
            if (path.Length is > 0 and <= MaxPathChars && input.Ignore.Check(path).IsIgnored && input.Ignore.CanSkip(path))
            {
                var verb = transfer is CopyInstruction ? "Copy" : "Add";
                linter.Warn(LintRule.CopyIgnoredFile, $"Attempting to {verb} file \"{source}\" that is excluded by .dockerignore", transfer.Node);
            }
        }
    }
}
