namespace Sampan.Cli.Templates;

/// <summary>A template that cannot be read or carried out; the message is Go's: <c>template: :1:2: …</c>.</summary>
internal sealed class TemplateException(string message, bool whileParsing) : Exception(message)
{
    public bool WhileParsing { get; } = whileParsing;
}

/// <summary>What went wrong inside a function or a field, before it is known where in the template.</summary>
internal sealed class EvaluationException(string message) : Exception(message);
