using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>images</c>.</summary>
internal static class ImagesCommand
{
    private const string None = "<none>";
    private const string Standard = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}";
    private const string WithDigest = "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}";

    private static Dictionary<string, string> Headings => new()
    {
        ["ID"] = "IMAGE ID",
        ["Repository"] = "REPOSITORY",
        ["Tag"] = "TAG",
        ["Digest"] = "DIGEST",
        ["CreatedSince"] = "CREATED",
        ["CreatedAt"] = "CREATED AT",
        ["Size"] = "SIZE",
        ["Containers"] = "CONTAINERS",
        ["SharedSize"] = "SHARED SIZE",
        ["UniqueSize"] = "UNIQUE SIZE",
        ["VirtualSize"] = "SIZE",
    };

    public static Command Images(string name, string[] aliases, string group = "Commands") => new()
    {
        Name = name,
        Aliases = aliases,
        Summary = "List images",
        Synopsis = "[OPTIONS] [REPOSITORY[:TAG]]",
        Spellings = ["image ls", "image list", "images"],
        Arity = Arity.AtMost(1),
        Group = group,
        Setup = static f =>
        {
            var all = f.Switch("all", 'a', "Show intermediate images too");
            var digests = f.Switch("digests", "Show digests");
            var filter = f.Filter();
            var format = f.Format();
            var noTrunc = f.NoTrunc();
            var quiet = f.Switch("quiet", 'q', "Only print image IDs");
            var tree = f.Switch("tree", "Show the platforms of each image as a tree");
            return (context, args) =>
            {
                if (tree) RequireAlone([("quiet", quiet), ("no-trunc", noTrunc), ("digests", digests), ("format", format.Value.Length > 0)]);
                var table = new Table(digests ? WithDigest : Standard, Headings, quiet && format.Value is ("" or "table") ? "{{.ID}}" : format.Value);
                var filters = new List<string>(filter.Values);
                if (args.Count == 1) filters.Add("reference=" + args[0]);
                var images = context.Api.GetJson(new Query("/images/json").AddIf(all, "all").AddFilters(filters).ToString());
                if (tree)
                {
                    context.Out.Write(TabWriter.Align(Tree(context, images.Items())));
                    return 0;
                }

                var rows = new List<Row>();
                foreach (var image in images.Items()) rows.AddRange(Rows(image, context.Now, noTrunc, digests || format.Value.Contains(".Digest", StringComparison.Ordinal)));
                table.Print(context.Out, rows);
                return 0;
            };
        },
    };

    private static void RequireAlone(ReadOnlySpan<(string Name, bool IsSet)> flags)
    {
        foreach (var (name, isSet) in flags)
        {
            if (isSet) throw new CliException($"--{name} is not yet supported with --tree");
        }
    }

    /// <summary>Each image with its names, and below it the platform it is for.</summary>
    private static string Tree(ClientContext context, IReadOnlyList<JsonNode?> images)
    {
        var text = new System.Text.StringBuilder("IMAGE\tID\tSIZE\n");
        foreach (var image in images)
        {
            var (id, size) = (PsCommand.Short(image.Text("Id")), Units.Human(image.Number("Size")));
            var names = image.Texts("RepoTags").FindAll(static name => name != "<none>:<none>");
            foreach (var name in names.Count > 0 ? names : ["<untagged>"]) text.Append($"{name}\t{id}\t{size}\n");
            var details = context.Api.GetJson(new Query($"/images/{Query.Escape(image.Text("Id"))}/json").ToString());
            var variant = details.Text("Variant") is { Length: > 0 } v ? "/" + v : "";
            text.Append($"└─ {details.Text("Os")}/{details.Text("Architecture")}{variant}\t{id}\t{size}\n");
        }

        return text.ToString();
    }

    /// <summary>An image has a row for each of its names.</summary>
    public static List<Row> Rows(JsonNode? image, DateTimeOffset now, bool noTrunc, bool digests)
    {
        var rows = new List<Row>();
        var digestOf = new Dictionary<string, string>();
        foreach (var digest in image.Texts("RepoDigests"))
        {
            if (digest.IndexOf('@') is > 0 and var at) digestOf[digest[..at]] = digest[(at + 1)..];
        }

        var tagged = new HashSet<string>();
        foreach (var reference in image.Texts("RepoTags"))
        {
            var colon = reference.LastIndexOf(':');
            if (colon < 0 || reference == "<none>:<none>") continue;
            var repository = reference[..colon];
            tagged.Add(repository);
            rows.Add(RowOf(image, now, noTrunc, digests, repository, reference[(colon + 1)..], digestOf.GetValueOrDefault(repository, None)));
        }

        foreach (var (repository, digest) in digestOf)
        {
            if (!tagged.Contains(repository) && (digests || rows.Count == 0)) rows.Add(RowOf(image, now, noTrunc, digests, repository, None, digest));
        }

        if (rows.Count == 0) rows.Add(RowOf(image, now, noTrunc, digests, None, None, None));
        return rows;
    }

    private static Row RowOf(JsonNode? image, DateTimeOffset now, bool noTrunc, bool digests, string repository, string tag, string digest)
    {
        var created = DateTimeOffset.FromUnixTimeSeconds(image.Number("Created"));
        static string SizeOrUnknown(long size) => size < 0 ? "N/A" : Units.Human(size, 4);
        return new Row("*formatter.imageContext")
            .Field("ID", () => noTrunc ? image.Text("Id") : PsCommand.Short(image.Text("Id")))
            .Field("Repository", () => repository)
            .Field("Tag", () => tag)
            .Field("Digest", () => digests ? digest : None)
            .Field("CreatedSince", () => Durations.Ago(created, now))
            .Field("CreatedAt", () => PsCommand.GoTime(created))
            .Field("Size", () => Units.Human(image.Number("Size")))
            .Field("Containers", () => image.Number("Containers") is >= 0 and var n ? $"{n}" : "N/A")
            .Field("VirtualSize", () => Units.Human(image.Number("Size"), 4))
            .Field("SharedSize", () => SizeOrUnknown(image.Number("SharedSize")))
            .Field("UniqueSize", () => image.Number("SharedSize") < 0 ? "N/A" : Units.Human(image.Number("Size") - image.Number("SharedSize"), 4));
    }
}
