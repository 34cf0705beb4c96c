namespace Sampan.Dockerfile.Expansion;

/// <summary>A word cannot be expanded: a quote or brace is open, a modifier is unknown, or a required variable is missing.</summary>
public sealed class ExpansionException(string message) : Exception(message);
