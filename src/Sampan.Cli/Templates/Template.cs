using System.Text;

namespace Sampan.Cli.Templates;

/// <summary>A Go template, read once and run over many values.</summary>
internal sealed class Template
{
    private readonly string _source;
    private readonly List<Node> _body;
    private readonly Dictionary<string, List<Node>> _definitions;

    /// <exception cref="TemplateException">The source is not a template.</exception>
    public Template(string source)
    {
        _source = source;
        (_body, _definitions) = TemplateParser.Parse(source);
    }

    /// <exception cref="TemplateException">A field is missing, or a function refuses its arguments.</exception>
    public string Run(object? value)
    {
        var output = new StringBuilder();
        new Interpreter(_source, _definitions, output).Run(_body, value);
        return output.ToString();
    }
}
