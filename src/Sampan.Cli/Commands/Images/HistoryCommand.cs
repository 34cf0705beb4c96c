using System.Globalization;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>history</c>.</summary>
internal static class HistoryCommand
{
    private const int CreatedByLength = 45;
    private const string Standard = "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
    private const string Exact = "table {{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

    private static Dictionary<string, string> Headings => new()
    {
        ["ID"] = "IMAGE",
        ["CreatedSince"] = "CREATED",
        ["CreatedAt"] = "CREATED AT",
        ["CreatedBy"] = "CREATED BY",
        ["Size"] = "SIZE",
        ["Comment"] = "COMMENT",
    };

    public static Command History() => new()
    {
        Name = "history",
        Summary = "Show how an image came about",
        Synopsis = "[OPTIONS] IMAGE",
        Spellings = ["image history", "history"],
        Arity = Arity.Exactly(1),
        Setup = static f =>
        {
            var format = f.Format();
            var human = f.Switch("human", 'H', "Print sizes and times for people", initial: true);
            var noTrunc = f.NoTrunc();
            var platform = f.Text("platform", "Look at this platform of the image");
            var quiet = f.Switch("quiet", 'q', "Only print image IDs");
            return (context, args) =>
            {
                var table = new Table(human ? Standard : Exact, Headings, quiet && format.Value is ("" or "table") ? "{{.ID}}" : format.Value);
                var query = new Query($"/images/{Query.Escape(args[0])}/history");
                if (platform.Value.Length > 0) query.Add("platform", Platforms.Json(platform.Value).ToJsonString());
                var rows = new List<Row>();
                foreach (var layer in context.Api.GetJson(query.ToString()).Items()) rows.Add(RowOf(layer, context.Now, human, noTrunc));
                table.Print(context.Out, rows);
                return 0;
            };
        },
    };

    private static Row RowOf(JsonNode? layer, DateTimeOffset now, bool human, bool noTrunc)
    {
        var created = DateTimeOffset.FromUnixTimeSeconds(layer.Number("Created"));
        return new Row("*formatter.historyContext")
            .Field("ID", () => noTrunc ? layer.Text("Id") : PsCommand.Short(layer.Text("Id")))
            .Field("CreatedAt", () => created.ToLocalTime().ToString("yyyy-MM-ddTHH:mm:ssK", CultureInfo.InvariantCulture).Replace("+00:00", "Z", StringComparison.Ordinal))
            .Field("CreatedSince", () => !human ? created.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)
                : layer.Number("Created") <= 0 ? "N/A" : Durations.Ago(created, now))
            .Field("CreatedBy", () => CreatedBy(layer.Text("CreatedBy"), noTrunc))
            .Field("Size", () => human ? Units.Human(layer.Number("Size")) : layer.Number("Size").ToString(CultureInfo.InvariantCulture))
            .Field("Comment", () => layer.Text("Comment"));
    }

    private static string CreatedBy(string text, bool noTrunc)
    {
        var line = text.Replace("\t", " ", StringComparison.Ordinal);
        return noTrunc ? line : PsCommand.Ellipsis(line, CreatedByLength);
    }
}
