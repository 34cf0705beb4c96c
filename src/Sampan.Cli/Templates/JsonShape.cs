using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sampan.Cli.Templates;

/// <summary>A Go slice or map that is nil: JSON says null, <c>%v</c> says <c>[]</c> or <c>map[]</c>, <c>len</c> is 0.</summary>
internal sealed class NilCollection
{
    public static readonly NilCollection List = new();
    public static readonly NilCollection Map = new();
}

/// <summary>
/// Templates were written for Docker's Go structures, where a field that JSON leaves out still exists. This says which parts of the
/// API's JSON are maps (any key may be asked for), and what the fields that may be absent hold then.
/// </summary>
internal static class JsonShape
{
    private static readonly HashSet<string> Maps =
    [
        "Annotations", "Attributes", "Containers", "Data", "DriverOpts", "ExposedPorts", "Labels", "Metadata", "Networks", "Options",
        "PortBindings", "Ports", "Status", "StorageOpt", "Sysctls", "Tmpfs", "Volumes", "EndpointsConfig", "Runtimes", "Details",
        "networks", "IndexConfigs",
    ];

    private static readonly HashSet<string> Pointers =
    [
        "Health", "Healthcheck", "IPAMConfig", "Init", "KernelMemory", "MemorySwappiness", "OomKillDisable", "PidsLimit", "StopTimeout",
        "SizeRw", "SizeRootFs", "GraphDriver", "ImageManifestDescriptor", "UsageData", "BindOptions", "VolumeOptions", "TmpfsOptions",
        "ClusterVolume", "Server", "Swarm",
    ];

    private static readonly HashSet<string> OptionalTexts =
    [
        "StopSignal", "Runtime", "MacAddress", "Driver", "Type", "Name", "Parent", "Comment", "Author", "Variant", "Created", "LastTagTime",
        "Title", "DockerVersion", "Container", "OsVersion",
    ];

    private static readonly HashSet<string> OptionalLists = ["Shell", "OnBuild", "Mounts", "DNSNames", "Aliases", "Links", "Warnings", "RepoTags", "RepoDigests"];

    private static readonly HashSet<string> OptionalSwitches = ["ArgsEscaped", "NetworkDisabled"];

    /// <summary>Whether the object is a Go map: it prints as <c>map[k:v]</c> and lacks no key.</summary>
    public static bool IsMap(JsonObject node)
    {
        if (node.Parent is not JsonObject parent) return false;
        var name = node.GetPropertyName();
        // LogConfig.Config is a map where the Config of a container is not.
        return Maps.Contains(name) || name == "Config" && parent.Parent is JsonObject && parent.GetPropertyName() == "LogConfig";
    }

    /// <summary>A field of the object, as a template's value; false when the object has no such field in Go either.</summary>
    public static bool TryField(JsonObject node, string name, out object? value)
    {
        if (node.TryGetPropertyValue(name, out var child))
        {
            value = child is null ? Nil(name) : Unwrap(child);
            return true;
        }

        value = OptionalTexts.Contains(name) ? "" : OptionalSwitches.Contains(name) ? false : Nil(name);
        return OptionalTexts.Contains(name) || OptionalSwitches.Contains(name) || OptionalLists.Contains(name) || Pointers.Contains(name)
            || Maps.Contains(name) && name is not ("Status" or "Data");
    }

    /// <summary>A JSON value as templates calculate with it; objects and arrays stay what they are.</summary>
    public static object? Unwrap(JsonNode? node)
    {
        if (node is not JsonValue value) return node;
        switch (value.GetValueKind())
        {
            case JsonValueKind.String:
                return value.GetValue<string>();
            case JsonValueKind.True:
                return true;
            case JsonValueKind.False:
                return false;
            case JsonValueKind.Number:
                if (value.TryGetValue<long>(out var whole)) return whole;
                return value.TryGetValue<int>(out var small) ? (long)small : value.GetValue<double>();
            default:
                return null;
        }
    }

    private static object? Nil(string name)
        => Pointers.Contains(name) ? null : Maps.Contains(name) ? NilCollection.Map : NilCollection.List;
}
