using System.Globalization;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>ps</c>.</summary>
internal static class PsCommand
{
    private const int ShortId = 12;
    private const int CommandLength = 20;
    private const int MountLength = 15;
    private const string Standard = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

    private static Dictionary<string, string> Headings => new()
    {
        ["ID"] = "CONTAINER ID",
        ["Names"] = "NAMES",
        ["Image"] = "IMAGE",
        ["Command"] = "COMMAND",
        ["CreatedAt"] = "CREATED AT",
        ["RunningFor"] = "CREATED",
        ["Ports"] = "PORTS",
        ["State"] = "STATE",
        ["Status"] = "STATUS",
        ["Size"] = "SIZE",
        ["Labels"] = "LABELS",
        ["Mounts"] = "MOUNTS",
        ["LocalVolumes"] = "LOCAL VOLUMES",
        ["Networks"] = "NETWORKS",
        ["Platform"] = "PLATFORM",
    };

    public static Command Ps(string name, string[] aliases, string group = "Commands") => new()
    {
        Name = name,
        Aliases = aliases,
        Summary = "List containers",
        Synopsis = "[OPTIONS]",
        Spellings = ["container ls", "container list", "container ps", "ps"],
        Arity = Arity.None,
        Group = group,
        Setup = static f =>
        {
            var all = f.Switch("all", 'a', "Show all containers, not only running ones");
            var filter = f.Filter();
            var formatFlag = f.Format();
            var last = f.Int("last", 'n', "Show so many of the containers created last, in any state", -1);
            var latest = f.Switch("latest", 'l', "Show the container created last, in any state");
            var noTrunc = f.NoTrunc();
            var quiet = f.Switch("quiet", 'q', "Only print container IDs");
            var size = f.Switch("size", 's', "Show sizes");
            return (context, _) =>
            {
                var format = formatFlag.Value;
                if (quiet && format is not ("" or "table"))
                {
                    context.ErrorLine("WARNING: Ignoring custom format, because both --format and --quiet are set.");
                    format = "";
                }

                var table = new Table(size ? Standard + "\t{{.Size}}" : Standard, Headings, quiet ? "{{.ID}}" : format);
                var count = latest && last.Value == -1 ? 1 : last.Value;
                var withSize = size || format.Contains(".Size", StringComparison.Ordinal);
                var list = context.Api.GetJson(new Query("/containers/json").AddIf(all, "all").AddIf(count > 0, "limit", count.ToString(CultureInfo.InvariantCulture))
                    .AddIf(withSize && !quiet, "size").AddFilters(filter.Values).ToString());
                var rows = new List<Row>();
                foreach (var container in list.Items()) rows.Add(RowOf(container, context.Now, noTrunc, size: true));
                table.Print(context.Out, rows);
                return 0;
            };
        },
    };

    /// <summary>The row of a container in a list.</summary>
    public static Row RowOf(JsonNode? c, DateTimeOffset now, bool noTrunc, bool size)
    {
        var created = DateTimeOffset.FromUnixTimeSeconds(c.Number("Created"));
        return new Row("*formatter.ContainerContext")
            .Field("ID", () => noTrunc ? c.Text("Id") : Short(c.Text("Id")))
            .Field("Names", () => Names(c, noTrunc))
            .Field("Image", () => Image(c, noTrunc))
            .Field("Command", () => FlagValues.Quote(noTrunc ? c.Text("Command") : Ellipsis(c.Text("Command"), CommandLength)))
            .Field("CreatedAt", () => GoTime(created))
            .Field("RunningFor", () => Durations.Ago(created, now))
            .Field("Ports", () => Ports(c.Items("Ports")))
            .Field("State", () => c.Text("State"))
            .Field("Status", () => c.Text("Status"))
            .Field("Size", () => Size(c, size))
            .Field("Labels", () => c.Child("Labels").Pairs())
            .Field("Mounts", () => Mounts(c, noTrunc))
            .Field("LocalVolumes", () => LocalVolumes(c).ToString(CultureInfo.InvariantCulture))
            .Field("Networks", () => string.Join(',', c.Child("NetworkSettings").Child("Networks").Members().ConvertAll(static n => n.Key)))
            .Field("Platform", () => c.Child("ImageManifestDescriptor").Child("platform"))
            .Method("Label", name => c.Child("Labels").Text(name));
    }

    public static string Short(string id)
    {
        var hex = id.StartsWith("sha256:", StringComparison.Ordinal) ? id["sha256:".Length..] : id;
        return hex.Length > ShortId ? hex[..ShortId] : hex;
    }

