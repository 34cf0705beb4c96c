using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>A network: the swagger's <c>NetworkSummary</c> and <c>NetworkInspect</c>.</summary>
public sealed class Network
{
    public string Name { get; set; } = "";
    public string Id { get; set; } = "";
    public string Created { get; set; } = GoTime.Zero;
    public string Scope { get; set; } = "local";
    public string Driver { get; set; } = "";
    public bool EnableIPv4 { get; set; } = true;
    public bool EnableIPv6 { get; set; }
    public IPAM IPAM { get; set; } = new();
    public bool Internal { get; set; }
    public bool Attachable { get; set; }
    public bool Ingress { get; set; }
    public ConfigReference ConfigFrom { get; set; } = new();
    public bool ConfigOnly { get; set; }

    /// <summary>Endpoints by container id; only inspect fills it.</summary>
    public Dictionary<string, EndpointResource>? Containers { get; set; } = [];

    public Dictionary<string, string> Options { get; set; } = [];
    public Dictionary<string, string> Labels { get; set; } = [];

    /// <summary>Since 1.52; only inspect fills it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public NetworkStatus? Status { get; set; }
}

/// <summary>Address management of a network.</summary>
public sealed class IPAM
{
    public string Driver { get; set => field = value ?? "default"; } = "default";
    public Dictionary<string, string>? Options { get; set; }
    public List<IPAMConfig>? Config { get; set; } = [];
}

/// <summary>One address pool.</summary>
public sealed class IPAMConfig
{
    /// <summary>In CIDR notation.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Subnet { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IPRange { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Gateway { get; set; }

    [JsonPropertyName("AuxiliaryAddresses"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? AuxiliaryAddresses { get; set; }
}

/// <summary>The network another takes its configuration from.</summary>
public sealed class ConfigReference
{
    public string Network { get; set => field = value ?? ""; } = "";
}

/// <summary>A container in a network.</summary>
public sealed class EndpointResource
{
    public string Name { get; set; } = "";
    public string EndpointID { get; set; } = "";
    public string MacAddress { get; set; } = "";

    /// <summary>In CIDR notation.</summary>
    public string IPv4Address { get; set; } = "";

    public string IPv6Address { get; set; } = "";
}

/// <summary>Facts about a network.</summary>
public sealed class NetworkStatus
{
    public IPAMStatus IPAM { get; set; } = new();
}

/// <summary>Use of the pools, by subnet.</summary>
public sealed class IPAMStatus
{
    public Dictionary<string, SubnetStatus> Subnets { get; set; } = [];
}

/// <summary>Use of one pool.</summary>
public sealed class SubnetStatus
{
    public ulong IPsInUse { get; set; }
    public ulong DynamicIPsAvailable { get; set; }
}

/// <summary>The body of <c>POST /networks/create</c>.</summary>
public sealed class NetworkCreateRequest
{
    public string Name { get; set => field = value ?? ""; } = "";
    public string Driver { get; set => field = value ?? ""; } = "";
    public string Scope { get; set => field = value ?? ""; } = "";
    public bool? EnableIPv4 { get; set; }
    public bool? EnableIPv6 { get; set; }
    public IPAM? IPAM { get; set; }
    public bool Internal { get; set; }
    public bool Attachable { get; set; }
    public bool Ingress { get; set; }
    public bool ConfigOnly { get; set; }
    public ConfigReference? ConfigFrom { get; set; }
    public Dictionary<string, string>? Options { get; set; }
    public Dictionary<string, string>? Labels { get; set; }
}

/// <summary>The answer to <c>POST /networks/create</c>.</summary>
public sealed class NetworkCreateResponse
{
    public string Id { get; set; } = "";
    public string Warning { get; set; } = "";
}

/// <summary>The body of <c>POST /networks/{id}/connect</c>.</summary>
public sealed class NetworkConnectRequest
{
    public string Container { get; set => field = value ?? ""; } = "";
    public EndpointSettings? EndpointConfig { get; set; }
}

/// <summary>The body of <c>POST /networks/{id}/disconnect</c>.</summary>
public sealed class NetworkDisconnectRequest
{
    public string Container { get; set => field = value ?? ""; } = "";
    public bool Force { get; set; }
}

/// <summary>The answer to <c>GET /sampan/port</c>: what becomes of a packet that another machine sends to a port of the host.</summary>
public sealed class PortExplanation
{
    public List<PortWay> Ways { get; set; } = [];
}

/// <summary>The way of a packet to one address of the host.</summary>
public sealed class PortWay
{
    /// <summary>Address, port and protocol, as <c>0.0.0.0:80/tcp</c>.</summary>
    public string Port { get; set; } = "";

    /// <summary>The container that publishes it; empty when none does.</summary>
    public string Container { get; set; } = "";

    /// <summary>What the packet meets, in order.</summary>
    public List<string> Steps { get; set; } = [];

    public string Result { get; set; } = "";
}

/// <summary>The answer to <c>POST /networks/prune</c>.</summary>
public sealed class NetworksPruneResponse
{
    public List<string>? NetworksDeleted { get; set; }
}
