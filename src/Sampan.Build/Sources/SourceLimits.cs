namespace Sampan.Build.Sources;

/// <summary>What a build takes from other machines at most.</summary>
public sealed record SourceLimits
{
    public static SourceLimits Default { get; } = new();

    /// <summary>Bytes of one download.</summary>
    public long MaxBytes { get; init; } = 16L << 30;

    /// <summary>A server may be silent for so long.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A git command may take so long.</summary>
    public TimeSpan Git { get; init; } = TimeSpan.FromMinutes(30);
}
