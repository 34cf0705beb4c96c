using System.Globalization;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Commands.Images;
using Sampan.Cli.Commands.Volumes;
using Sampan.Cli.Formatting;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Host;

/// <summary><c>system df</c>.</summary>
internal static class DiskUsageCommand
{
    private static Dictionary<string, string> Headings => new()
    {
        ["Type"] = "TYPE",
        ["TotalCount"] = "TOTAL",
        ["Active"] = "ACTIVE",
        ["Size"] = "SIZE",
        ["Reclaimable"] = "RECLAIMABLE",
    };

    public static Command DiskUsage() => new()
    {
        Name = "df",
        Summary = "Show what takes how much space",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var format = f.Format();
            var verbose = f.Switch("verbose", 'v', "Show each thing's share");
            return (context, _) =>
            {
                var table = new Table("table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}", Headings, format.Value);
                var usage = context.Api.GetJson("/system/df");
                if (verbose && format.Value.Length == 0)
                {
                    context.Out.Write(Verbose(usage, context.Now));
                    return 0;
                }

                Row[] rows = [Images(usage), Containers(usage), Volumes(usage), Cache(usage)];
                table.Print(context.Out, rows);
                return 0;
            };
        },
    };

    private static Row Images(JsonNode? usage)
    {
        var images = usage.Items("Images");
        double total = usage.Real("LayersSize"), used = 0;
        var active = 0;
        foreach (var image in images)
        {
            if (image.Number("Containers") <= 0) continue;
            active++;
            if (image.Number("Size") >= 0 && image.Number("SharedSize") >= 0) used += image.Number("Size") - image.Number("SharedSize");
        }

        return RowOf("Images", images.Count, active, total, total - used, share: true);
    }

    private static Row Containers(JsonNode? usage)
    {
        double size = 0, free = 0;
        var active = 0;
        var containers = usage.Items("Containers");
        foreach (var container in containers)
        {
            var runs = container.Text("State") is "running" or "paused" or "restarting";
            active += runs ? 1 : 0;
            size += container.Number("SizeRw");
            free += runs ? 0 : container.Number("SizeRw");
        }

        return RowOf("Containers", containers.Count, active, size, free, share: true);
    }

    private static Row Volumes(JsonNode? usage)
    {
        double size = 0, free = 0;
        var active = 0;
        var volumes = usage.Items("Volumes");
        foreach (var volume in volumes)
        {
            var data = volume.Child("UsageData");
            var used = data.Number("RefCount") > 0;
            active += used ? 1 : 0;
            if (data.Number("Size") < 0) continue;
            size += data.Number("Size");
            free += used ? 0 : data.Number("Size");
        }

        return RowOf("Local Volumes", volumes.Count, active, size, free, share: true);
    }

    private static Row Cache(JsonNode? usage)
    {
        double size = 0, free = 0;
        var active = 0;
        var entries = usage.Items("BuildCache");
        foreach (var entry in entries)
        {
            active += entry.Flag("InUse") ? 1 : 0;
            if (entry.Flag("Shared")) continue;
            size += entry.Number("Size");
            free += entry.Flag("InUse") ? 0 : entry.Number("Size");
        }

        return RowOf("Build Cache", entries.Count, active, size, free, share: false);
    }

    private static Row RowOf(string type, int total, int active, double size, double free, bool share) => new Row("*formatter.diskUsageContext")
        .Field("Type", () => type)
        .Field("TotalCount", () => total.ToString(CultureInfo.InvariantCulture))
        .Field("Active", () => active.ToString(CultureInfo.InvariantCulture))
        .Field("Size", () => Units.Human(size, 4))
        .Field("Reclaimable", () => share && size > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{Units.Human(free, 4)} ({(int)(free * 100 / size)}%)")
            : Units.Human(free, 4));

    private static string Verbose(JsonNode? usage, DateTimeOffset now)
    {
        var images = new List<Row>();
        foreach (var image in usage.Items("Images")) images.Add(ImagesCommand.Rows(image, now, noTrunc: false, digests: false)[0]);
        var containers = new List<Row>();
        foreach (var container in usage.Items("Containers")) containers.Add(PsCommand.RowOf(container, now, noTrunc: false, size: true).Field("Size", () => Units.Human(container.Number("SizeRw"))));
        var volumes = new List<Row>();
        foreach (var volume in usage.Items("Volumes")) volumes.Add(VolumeCommands.RowOf(volume));
        var cache = new List<Row>();
        foreach (var entry in usage.Items("BuildCache")) cache.Add(CacheRow(entry, now));
        return "Images space usage:\n\n"
            + Table("{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}", images,
                "REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS")
            + "\nContainers space usage:\n\n"
            + Table("{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}", containers,
                "CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES")
            + "\nLocal Volumes space usage:\n\n"
            + Table("{{.Name}}\t{{.Links}}\t{{.Size}}", volumes, "VOLUME NAME", "LINKS", "SIZE")
            + $"\nBuild cache usage: {Units.Human(CacheSize(usage), 4)}\n\n"
            + Table("{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}", cache,
                "CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "USAGE", "SHARED");
    }

    private static double CacheSize(JsonNode? usage)
    {
        double size = 0;
        foreach (var entry in usage.Items("BuildCache")) size += entry.Flag("Shared") ? 0 : entry.Number("Size");
        return size;
    }

    private static Row CacheRow(JsonNode? entry, DateTimeOffset now) => new Row("*formatter.buildCacheContext")
        .Field("ID", () => PsCommand.Short(entry.Text("ID")))
        .Field("CacheType", () => entry.Text("Type"))
        .Field("Size", () => Units.Human(entry.Number("Size")))
        .Field("CreatedSince", () => entry.Time("CreatedAt") is { } created ? Durations.Ago(created, now) : "")
        .Field("LastUsedSince", () => entry.Time("LastUsedAt") is { } used ? Durations.Ago(used, now) : "")
        .Field("UsageCount", () => entry.Number("UsageCount").ToString(CultureInfo.InvariantCulture))
        .Field("Shared", () => entry.Flag("Shared") ? "true" : "false");

    private static string Table(string template, List<Row> rows, params string[] headings)
        => TabWriter.Align(string.Join('\t', headings) + "\n" + (rows.Count == 0 ? "" : new Table(template, new Dictionary<string, string>(), template).Render(rows)));
}
