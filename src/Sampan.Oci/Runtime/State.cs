namespace Sampan.Oci;

/// <summary>What is told about a container, and given to hooks (runtime.md, State).</summary>
public sealed record State
{
    public required string OciVersion { get; set; }

    public required string Id { get; set; }

    /// <summary>creating, created, running or stopped.</summary>
    public required string Status { get; set; }

    public int? Pid { get; set; }

    /// <summary>The bundle's absolute path.</summary>
    public required string Bundle { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }
}
