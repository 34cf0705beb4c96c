using Sampan.Dockerfile.Ignore;

namespace Sampan.Dockerfile.Lint;

/// <summary>What a check knows beside the Dockerfile.</summary>
public sealed record LintInput
{
    /// <summary>Values given for ARG.</summary>
    public IReadOnlyDictionary<string, string?> BuildArgs { get; init; } = new Dictionary<string, string?>();

    /// <summary>The context's ignore file.</summary>
    public IgnoreMatcher Ignore { get; init; } = IgnoreMatcher.None;

    /// <summary>
    /// Names of the variables that a base image sets, by the image's name; null when it is not known. A stage whose base is not known is
    /// not searched for undefined variables.
    /// </summary>
    public Func<string, IReadOnlyCollection<string>?> BaseEnvironment { get; init; } = _ => null;
}

/// <summary>What a check found.</summary>
/// <param name="Warnings">In the order of lines.</param>
/// <param name="IsError">The file asks that warnings fail the build.</param>
public sealed record LintReport(IReadOnlyList<DockerfileWarning> Warnings, bool IsError)
{
    /// <summary>Why a build fails that must not go on with warnings; null when it may go on.</summary>
    public string? Failure => IsError && Warnings.Count > 0
        ? $"lint violation found for rules: {string.Join(", ", Warnings.Select(w => w.Rule).Distinct().Order(StringComparer.Ordinal))}" : null;
}
