namespace Sampan.Dockerfile;

/// <summary>Something that works but is probably not meant.</summary>
/// <param name="Rule">BuildKit's name of the rule, e.g. <c>NoEmptyContinuation</c>.</param>
/// <param name="Message">What is the matter, in one line.</param>
/// <param name="Lines">Where.</param>
public sealed record DockerfileWarning(string Rule, string Message, LineRange Lines);
