namespace Sampan.Dockerfile.Parsing;

/// <summary>A parsed Dockerfile: its directives and its instructions in order.</summary>
/// <param name="Source">The text.</param>
/// <param name="Directives">The parser directives at its top.</param>
/// <param name="Nodes">The instructions; at least one.</param>
/// <param name="Warnings">What the parser found odd.</param>
public sealed record DockerfileDocument(
    DockerfileSource Source, Directives Directives, IReadOnlyList<Node> Nodes, IReadOnlyList<DockerfileWarning> Warnings);
