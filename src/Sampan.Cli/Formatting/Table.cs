using System.Text;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Formatting;

/// <summary>Prints rows in the way <c>--format</c> asks: a table, JSON lines, or any template.</summary>
/// <param name="standard">The table that is printed when no format is given.</param>
/// <param name="headings">The heading of each field.</param>
internal sealed class Table(string standard, IReadOnlyDictionary<string, string> headings)
{
    private const string TableWord = "table";

    /// <summary>Prints rows, each on a line of its own.</summary>
    public void Print(TextWriter output, string format, IEnumerable<Row> rows) => output.Write(Render(format, rows));

    public string Render(string format, IEnumerable<Row> rows)
    {
        var (template, isTable) = Prepare(format);
        var text = new StringBuilder();
        if (isTable) text.Append(template.Run(new HeaderRow(headings))).Append('\n');
        foreach (var row in rows) text.Append(template.Run(row)).Append('\n');
        return isTable ? TabWriter.Align(text.ToString()) : text.ToString();
    }

    private (Template Template, bool IsTable) Prepare(string format)
    {
        if (format is "" or TableWord) format = standard;
        var isTable = format.StartsWith(TableWord, StringComparison.Ordinal);
        var source = format == "json" ? "{{json .}}" : isTable ? format[TableWord.Length..] : format;
        source = source.Trim(' ').Replace("\\t", "\t", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal);
        try
        {
            return (new Template(source), isTable);
        }
        catch (TemplateException e)
        {
            throw new CliException($"failed to parse template: {e.Message}");
        }
    }
}
