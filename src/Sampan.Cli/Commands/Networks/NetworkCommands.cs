using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Networks;

/// <summary><c>network ls</c>.</summary>
internal static class NetworkCommands
{
    private static Dictionary<string, string> Headings => new()
    {
        ["ID"] = "NETWORK ID",
        ["Name"] = "NAME",
        ["Driver"] = "DRIVER",
        ["Scope"] = "SCOPE",
        ["IPv4"] = "IPV4",
        ["IPv6"] = "IPV6",
        ["Internal"] = "INTERNAL",
        ["Labels"] = "LABELS",
        ["CreatedAt"] = "CREATED AT",
    };

    public static Command List() => new()
    {
        Name = "ls",
        Aliases = ["list"],
        Summary = "List networks",
        Synopsis = "[OPTIONS]",
        Spellings = ["network ls", "network list"],
        Arity = Arity.None,
        Setup = static f =>
        {
            var filter = f.Filter();
            var format = f.Format();
            var noTrunc = f.NoTrunc();
            var quiet = f.Switch("quiet", 'q', "Only print network IDs");
            return (context, _) =>
            {
                var table = new Table("table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", Headings, (format.Value, quiet.Value) switch
                {
                    ("" or "table", true) => "{{.ID}}",
                    ("raw", true) => "network_id: {{.ID}}",
                    ("raw", false) => "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
                    var (given, _) => given,
                });
                var networks = new List<JsonNode?>(context.Api.GetJson(new Query("/networks").AddFilters(filter.Values).ToString()).Items());
                networks.Sort(static (a, b) => NaturalOrder.Instance.Compare(a.Text("Name"), b.Text("Name")));
                table.Print(context.Out, networks.ConvertAll(network => RowOf(network, noTrunc)));
                return 0;
            };
        },
    };

    private static Row RowOf(JsonNode? network, bool noTrunc) => new Row("*network.networkContext")
        .Field("ID", () => noTrunc ? network.Text("Id") : PsCommand.Short(network.Text("Id")))
        .Field("Name", () => network.Text("Name"))
        .Field("Driver", () => network.Text("Driver"))
        .Field("Scope", () => network.Text("Scope"))
        .Field("IPv4", () => network.Flag("EnableIPv4") ? "true" : "false")
        .Field("IPv6", () => network.Flag("EnableIPv6") ? "true" : "false")
        .Field("Internal", () => network.Flag("Internal") ? "true" : "false")
        .Field("Labels", () => network.Child("Labels").Pairs())
        .Field("CreatedAt", () => network.Time("Created") is { } created ? PsCommand.GoTime(created) : "")
        .Method("Label", name => network.Child("Labels").Text(name));
}
