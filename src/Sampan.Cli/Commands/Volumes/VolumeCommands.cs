using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Volumes;

/// <summary><c>volume ls</c>, <c>create</c> and <c>rm</c>.</summary>
internal static class VolumeCommands
{
    public static readonly Dictionary<string, string> Headings = new()
    {
        ["Name"] = "VOLUME NAME",
        ["Driver"] = "DRIVER",
        ["Scope"] = "SCOPE",
        ["Mountpoint"] = "MOUNTPOINT",
        ["Labels"] = "LABELS",
        ["Links"] = "LINKS",
        ["Size"] = "SIZE",
        ["Availability"] = "AVAILABILITY",
        ["Group"] = "GROUP",
        ["Status"] = "STATUS",
    };

    public static Command List() => new()
    {
        Name = "ls",
        Aliases = ["list"],
        Summary = "List volumes",
        Synopsis = "[OPTIONS]",
        Spellings = ["volume ls", "volume list"],
        Arity = Arity.None,
        Setup = static f =>
        {
            f.Switch("cluster", "Show cluster volumes only");
            var filter = f.Filter();
            var format = f.Format();
            var quiet = f.Switch("quiet", 'q', "Only print volume names");
            return (context, _) =>
            {
                var table = new Table("table {{.Driver}}\t{{.Name}}", Headings, quiet && format.Value is ("" or "table") ? "{{.Name}}" : format.Value);
                var volumes = new List<JsonNode?>(context.Api.GetJson(new Query("/volumes").AddFilters(filter.Values).ToString()).Items("Volumes"));
                volumes.Sort(static (a, b) => NaturalOrder.Instance.Compare(a.Text("Name"), b.Text("Name")));
                table.Print(context.Out, volumes.ConvertAll(RowOf));
                return 0;
            };
        },
    };

    public static Command Create() => new()
    {
        Name = "create",
        Summary = "Create a volume",
        Synopsis = "[OPTIONS] [VOLUME]",
        Arity = Arity.AtMost(1),
        Setup = static f =>
        {
            var driver = f.Text("driver", 'd', "Driver of the volume", "local");
            var labels = f.List("label", "Label of the volume (key=value)");
            var options = f.List("opt", 'o', "Option of the driver (key=value)", type: "map", defaultText: "map[]");
            var name = f.Text("name", "Name of the volume");
            name.Hidden = true;
            return (context, args) =>
            {
                if (args.Count == 1 && name.Changed) throw new CliException("conflicting options: cannot specify a volume-name through both --name and as a positional arg");
                var request = new JsonObject
                {
                    ["Name"] = args.Count == 1 ? args[0] : name.Value,
                    ["Driver"] = driver.Value,
                    ["DriverOpts"] = ContainerRequest.Map(options.Values),
                    ["Labels"] = ContainerRequest.Map(labels.Values),
                };
                context.Line(context.Api.Post("/volumes/create", request).Text("Name"));
                return 0;
            };
        },
    };

    public static Command Remove() => new()
    {
        Name = "rm",
        Aliases = ["remove"],
        Summary = "Remove volumes that no container uses",
        Synopsis = "[OPTIONS] VOLUME [VOLUME...]",
        Spellings = ["volume rm", "volume remove"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var force = f.Switch("force", 'f', "It is no failure when the volume is not there");
            return (context, args) => Targets.Each(context, args, name =>
            {
                context.Api.Send("DELETE", new Query($"/volumes/{Query.Escape(name)}").AddIf(force, "force").ToString()).Dispose();
                return name;
            });
        },
    };

    public static Row RowOf(JsonNode? volume)
    {
        var usage = volume.Child("UsageData");
        return new Row("*formatter.volumeContext")
            .Field("Name", () => volume.Text("Name"))
            .Field("Driver", () => volume.Text("Driver"))
            .Field("Scope", () => volume.Text("Scope"))
            .Field("Mountpoint", () => volume.Text("Mountpoint"))
            .Field("Labels", () => volume.Child("Labels").Pairs())
            .Field("Links", () => usage is null ? "N/A" : $"{usage.Number("RefCount")}")
            .Field("Size", () => usage is null ? "N/A" : Units.Human(usage.Number("Size"), 4))
            .Field("Group", () => "N/A")
            .Field("Availability", () => "N/A")
            .Field("Status", () => "N/A")
            .Method("Label", name => volume.Child("Labels").Text(name));
    }
}
