using System.Text.Json.Nodes;
using Sampan.Api;

namespace Sampan.Daemon.Shapes;

/// <summary>Containers as each version of the API shows them. The numbers are minor versions: 44 is API 1.44.</summary>
internal static class ContainerShapes
{
    public static JsonNode Inspect(ContainerInspect container, int version)
    {
        var node = Node.Of(container, ApiJson.Wire.ContainerInspect);
        var settings = node.Child("NetworkSettings")!;
        Endpoints(settings.Child("Networks"), version);
        if (version < 45)
        {
            AliasesWithId(container, settings.Child("Networks"));
        }

        if (version < 52)
        {
            settings = LegacyNetworkSettings(settings);
            node["NetworkSettings"] = settings;
            node.Remove("Storage");
        }
        else
        {
            node.Child("Config")!.Remove("MacAddress"); // it is an endpoint's since 1.44
        }

        if (version < 48)
        {
            node.Remove("ImageManifestDescriptor");
        }

        if (version < 43)
        {
            node.Child("HostConfig")!.Remove("Annotations");
        }

        if (version < 44)
        {
            (node.Child("Config")!["Healthcheck"] as JsonObject)?.Remove("StartInterval");
        }

        return node;
    }

    public static JsonNode List(IEnumerable<ContainerSummary> list, int version) => Node.Array(list, c => Summary(c, version));

    public static JsonNode Summary(ContainerSummary container, int version)
    {
        var node = Node.Of(container, ApiJson.Wire.ContainerSummary);
        Endpoints(node.Child("NetworkSettings")!.Child("Networks"), version);
        if (version < 52)
        {
            node.Remove("Health");
        }

        if (version < 48)
        {
            node.Remove("ImageManifestDescriptor");
        }

        if (version < 46)
        {
            node.Child("HostConfig")!.Remove("Annotations");
        }

        return node;
    }

    private static void Endpoints(JsonObject? networks, int version)
    {
        foreach (var (_, endpoint) in networks ?? [])
        {
            if (version < 44)
            {
                endpoint?.AsObject().Remove("DNSNames");
            }

            if (version < 48)
            {
                endpoint?.AsObject().Remove("GwPriority");
            }
        }
    }

    /// <summary>Until 1.44 the aliases in user-defined networks had the short id among them.</summary>
    private static void AliasesWithId(ContainerInspect container, JsonObject? networks)
    {
        foreach (var (name, endpoint) in networks ?? [])
        {
            if (endpoint is JsonObject settings && name is not ("bridge" or "host" or "none" or "default"))
            {
                var shortId = container.Id[..Math.Min(12, container.Id.Length)];
                var aliases = (container.NetworkSettings.Networks[name].Aliases ?? []).Append(shortId).Append(container.Config.Hostname);
                settings["Aliases"] = new JsonArray([.. aliases.Where(a => a.Length > 0).Distinct().Select(a => JsonValue.Create(a))]);
            }
        }
    }

    /// <summary>Until 1.51 the endpoint of the default bridge was repeated beside the networks.</summary>
    private static JsonObject LegacyNetworkSettings(JsonObject settings)
    {
        var bridge = settings.Child("Networks")?.Child("bridge");
        JsonNode Text(string name) => bridge?[name]?.DeepClone() ?? "";
        JsonNode Number(string name) => bridge?[name]?.DeepClone() ?? 0;
        return new JsonObject
        {
            ["Bridge"] = "",
            ["SandboxID"] = settings["SandboxID"]?.DeepClone(),
            ["SandboxKey"] = settings["SandboxKey"]?.DeepClone(),
            ["Ports"] = settings["Ports"]?.DeepClone(),
            ["HairpinMode"] = false,
            ["LinkLocalIPv6Address"] = "",
            ["LinkLocalIPv6PrefixLen"] = 0,
            ["SecondaryIPAddresses"] = null,
            ["SecondaryIPv6Addresses"] = null,
            ["EndpointID"] = Text("EndpointID"),
            ["Gateway"] = Text("Gateway"),
            ["GlobalIPv6Address"] = Text("GlobalIPv6Address"),
            ["GlobalIPv6PrefixLen"] = Number("GlobalIPv6PrefixLen"),
            ["IPAddress"] = Text("IPAddress"),
            ["IPPrefixLen"] = Number("IPPrefixLen"),
            ["IPv6Gateway"] = Text("IPv6Gateway"),
            ["MacAddress"] = Text("MacAddress"),
            ["Networks"] = settings["Networks"]?.DeepClone(),
        };
    }
}
