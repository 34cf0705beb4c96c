using Sampan.Dockerfile.Instructions;

namespace Sampan.Dockerfile.Lint;

/// <summary>Comments that stand where descriptions of stages and arguments do.</summary>
internal static class DescriptionRules
{
    public static void Check(DockerfileModel model, Linter linter)
    {
        var args = model.GlobalArgs.Concat(model.Stages.SelectMany(s => s.Instructions).OfType<ArgInstruction>());
        foreach (var arg in args)
        {
            Check(model, linter, arg, [.. arg.Args.Select(a => a.Name)]);
        }

        foreach (var stage in model.Stages.Where(s => s.Name is not null))
        {
            Check(model, linter, stage.From, [stage.From.Node.Arguments[2]]);
        }
    }

    private static void Check(DockerfileModel model, Linter linter, Instruction instruction, string[] names)
    {
        var comments = CommentsAbove(model, instruction.Node.Lines.Start).ToList();
        if (comments.Count > 0 && !comments.Any(comment => names.Any(name => comment.StartsWith(name + " ", StringComparison.OrdinalIgnoreCase))))
        {
            linter.Warn(
                LintRule.InvalidDefinitionDescription,
                $"The comment above {instruction.Keyword} should be '# {names[0]} <description>'; an empty line sets apart one that describes nothing",
                instruction.Node);
        }
    }

    /// <summary>The texts of the comment lines right above a line, up to one that is empty or a directive.</summary>
    private static IEnumerable<string> CommentsAbove(DockerfileModel model, int line)
    {
        for (var number = line - 1; number > model.Document.Directives.LineCount; number--)
        {
            var text = model.Source.Lines[number - 1].Trim();
            if (!text.StartsWith('#') || text.TrimStart('#').Trim().Length == 0)
            {
                yield break;
            }

            yield return text.TrimStart('#').Trim();
        }
    }
}
