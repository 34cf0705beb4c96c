using System.Text;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Formatting;

/// <summary>Prints rows in the way <c>--format</c> asks: a table, JSON lines, or any template.</summary>
internal sealed class Table
{
    private const string TableWord = "table";
    private readonly Template _template;
    private readonly bool _isTable;
    private readonly IReadOnlyDictionary<string, string> _headings;

    /// <param name="standard">The table that is printed when no format is given.</param>
    /// <param name="headings">The heading of each field.</param>
    /// <param name="format">What <c>--format</c> said; read now, so that a mistake is told before the daemon is asked.</param>
    /// <exception cref="CliException">The format is no template.</exception>
    public Table(string standard, IReadOnlyDictionary<string, string> headings, string format)
    {
        _headings = headings;
        if (format is "" or TableWord) format = standard;
        _isTable = format.StartsWith(TableWord, StringComparison.Ordinal);
        var source = format == "json" ? "{{json .}}" : _isTable ? format[TableWord.Length..] : format;
        source = source.Trim(' ').Replace("\\t", "\t", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal);
        try
        {
            _template = new Template(source);
        }
        catch (TemplateException e)
        {
            throw new CliException($"failed to parse template: {e.Message}");
        }
    }

    /// <summary>Prints rows, each on a line of its own.</summary>
    public void Print(TextWriter output, IEnumerable<Row> rows) => output.Write(Render(rows));

    public string Render(IEnumerable<Row> rows)
    {
        var text = new StringBuilder();
        if (_isTable) text.Append(_template.Run(new HeaderRow(_headings))).Append('\n');
        foreach (var row in rows) text.Append(_template.Run(row)).Append('\n');
        return _isTable ? TabWriter.Align(text.ToString()) : text.ToString();
    }
}
