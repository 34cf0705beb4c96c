using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands;

/// <summary>The commands that remove what nothing uses.</summary>
internal static class PruneCommands
{
    public static Command Containers() => new()
    {
        Name = "prune",
        Summary = "Remove all containers that do not run",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var filter = f.Filter('\0');
            var force = f.Yes();
            return (context, _) =>
            {
                if (!force && !Targets.Confirm(context, "This will remove all stopped containers.")) return 0;
                Report(context, PruneContainers(context, filter.Values));
                return 0;
            };
        },
    };

    public static Command Images() => new()
    {
        Name = "prune",
        Summary = "Remove images that nothing uses",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var all = f.Switch("all", 'a', "Remove named images too that no container uses");
            var filter = f.Filter('\0');
            var force = f.Yes();
            return (context, _) =>
            {
                var warning = all ? "This will remove all images without at least one container associated to them." : "This will remove all dangling images.";
                if (!force && !Targets.Confirm(context, warning)) return 0;
                Report(context, PruneImages(context, all, filter.Values));
                return 0;
            };
        },
    };

    public static Command Volumes() => new()
    {
        Name = "prune",
        Summary = "Remove volumes that no container uses",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var all = f.Switch("all", 'a', "Remove named volumes too, not only anonymous ones");
            var filter = f.Filter('\0');
            var force = f.Yes();
            return (context, _) =>
            {
                var warning = all ? "This will remove all local volumes not used by at least one container."
                    : "This will remove anonymous local volumes not used by at least one container.";
                if (!force && !Targets.Confirm(context, warning)) return 0;
                Report(context, PruneVolumes(context, all, filter.Values));
                return 0;
            };
        },
    };

    public static Command Networks() => new()
    {
        Name = "prune",
        Summary = "Remove networks that no container uses",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var filter = f.Filter('\0');
            var force = f.Yes();
            return (context, _) =>
            {
                if (!force && !Targets.Confirm(context, "This will remove all custom networks not used by at least one container.")) return 0;
                Api(context, "/networks/prune", filter.Values, "NetworksDeleted", "Deleted Networks:");
                return 0;
            };
        },
    };

    public static Command Builder() => new()
    {
        Name = "prune",
        Summary = "Remove the build cache",
        Arity = Arity.None,
        Setup = static f =>
        {
            var all = f.Switch("all", 'a', "Remove all of the cache, not only what hangs loose");
            var filter = f.Filter('\0');
            var force = f.Yes();
            var keep = f.Bytes("keep-storage", '\0', "Keep so much of the cache");
            var reserved = f.Bytes("reserved-space", '\0', "Keep so much of the cache");
            var most = f.Bytes("max-used-space", '\0', "Let the cache take so much");
            var free = f.Bytes("min-free-space", '\0', "Have so much free on the disk");
            return (context, _) =>
            {
                var warning = all ? "This will remove all build cache." : "This will remove all dangling build cache.";
                if (!force && !Targets.Confirm(context, warning)) return 0;
                var query = PruneQuery(all, filter.Values).AddIf(most.Value > 0, "max-used-space", $"{most.Value}")
                    .AddIf(free.Value > 0, "min-free-space", $"{free.Value}");
                var room = Math.Max(keep.Value, reserved.Value);
                Report(context, PruneCache(context, query.AddIf(room > 0, "keep-storage", $"{room}").AddIf(room > 0, "reserved-space", $"{room}")));
                return 0;
            };
        },
    };

    public static Command System() => new()
    {
        Name = "prune",
        Summary = "Remove everything that nothing uses",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var all = f.Switch("all", 'a', "Remove named images too that no container uses");
            var filter = f.Filter('\0');
            var force = f.Yes();
            var volumes = f.Switch("volumes", "Remove anonymous volumes too");
            return (context, _) =>
            {
                if (!force && !Targets.Confirm(context, SystemWarning(all, volumes, filter.Values))) return 0;
                var freed = PruneContainers(context, filter.Values).Freed;
                Api(context, "/networks/prune", filter.Values, "NetworksDeleted", "Deleted Networks:");
                if (volumes) freed += PruneVolumes(context, all: false, filter.Values).Freed;
                freed += PruneImages(context, all, filter.Values).Freed;
                freed += PruneCache(context, PruneQuery(all, filter.Values.FindAll(static v => v.StartsWith("until=", StringComparison.Ordinal)))).Freed;
                context.Line($"Total reclaimed space: {Units.Human(freed, 4)}");
                return 0;
            };
        },
    };

    private static (bool Any, double Freed) PruneContainers(ClientContext context, List<string> filters)
        => Api(context, "/containers/prune", filters, "ContainersDeleted", "Deleted Containers:");

    private static (bool Any, double Freed) PruneVolumes(ClientContext context, bool all, List<string> filters)
        => Api(context, "/volumes/prune", all ? [.. filters, "all=true"] : filters, "VolumesDeleted", "Deleted Volumes:");

    private static (bool Any, double Freed) PruneImages(ClientContext context, bool all, List<string> filters)
        => Api(context, "/images/prune", [.. filters, all ? "dangling=false" : "dangling=true"], "ImagesDeleted", "Deleted Images:");

    private static Query PruneQuery(bool all, List<string> filters) => new Query("/build/prune").AddIf(all, "all").AddFilters(filters);

    private static (bool Any, double Freed) PruneCache(ClientContext context, Query query)
    {
        var result = context.Api.Post(query.ToString());
        return (Print(context, result.Items("CachesDeleted"), "Deleted build cache objects:"), result.Real("SpaceReclaimed"));
    }

    private static (bool Any, double Freed) Api(ClientContext context, string path, List<string> filters, string member, string heading)
    {
        var result = context.Api.Post(new Query(path).AddFilters(filters).ToString());
        return (Print(context, result.Items(member), heading), result.Real("SpaceReclaimed"));
    }

    private static bool Print(ClientContext context, IReadOnlyList<JsonNode?> items, string heading)
    {
        if (items.Count == 0) return false;
        context.Line(heading);
        foreach (var item in items)
        {
            if (item is JsonObject) context.Line(item.Text("Untagged") is { Length: > 0 } name ? "untagged: " + name : "deleted: " + item.Text("Deleted"));
            else context.Line(item?.ToString() ?? "");
        }

        context.Line("");
        return true;
    }

    private static void Report(ClientContext context, (bool Any, double Freed) result)
        => context.Line($"Total reclaimed space: {Units.Human(result.Freed, 4)}");

    private static string SystemWarning(bool all, bool volumes, List<string> filters)
    {
        var text = "This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n";
        if (volumes) text += "  - all anonymous volumes not used by at least one container\n";
        text += all ? "  - all images without at least one container associated to them\n  - all build cache\n" : "  - all dangling images\n  - unused build cache\n";
        if (filters.Count > 0) text += "\n  Items to be pruned will be filtered with:\n" + string.Concat(filters.ConvertAll(static f => $"  - {f}\n"));
        return text;
    }
}