    public static string Ellipsis(string text, int length)
    {
        var runes = new StringInfo(text);
        return runes.LengthInTextElements <= length ? text : runes.SubstringByTextElements(0, length - 1) + "…";
    }

    /// <summary>A time as Go prints one: <c>2024-01-02 15:04:05 +0000 UTC</c>.</summary>
    public static string GoTime(DateTimeOffset time)
    {
        var local = time.ToLocalTime();
        var fraction = local.ToString(".FFFFFFF", CultureInfo.InvariantCulture);
        var offset = local.ToString("zzz", CultureInfo.InvariantCulture).Replace(":", "", StringComparison.Ordinal);
        return $"{local.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)}{fraction} {offset} {(offset == "+0000" ? "UTC" : offset)}";
    }

    private static string Names(JsonNode? c, bool noTrunc)
    {
        var names = c.Texts("Names").ConvertAll(static n => n.TrimStart('/'));
        // A name with a slash is a link's, as another container sees it.
        if (!noTrunc) names.RemoveAll(static n => n.Contains('/'));
        return string.Join(',', names);
    }

    private static string Image(JsonNode? c, bool noTrunc)
    {
        var image = c.Text("Image");
        if (image.Length == 0) return "<no image>";
        if (noTrunc) return image;
        if (Short(c.Text("ImageID")) is { Length: > 0 } id && id == Short(image)) return id;
        var at = image.IndexOf('@');
        return at > 0 && image.AsSpan(0, at).LastIndexOf(':') > image.AsSpan(0, at).LastIndexOf('/') ? image[..at] : image;
    }

    private static string Size(JsonNode? c, bool asked)
    {
        if (!asked) return "";
        var own = Units.Human(c.Number("SizeRw"));
        return c.Number("SizeRootFs") is > 0 and var all ? $"{own} (virtual {Units.Human(all)})" : own;
    }

    private static string Mounts(JsonNode? c, bool noTrunc)
    {
        var names = new List<string>();
        foreach (var mount in c.Items("Mounts"))
        {
            var name = mount.Text("Name") is { Length: > 0 } named ? named : mount.Text("Source");
            names.Add(noTrunc ? name : Ellipsis(name, MountLength));
        }

        return string.Join(',', names);
    }

    private static int LocalVolumes(JsonNode? c)
    {
        var count = 0;
        foreach (var mount in c.Items("Mounts")) count += mount.Text("Driver") == "local" ? 1 : 0;
        return count;
    }

    /// <summary>
    /// <c>0.0.0.0:90-91-&gt;90-91/udp, 443/tcp, 0.0.0.0:8080-&gt;80/tcp</c>: ranges of ports that are the same outside first, then the
    /// others, as Docker orders them.
    /// </summary>
    internal static string Ports(IReadOnlyList<JsonNode?> ports)
    {
        var sorted = new List<(long Private, string Ip, long Public, string Type)>();
        foreach (var port in ports) sorted.Add((port.Number("PrivatePort"), port.Text("IP"), port.Number("PublicPort"), port.Text("Type")));
        sorted.Sort();
        var done = new List<string>();
        var mapped = new List<string>();
        var open = new List<(string Ip, string Type, long First, long Last)>();
        foreach (var (inside, ip, outside, type) in sorted)
        {
            if (ip.Length > 0 && outside != inside)
            {
                mapped.Add($"{Host(ip)}:{outside}->{inside}/{type}");
                continue;
            }

            var at = open.FindIndex(g => g.Ip == ip && g.Type == type);
            if (at < 0)
            {
                open.Add((ip, type, inside, inside));
                continue;
            }

            if (inside != open[at].Last + 1)
            {
                done.Add(Group(open[at]));
                open[at] = (ip, type, inside, inside);
            }

            open[at] = open[at] with { Last = inside };
        }

        foreach (var group in open) done.Add(Group(group));
        done.AddRange(mapped);
        return string.Join(", ", done);
    }

    private static string Host(string ip) => ip.Contains(':') ? $"[{ip}]" : ip;

    private static string Group((string Ip, string Type, long First, long Last) group)
    {
        var range = group.First == group.Last ? $"{group.First}" : $"{group.First}-{group.Last}";
        return group.Ip.Length > 0 ? $"{Host(group.Ip)}:{range}->{range}/{group.Type}" : $"{range}/{group.Type}";
    }
}
