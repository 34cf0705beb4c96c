using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>image tree</c>, <c>image waste</c>, <c>image diff</c>: what is in an image, and where.</summary>
internal static class LensCommands
{
    private const int StepLength = 60, PathsShown = 10;

    public static Command Tree() => Lens("tree", "Show what each layer of an image adds, changes and deletes", "IMAGE", 1,
        args => $"/images/{Query.Escape(args[0])}/tree", static (context, tree) =>
        {
            var number = 0;
            foreach (var layer in tree.Items("Layers"))
            {
                context.Line($"{++number,3}  {Units.Human(layer.Number("Size")),8}  +{layer.Number("Added")} ~{layer.Number("Changed")} "
                    + $"-{layer.Number("Deleted")}  {Containers.PsCommand.Ellipsis(layer.Text("CreatedBy").Replace('\t', ' '), StepLength)}");
                foreach (var change in layer.Items("Changes")) context.Line($"     {Units.Human(change.Number("Size")),8}  {change.Text("Kind")} {change.Text("Path")}");
            }
        });

    public static Command Diff() => Lens("diff", "Show how the file systems of two images differ", "IMAGE IMAGE", 2,
        args => new Query($"/images/{Query.Escape(args[0])}/diff").Add("to", args[1]).ToString(), static (context, difference) =>
        {
            foreach (var change in difference.Items("Changes"))
            {
                var what = string.Join(", ", change.Texts("What"));
                context.Line($"{change.Text("Kind")} {change.Text("Path")}{Signed(change.Number("Size"))}{(what.Length > 0 ? $" ({what})" : "")}");
            }
        });

    public static Command Waste() => Lens("waste", "Show what of an image later layers hide, and where its bytes are", "IMAGE", 1,
        args => $"/images/{Query.Escape(args[0])}/waste", static (context, waste) =>
        {
            var (size, wasted) = (waste.Number("Size"), waste.Number("WastedBytes"));
            context.Line($"{Units.Human(wasted)} of {Units.Human(size)} are overwritten or deleted by later layers ({(size == 0 ? 0 : 100 * wasted / size)} %)");
            List(context, "Overwritten or deleted:", waste.Items("Wasted"), f =>
                $"{f.Text("Path")} (layer {f.Number("Layer")}, {(f.Flag("Deleted") ? "deleted" : "overwritten")} by layer {f.Number("HiddenBy")})");
            List(context, "In several layers:", waste.Items("Repeated"), f => $"{f.Text("Path")} (layers {string.Join(", ", Layers(f))})");
            List(context, "Largest directories:", waste.Items("Directories"), f => f.Text("Path"));
        });

    /// <summary>A command that asks the daemon one question and prints the answer as JSON or for people.</summary>
    private static Command Lens(string name, string summary, string operands, int count, Func<IReadOnlyList<string>, string> path,
        Action<ClientContext, JsonNode?> print) => new()
        {
            Name = name,
            Summary = summary,
            Synopsis = $"[OPTIONS] {operands}",
            Arity = Arity.Exactly(count),
            Setup = f =>
            {
                var format = f.Text("format", "Print for people, or all of it as 'json'");
                return (context, args) =>
                {
                    if (format.Value is not ("" or "json")) throw new CliException($"invalid format '{format.Value}': it can only be 'json'");
                    var answer = context.Api.GetJson(path(args));
                    if (format.Value == "json") context.Line(answer!.ToJsonString());
                    else print(context, answer);
                    return 0;
                };
            },
        };

    private static void List(ClientContext context, string heading, IReadOnlyList<JsonNode?> items, Func<JsonNode?, string> text)
    {
        if (items.Count == 0) return;
        context.Line($"\n{heading}");
        for (var i = 0; i < items.Count && i < PathsShown; i++) context.Line($"{Units.Human(items[i].Number("Size")),10}  {text(items[i])}");
    }

    private static IEnumerable<string> Layers(JsonNode? file)
    {
        foreach (var layer in file.Items("Layers")) yield return layer?.ToString() ?? "";
    }

    private static string Signed(long bytes) => bytes == 0 ? "" : bytes > 0 ? $" +{Units.Human(bytes)}" : $" -{Units.Human(-bytes)}";
}
