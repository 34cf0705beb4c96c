using System.Text.Json.Nodes;
using Sampan.Api;

namespace Sampan.Daemon.Shapes;

/// <summary>Info, events and disk usage as each version of the API shows them.</summary>
internal static class SystemShapes
{
    public static JsonNode Info(SystemInfo info, int version)
    {
        var node = Node.Of(info, ApiJson.Wire.SystemInfo);
        if (version < 50)
        {
            node["BridgeNfIptables"] = false;
            node["BridgeNfIp6tables"] = false;
        }

        if (version < 49)
        {
            node.Remove("FirewallBackend");
            foreach (var name in (string[])["ContainerdCommit", "RuncCommit", "InitCommit"])
            {
                node.Child(name)!["Expected"] = node.Child(name)!["ID"]?.DeepClone();
            }

            if (node.Child("RegistryConfig") is { } registries)
            {
                registries["AllowNondistributableArtifactsCIDRs"] = null;
                registries["AllowNondistributableArtifactsHostnames"] = null;
            }
        }

        if (version < 46)
        {
            node.Remove("CDISpecDirs");
        }

        if (version < 42)
        {
            node["KernelMemory"] = false;
            node["KernelMemoryTCP"] = false;
            node["ClusterStore"] = "";
            node["ClusterAdvertise"] = "";
        }

        if (version < 25)
        {
            node["ExecutionDriver"] = "<not supported>";
            node["SecurityOptions"] = new JsonArray([.. info.SecurityOptions.Select(o => JsonValue.Create(OptionName(o)))]);
        }

        return node;
    }

    /// <summary>Until 1.51 events repeated, in small letters, what <c>Action</c> and <c>Actor</c> say.</summary>
    public static JsonNode Event(EventMessage message, int version)
    {
        var node = Node.Of(message, ApiJson.Wire.EventMessage);
        if (version >= 52 || message.Type is not ("container" or "image"))
        {
            return node;
        }

        var old = new JsonObject { ["status"] = message.Action, ["id"] = message.Actor.ID };
        if (message.Type == "container" && message.Actor.Attributes.TryGetValue("image", out var image))
        {
            old["from"] = image;
        }

        foreach (var (name, value) in node)
        {
            old[name] = value?.DeepClone();
        }

        return old;
    }

    /// <summary>Since 1.52 one object for each kind, its items only when <paramref name="verbose"/>; before, bare lists.</summary>
    public static JsonNode DiskUsage(DiskUsage usage, int version, bool verbose)
    {
        if (version >= 52)
        {
            if (!verbose)
            {
                Bare(usage.ImageUsage);
                Bare(usage.ContainerUsage);
                Bare(usage.VolumeUsage);
                Bare(usage.BuildCacheUsage);
            }

            return Node.Of(usage, ApiJson.Wire.DiskUsage);
        }

        var node = new JsonObject
        {
            ["LayersSize"] = usage.ImageUsage?.TotalSize ?? 0,
            ["Images"] = usage.ImageUsage is { } images ? ImageShapes.List(images.Items ?? [], version) : null,
            ["Containers"] = usage.ContainerUsage is { } containers ? ContainerShapes.List(containers.Items ?? [], version) : null,
            ["Volumes"] = usage.VolumeUsage is { } volumes ? Node.Array(volumes.Items ?? [], v => Node.Of(v, ApiJson.Wire.Volume)) : null,
            ["BuildCache"] = usage.BuildCacheUsage is { } cache ? Node.Array(cache.Items ?? [], c => CacheRecord(c, version)) : null,
        };
        if (version < 42)
        {
            node["BuilderSize"] = usage.BuildCacheUsage?.TotalSize ?? 0;
        }

        return node;
    }

    private static void Bare<T>(DiskUsageOf<T>? usage)
    {
        if (usage is not null)
        {
            usage.Items = null;
        }
    }

    private static JsonNode CacheRecord(BuildCache record, int version)
    {
        var node = Node.Of(record, ApiJson.Wire.BuildCache);
        if (version < 42)
        {
            node["Parent"] = string.Join(' ', record.Parents ?? []);
            node.Remove("Parents");
        }

        return node;
    }

    /// <summary><c>name=seccomp,profile=builtin</c> was <c>seccomp</c>.</summary>
    private static string OptionName(string option) => option.Split(',')[0].Replace("name=", "", StringComparison.Ordinal);
}
