using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>The networks a new container joins, by name or id.</summary>
public sealed class NetworkingConfig
{
    public Dictionary<string, EndpointSettings?>? EndpointsConfig { get; set; }
}

/// <summary>A container's place in one network: what was asked, and, once it runs, what it has.</summary>
public sealed class EndpointSettings
{
    public EndpointIPAMConfig? IPAMConfig { get; set; }
    public List<string>? Links { get; set; }
    public List<string>? Aliases { get; set; }
    public string MacAddress { get; set => field = value ?? ""; } = "";
    public Dictionary<string, string>? DriverOpts { get; set; }

    /// <summary>The network with the highest gives the default gateway.</summary>
    public int GwPriority { get; set; }

    public string NetworkID { get; set => field = value ?? ""; } = "";
    public string EndpointID { get; set => field = value ?? ""; } = "";
    public string Gateway { get; set => field = value ?? ""; } = "";
    public string IPAddress { get; set => field = value ?? ""; } = "";
    public int IPPrefixLen { get; set; }
    public string IPv6Gateway { get; set => field = value ?? ""; } = "";
    public string GlobalIPv6Address { get; set => field = value ?? ""; } = "";
    public int GlobalIPv6PrefixLen { get; set; }
    public List<string>? DNSNames { get; set; }

    /// <summary>What this version does not know is kept and shown again.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>Addresses asked for.</summary>
public sealed class EndpointIPAMConfig
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IPv4Address { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IPv6Address { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<string>? LinkLocalIPs { get; set; }
}

/// <summary>The network state of a container. The fields of the default bridge that clients before 1.52 expect are added at the edge.</summary>
public sealed class NetworkSettings
{
    public string SandboxID { get; set; } = "";
    public string SandboxKey { get; set; } = "";

    /// <summary>Keys are <c>port/protocol</c>; null for a port that is exposed only.</summary>
    public Dictionary<string, List<PortBinding>?> Ports { get; set; } = [];

    public Dictionary<string, EndpointSettings> Networks { get; set; } = [];
}
