namespace Sampan.Api;

/// <summary>What is odd in a Dockerfile.</summary>
/// <param name="Failure">The check directive makes errors of warnings: what a build says; else null.</param>
public sealed record DockerfileCheck(IReadOnlyList<DockerfileFinding> Findings, string? Failure);

/// <summary>Something that works but is probably not meant.</summary>
/// <param name="Rule">BuildKit's name of the rule.</param>
/// <param name="Summary">What the rule asks for.</param>
/// <param name="Message">What is the matter here.</param>
/// <param name="StartLine">From 1; <paramref name="EndLine"/> is the last one.</param>
public sealed record DockerfileFinding(string Rule, string Summary, string Message, int StartLine, int EndLine);
