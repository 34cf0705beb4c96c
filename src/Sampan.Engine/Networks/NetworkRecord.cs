using System.Net;
using System.Text.Json.Serialization;

namespace Sampan.Engine.Networks;

/// <summary>What is stored of a network: what was asked for, and the choices that were made for it once.</summary>
internal sealed class NetworkRecord
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary><c>bridge</c>, <c>macvlan</c>, <c>ipvlan</c>, <c>host</c> or <c>null</c>.</summary>
    public required string Driver { get; init; }

    /// <summary>Made by the daemon; cannot be removed.</summary>
    public bool Predefined { get; init; }

    /// <summary>Nothing beyond the host is reached.</summary>
    public bool Internal { get; init; }

    public bool Attachable { get; init; }

    public Dictionary<string, string> Options { get; init; } = [];

    public Dictionary<string, string> Labels { get; init; } = [];

    public Dictionary<string, string>? IpamOptions { get; init; }

    /// <summary>No IPv4: what follows is null but for <see cref="IPv6"/>.</summary>
    public bool IPv6Only { get; init; }

    /// <summary>In CIDR notation; null until one is chosen.</summary>
    public string? Subnet { get; set; }

    /// <summary>See <see cref="PoolRecord.IsChosen"/>.</summary>
    public bool IsChosen { get; set; }

    /// <summary>Where addresses are chosen from, in CIDR notation; the whole subnet when null.</summary>
    public string? IPRange { get; init; }

    public string? Gateway { get; set; }

    /// <summary>Addresses that are in use by others, by name.</summary>
    public Dictionary<string, string>? AuxiliaryAddresses { get; init; }

    /// <summary>The IPv6 addresses; null on a network that has IPv4 only.</summary>
    public PoolRecord? IPv6 { get; set; }

    /// <summary>Further subnets of either family, which only a network on a parent has.</summary>
    public List<PoolRecord>? MorePools { get; init; }

    /// <summary>All its subnets that are settled, IPv4's first one and IPv6's first one before the others.</summary>
    [JsonIgnore]
    public IEnumerable<PoolRecord> Pools =>
    [
        .. Subnet is null ? Enumerable.Empty<PoolRecord>() : [new PoolRecord { Subnet = Subnet, IsChosen = IsChosen, IPRange = IPRange, Gateway = Gateway, AuxiliaryAddresses = AuxiliaryAddresses }],
        .. IPv6?.Subnet is null ? Enumerable.Empty<PoolRecord>() : [IPv6],
        .. MorePools ?? [],
    ];

    /// <summary>The host's interface: the bridge, or the parent; null until one is chosen.</summary>
    public string? Interface { get; set; }

    /// <summary>True for the bridge network that containers join when nothing is said; it has no name service.</summary>
    public bool IsDefaultBridge => Predefined && Driver == "bridge";

    /// <summary>True where containers find each other by name.</summary>
    public bool HasNames => HasAddresses && !Predefined;

    /// <summary>True where containers have interfaces and addresses.</summary>
    public bool HasAddresses => Driver is "bridge" || IsOnParent;

    /// <summary>True where containers' interfaces are made of one of the host's: then no port is published, others reach them anyway.</summary>
    public bool IsOnParent => Driver is ParentNetwork.Macvlan or ParentNetwork.Ipvlan;
}

/// <summary>Addresses of a network, as <see cref="NetworkRecord"/> has them for IPv4.</summary>
internal sealed class PoolRecord
{
    public string? Subnet { get; set; }

    /// <summary>The subnet is ours, not the user's: another time it may be another, so nobody asks for an address of it.</summary>
    public bool IsChosen { get; set; }

    public string? IPRange { get; init; }

    public string? Gateway { get; set; }

    public Dictionary<string, string>? AuxiliaryAddresses { get; init; }
}

/// <summary>A running container's place in one network.</summary>
internal sealed record EndpointRecord
{
    public required string Id { get; init; }

    public required string NetworkId { get; init; }

    /// <summary>The network's name.</summary>
    public required string Network { get; init; }

    /// <summary>The interface inside, as <c>eth0</c>.</summary>
    public required string Interface { get; init; }

    /// <summary>The host's end of the pair; empty on a network that is made on a parent.</summary>
    public required string HostInterface { get; init; }

    /// <summary>Empty on a network that has IPv6 only.</summary>
    public required string Address { get; init; }

    public required int PrefixLength { get; init; }

    /// <summary>The way out; empty on an internal network, which leads nowhere, and where <see cref="IsRouted"/>.</summary>
    public required string Gateway { get; init; }

    public required string Mac { get; init; }

    /// <summary>Empty on a network that has IPv4 only, as the two that follow.</summary>
    public string Address6 { get; init; } = "";

    public int PrefixLength6 { get; init; }

    public string Gateway6 { get; init; } = "";

    /// <summary>The interface itself is the way out, without a gateway.</summary>
    public bool IsRouted { get; init; }

    /// <summary>True where IPv4 has a way out.</summary>
    [JsonIgnore]
    public bool LeadsOut => Gateway.Length > 0 || (IsRouted && Address.Length > 0);

    /// <summary>True where IPv6 has a way out.</summary>
    [JsonIgnore]
    public bool LeadsOut6 => Gateway6.Length > 0 || (IsRouted && Address6.Length > 0);

    /// <summary>Its addresses of both families.</summary>
    [JsonIgnore]
    public IEnumerable<IPAddress> Addresses => ((string[])[Address, Address6]).Where(a => a.Length > 0).Select(a => IPAddress.Parse(a));
}

/// <summary>A port of a running container that is published.</summary>
/// <param name="Protocol"><c>tcp</c>, <c>udp</c> or <c>sctp</c>.</param>
/// <param name="ContainerPort">1 to 65535.</param>
/// <param name="HostIp">An address of the host, or <c>0.0.0.0</c> or <c>::</c>.</param>
/// <param name="HostPort">1 to 65535; 0 where the port is reached at the container's own address.</param>
/// <param name="Count">How many ports, from both numbers on.</param>
internal sealed record PortRecord(string Protocol, int ContainerPort, string HostIp, int HostPort, int Count = 1)
{
    /// <summary>As the API's maps have it, <c>80/tcp</c>.</summary>
    public string Key => $"{ContainerPort}/{Protocol}";

    /// <summary>A range as its ports, as the API has them.</summary>
    public IEnumerable<PortRecord> Each() => Count == 1 ? [this]
        : Enumerable.Range(0, Count).Select(i => this with { ContainerPort = ContainerPort + i, HostPort = HostPort == 0 ? 0 : HostPort + i, Count = 1 });
}
