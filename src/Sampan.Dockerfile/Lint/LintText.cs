using System.Text;

namespace Sampan.Dockerfile.Lint;

/// <summary>A report as <c>build --check</c> shows it: each warning with its rule, its page, and the lines it is about.</summary>
public static class LintText
{
    public static string Of(DockerfileSource source, LintReport report)
    {
        var count = report.Warnings.Count;
        var text = new StringBuilder(count switch
        {
            0 => "Check complete, no warnings found.\n",
            1 => "Check complete, 1 warning has been found!\n",
            _ => $"Check complete, {count} warnings have been found!\n",
        });
        foreach (var warning in report.Warnings)
        {
            text.Append($"\nWARNING: {warning.Rule} - {LintRule.Find(warning.Rule)!.Url}\n{warning.Message}\n");
            text.Append($"{source.FileName}:{warning.Lines.Start}\n{source.Excerpt(warning.Lines)}\n");
        }

        return text.ToString();
    }
}
