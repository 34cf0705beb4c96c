namespace Sampan.Api;

/// <summary>The answer to <c>GET /build/explain</c>, which is Sampan's own: how the last build from an origin went.</summary>
public sealed class BuildExplanation
{
    public string Origin { get; set; } = "";
    public string FinishedAt { get; set; } = GoTime.Zero;

    /// <summary>The image's ID; empty when the build failed.</summary>
    public string Image { get; set; } = "";

    public List<ExplainedStep> Steps { get; set; } = [];
}

/// <summary>A step of a build, and why it was not found in the cache.</summary>
public sealed class ExplainedStep
{
    public string Stage { get; set; } = "";
    public int Line { get; set; }
    public string Text { get; set; } = "";
    public bool Cached { get; set; }
    public List<string> Reasons { get; set; } = [];
}
