using Sampan.Dockerfile.Expansion;
using Sampan.Dockerfile.Instructions;

namespace Sampan.Dockerfile.Lint;

/// <summary>What rules about variables share.</summary>
internal static class VariableRules
{
    private static readonly string[] SecretWords =
        ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

    /// <summary>Warns of a name that says it holds a secret, such as <c>AWS_SECRET_ACCESS_KEY</c>; <c>public</c> in it says it does not.</summary>
    public static void Secret(Linter linter, Instruction instruction, string name)
    {
        var words = name.ToLowerInvariant().Split('_');
        if (words.Any(SecretWords.Contains) && !words.Contains("public"))
        {
            linter.Warn(
                LintRule.SecretsUsedInArgOrEnv, $"Do not use ARG or ENV instructions for sensitive data ({instruction.Keyword} \"{name}\")", instruction.Node);
        }
    }

    /// <summary>Gives a failing expansion its place.</summary>
    public static string Guard(DockerfileModel model, Instruction instruction, string word, Func<string> expand)
    {
        try
        {
            return expand();
        }
        catch (ExpansionException e)
        {
            throw model.Source.Error($"failed to process '{word}': {e.Message}", instruction.Node.Lines);
        }
    }
}
