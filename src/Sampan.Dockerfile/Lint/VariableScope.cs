namespace Sampan.Dockerfile.Lint;

/// <summary>What a stage knows at an instruction.</summary>
/// <param name="Names">Variables that ARG, ENV and the base brought.</param>
/// <param name="IsComplete">The base's variables are known, so that a name that is missing is missing.</param>
/// <param name="HasWorkdir">There has been a WORKDIR.</param>
/// <param name="HasShell">There has been a SHELL.</param>
internal sealed record VariableScope(IReadOnlySet<string> Names, bool IsComplete, bool HasWorkdir, bool HasShell)
{
    public VariableScope With(IEnumerable<string> names) => this with { Names = new HashSet<string>(Names.Concat(names)) };
}
