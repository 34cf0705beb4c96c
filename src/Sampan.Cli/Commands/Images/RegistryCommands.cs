using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Registries;
using Sampan.Cli.Streams;
using Sampan.Cli.Templates;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>pull</c>, <c>push</c>, <c>search</c>.</summary>
internal static class RegistryCommands
{
    private const int DescriptionLength = 45;

    private static Dictionary<string, string> SearchHeadings => new()
    {
        ["Name"] = "NAME",
        ["Description"] = "DESCRIPTION",
        ["StarCount"] = "STARS",
        ["IsOfficial"] = "OFFICIAL",
        ["IsAutomated"] = "AUTOMATED",
    };

    public static Command Pull(string group = "Commands") => new()
    {
        Name = "pull",
        Summary = "Fetch an image from a registry",
        Synopsis = "[OPTIONS] NAME[:TAG|@DIGEST]",
        Spellings = ["image pull", "pull"],
        Arity = Arity.Exactly(1),
        Group = group,
        Setup = static f =>
        {
            var all = f.Switch("all-tags", 'a', "Fetch all tags of the repository");
            f.Switch("disable-content-trust", "Skip the verification of the image's signature", initial: true);
            var platform = f.Text("platform", "Platform of the image (os[/arch[/variant]])");
            var quiet = f.Switch("quiet", 'q', "Do not show the progress");
            return (context, args) =>
            {
                OptionChecks.Reference(args[0]);
                var reference = ImageReference.ParseName(args[0]);
                if (all && reference.Tag is not null) throw new CliException("tag can't be used with --all-tags/-a");
                if (!all && !quiet && reference is { Tag: null, Digest: null }) context.Line("Using default tag: latest");
                PullImage(context, args[0], platform.Value, quiet, toError: false, all);
                return 0;
            };
        },
    };

    public static Command Push(string group = "Commands") => new()
    {
        Name = "push",
        Summary = "Send an image to a registry",
        Synopsis = "[OPTIONS] NAME[:TAG]",
        Spellings = ["image push", "push"],
        Arity = Arity.Exactly(1),
        Group = group,
        Setup = static f =>
        {
            var all = f.Switch("all-tags", 'a', "Send all tags of the repository");
            f.Switch("disable-content-trust", "Skip the signing of the image", initial: true);
            var platform = f.Text("platform", "Platform that the image must be of (os[/arch[/variant]])");
            var quiet = f.Switch("quiet", 'q', "Do not show the progress");
            return (context, args) => PushImage(context, args[0], platform.Value, all, quiet);
        },
    };

    public static Command Search() => new()
    {
        Name = "search",
        Summary = "Look for images at a registry",
        Synopsis = "[OPTIONS] TERM",
        Arity = Arity.Exactly(1),
        Setup = static f =>
        {
            var filter = f.Filter();
            var format = f.Format();
            var limit = f.Int("limit", "Print so many results at most (1 to 100)");
            var noTrunc = f.NoTrunc();
            return (context, args) =>
            {
                var table = new Table("table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}", SearchHeadings, format.Value);
                var query = new Query("/images/search").Add("term", args[0]).AddIf(limit.Value != 0, "limit", $"{limit.Value}")
                    .AddFilters(filter.Values);
                var headers = ImageReference.TryParse(args[0], out _) ? CredentialFile.HeaderFor(args[0]) : [];
                using var response = context.Api.Send("GET", query.ToString(), headers: headers);
                table.Print(context.Out, response.ReadJson().Items().Select(item => SearchRow(item, noTrunc)));
                return 0;
            };
        },
    };

    /// <summary>Fetches an image and shows how that goes.</summary>
    public static void PullImage(ClientContext context, string image, string platform, bool quiet, bool toError, bool allTags = false)
    {
        var (name, tag) = Split(image);
        var query = new Query("/images/create").Add("fromImage", name).AddIfSet("tag", allTags ? "" : tag).AddIfSet("platform", platform);
        using var response = context.Api.Send("POST", query.ToString(), headers: CredentialFile.HeaderFor(image));
        var output = quiet ? TextWriter.Null : toError ? context.Error : context.Out;
        ProgressStream.Show(response.Body, output, Terminal.Is(toError ? FdStream.StderrFd : FdStream.StdoutFd));
        if (!toError) context.Line(quiet || !allTags ? ImageReference.Parse(image).ToString() : ImageReference.Parse(image).Name);
    }

    /// <summary>Name and tag (or digest); the tag is latest when none is said.</summary>
    private static (string Name, string Tag) Split(string image)
    {
        if (image.IndexOf('@') is > 0 and var at) return (image[..at], image[(at + 1)..]);
        var colon = image.LastIndexOf(':');
        return colon > image.LastIndexOf('/') ? (image[..colon], image[(colon + 1)..]) : (image, "latest");
    }

    private static int PushImage(ClientContext context, string image, string platform, bool allTags, bool quiet)
    {
        OptionChecks.Reference(image);
        var reference = ImageReference.ParseName(image);
        if (allTags && reference.Tag is not null) throw new CliException("tag can't be used with --all-tags/-a");
        if (!allTags && reference.Tag is null && !quiet) context.Line("Using default tag: latest");
        var query = new Query($"/images/{reference.FamiliarName}/push").AddIfSet("tag", allTags ? "" : reference.Tag ?? "latest");
        if (platform.Length > 0) query.Add("platform", Platforms.Json(platform).ToJsonString());
        Send(context, image, query, quiet ? TextWriter.Null : context.Out, Terminal.Is(FdStream.StdoutFd));
        if (quiet) context.Line(allTags ? reference.Name : reference.WithTag(reference.Tag ?? "latest").ToString());
        return 0;
    }

    /// <summary>Sends one tag (latest when none is said) and shows how that goes.</summary>
    public static void PushImage(ClientContext context, string image, TextWriter progress)
    {
        var reference = ImageReference.ParseName(image);
        var query = new Query($"/images/{reference.FamiliarName}/push").Add("tag", reference.Tag ?? "latest");
        Send(context, image, query, progress, terminal: false);
    }

    private static void Send(ClientContext context, string image, Query query, TextWriter progress, bool terminal)
    {
        using var response = context.Api.Send("POST", query.ToString(),
            headers: CredentialFile.HeaderFor(image) is { Count: > 0 } found ? found : new() { ["X-Registry-Auth"] = "e30=" });
        ProgressStream.Show(response.Body, progress, terminal);
    }

    private static Row SearchRow(JsonNode? item, bool noTrunc)
    {
        static string Mark(bool value) => value ? "[OK]" : "";
        var description = item.Text("description").ReplaceLineEndings(" ");
        return new Row("*formatter.searchContext")
            .Field("Name", () => item.Text("name"))
            .Field("Description", () => noTrunc ? description : PsCommand.Ellipsis(description, DescriptionLength))
            .Field("StarCount", () => $"{item.Number("star_count")}")
            .Field("IsOfficial", () => Mark(item.Flag("is_official")))
            .Field("IsAutomated", () => Mark(item.Flag("is_automated")));
    }
}
