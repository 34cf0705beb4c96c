using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands;

/// <summary>The commands that remove what nothing uses.</summary>
internal static class PruneCommands
{
    public static Command Containers() => Of("Remove all containers that do not run", "",
        static _ => "This will remove all stopped containers.",
        static (context, _, filters) => Report(context, PruneContainers(context, filters)));

    public static Command Images() => Of("Remove images that nothing uses", "Remove named images too that no container uses",
        static all => $"This will remove all {(all ? "images without at least one container associated to them" : "dangling images")}.",
        static (context, all, filters) => Report(context, PruneImages(context, all, filters)));

    public static Command Volumes() => Of("Remove volumes that no container uses", "Remove named volumes too, not only anonymous ones",
        static all => $"This will remove {(all ? "all" : "anonymous")} local volumes not used by at least one container.",
        static (context, all, filters) => Report(context, PruneVolumes(context, all, filters)));

    public static Command Networks() => Of("Remove networks that no container uses", "",
        static _ => "This will remove all custom networks not used by at least one container.",
        static (context, _, filters) => PruneNetworks(context, filters));

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
                PruneNetworks(context, filter.Values);
                if (volumes) freed += PruneVolumes(context, all: false, filter.Values).Freed;
                freed += PruneImages(context, all, filter.Values).Freed;
                freed += PruneCache(context, PruneQuery(all, filter.Values.FindAll(static v => v.StartsWith("until=", StringComparison.Ordinal)))).Freed;
                context.Line($"Total reclaimed space: {Units.Human(freed, 4)}");
                return 0;
            };
        },
    };

    /// <summary>A command that asks and then prunes.</summary>
    /// <param name="all">What the switch <c>--all</c> is for; empty when there is none.</param>
    /// <param name="warning">What is asked, with the switch or without.</param>
    private static Command Of(string summary, string all, Func<bool, string> warning, Action<ClientContext, bool, List<string>> prune) => new()
    {
        Name = "prune",
        Summary = summary,
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = f =>
        {
            var everything = all.Length > 0 ? f.Switch("all", 'a', all) : null;
            var filter = f.Filter('\0');
            var force = f.Yes();
            return (context, _) =>
            {
                var isAll = everything is not null && everything;
                if (force || Targets.Confirm(context, warning(isAll))) prune(context, isAll, filter.Values);
                return 0;
            };
        },
    };

    private static void PruneNetworks(ClientContext context, List<string> filters)
        => Api(context, "/networks/prune", filters, "NetworksDeleted", "Deleted Networks:");

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
