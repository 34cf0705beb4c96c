namespace Sampan.Dockerfile;

/// <summary>What a Dockerfile may cost at most. The values are far above any Dockerfile written by people or generators in use.</summary>
public sealed record DockerfileLimits
{
    public static DockerfileLimits Default { get; } = new();

    /// <summary>Bytes of the whole file. Default 16 MiB.</summary>
    public int MaxBytes { get; init; } = 16 << 20;

    /// <summary>Characters of one instruction after its lines are joined, or of one line of a heredoc. Default 1 Mi.</summary>
    public int MaxLineChars { get; init; } = 1 << 20;

    /// <summary>Number of instructions. Default 10,000.</summary>
    public int MaxInstructions { get; init; } = 10_000;

    /// <summary>Number of stages: each waits on the stack for those that it needs. Default 1,000.</summary>
    public int MaxStages { get; init; } = 1000;

    /// <summary>Nesting of substitutions such as <c>${a:-${b:-c}}</c>. Default 100.</summary>
    public int MaxNesting { get; init; } = 100;

    /// <summary>Characters that a substitution may grow to. Default 4 Mi.</summary>
    public int MaxExpandedChars { get; init; } = 4 << 20;
}
