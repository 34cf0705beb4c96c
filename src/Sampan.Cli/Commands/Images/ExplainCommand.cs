using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>build explain</c>: how the last build of a directory went, step by step, and why what was not in the cache was built.</summary>
internal static class ExplainCommand
{
    public static Command Explain() => new()
    {
        Name = "explain",
        Summary = "Show why the steps of the last build were, or were not, found in the cache",
        Synopsis = "[OPTIONS] [PATH]",
        Arity = Arity.AtMost(1),
        Setup = static f =>
        {
            var file = f.Text("file", 'f', "The Dockerfile of the build (default is \"PATH/Dockerfile\")");
            return (context, args) =>
            {
                var record = context.Api.GetJson(new Query("/build/explain").Add("origin", Origin(args.Count > 0 ? args[0] : ".", file.Value)).ToString());
                foreach (var step in record.Items("Steps")) context.Line($"{step.Number("Line"),4}  {Line(step)}");
                return 0;
            };
        },
    };

    /// <summary>What tells the builds of one Dockerfile in one directory from all others.</summary>
    public static string Origin(string source, string file)
    {
        var place = Directory.Exists(source) ? Path.GetFullPath(source).TrimEnd('/') : source;
        return file.Length == 0 || file == "-" ? place : $"{place} {Path.GetFullPath(file)}";
    }

    private static string Line(JsonNode? step)
    {
        if (step.Flag("Cached")) return $"{step.Text("Text")}: cached";
        var reasons = new List<string>();
        foreach (var reason in step.Items("Reasons")) reasons.Add(reason?.ToString() ?? "");
        return $"{step.Text("Text")}: rebuilt, {string.Join(", ", reasons)}";
    }
}
