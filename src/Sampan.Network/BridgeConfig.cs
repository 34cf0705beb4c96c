using System.Net;
using System.Net.NetworkInformation;

namespace Sampan.Network;

/// <summary>What a bridge network shall be.</summary>
/// <param name="Name">The bridge's interface name, at most 15 bytes.</param>
/// <param name="Gateway">The bridge's own address, the containers' default gateway; null on a network that has IPv6 only.</param>
/// <param name="PrefixLength">Bits of the subnet.</param>
/// <param name="Mtu">Of the bridge and its containers' interfaces, in bytes.</param>
/// <param name="Masquerade">Whether what leaves the host wears the host's address.</param>
/// <param name="Icc">Whether containers on the bridge reach each other without published ports.</param>
/// <param name="Internal">Whether nothing beyond the host can be reached.</param>
/// <param name="OwnerTag">Names the daemon it belongs to (e.g. its data root), so that several live beside each other. Without ':' or
/// line ends.</param>
public sealed record BridgeConfig(
    string Name, IPAddress? Gateway, int PrefixLength, int Mtu, bool Masquerade, bool Icc, bool Internal, string OwnerTag)
{
    /// <summary>The bridge of the predefined network <c>bridge</c>.</summary>
    public const string DefaultName = "sampan0";

    /// <summary>Ethernet's, 1500 bytes.</summary>
    public const int DefaultMtu = 1500;

    /// <summary>The IPv4 addresses of the network.</summary>
    public IPNetwork? Subnet => Gateway is null ? null : AddressMath.NetworkOf(Gateway, PrefixLength);

    /// <summary>The bridge's own IPv6 address; null on a network that has IPv4 only.</summary>
    public IPAddress? Gateway6 { get; init; }

    /// <summary>Bits of the IPv6 subnet.</summary>
    public int PrefixLength6 { get; init; }

    /// <summary>The IPv6 addresses of the network.</summary>
    public IPNetwork? Subnet6 => Gateway6 is null ? null : AddressMath.NetworkOf(Gateway6, PrefixLength6);

    /// <summary>How IPv4 packets come in and go out.</summary>
    public GatewayMode Mode { get; init; }

    /// <summary>How IPv6 packets come in and go out.</summary>
    public GatewayMode Mode6 { get; init; }

    /// <summary>True where the bridge does not get its IPv4 address: somebody else is the gateway.</summary>
    public bool InhibitIPv4 { get; init; }

    /// <summary>Which of the host's IPv4 addresses is worn with <see cref="Masquerade"/>; the one of the way out when null.</summary>
    public IPAddress? Source { get; init; }

    /// <summary>The same for IPv6.</summary>
    public IPAddress? Source6 { get; init; }

    /// <summary>The subnets of both families.</summary>
    internal IEnumerable<IPNetwork> Subnets => ((IPNetwork?[])[Subnet, Subnet6]).OfType<IPNetwork>();

    /// <summary>The gateways of both families with the bits of their subnets.</summary>
    internal IEnumerable<(IPAddress Address, int PrefixLength)> Gateways =>
        from gateway in ((IPAddress?, int)[])[(Gateway, PrefixLength), (Gateway6, PrefixLength6)]
        where gateway.Item1 is not null
        select (gateway.Item1, gateway.Item2);

    /// <summary>Those that the bridge itself has.</summary>
    internal IEnumerable<(IPAddress Address, int PrefixLength)> Addresses =>
        Gateways.Where(g => g.Address == Gateway ? !InhibitIPv4 && Mode != GatewayMode.Isolated : Mode6 != GatewayMode.Isolated);
}

/// <summary>How packets of a family pass between a bridge's containers and the world.</summary>
public enum GatewayMode
{
    /// <summary>Containers wear the host's address, and are reached by published ports alone.</summary>
    Nat,

    /// <summary>The same, and whoever has a route to the containers' addresses reaches all of their ports.</summary>
    NatUnprotected,

    /// <summary>Containers keep their addresses, and are reached at them: published ports and echo requests.</summary>
    Routed,

    /// <summary>The host has no address on the bridge; only internal networks may be so.</summary>
    Isolated,
}

/// <summary>A bridge that exists.</summary>
/// <param name="Name">Its interface name.</param>
/// <param name="Index">Its interface index.</param>
/// <param name="OwnerTag">The daemon it belongs to.</param>
public sealed record BridgeInfo(string Name, int Index, string OwnerTag);

/// <summary>A container's place on a bridge.</summary>
/// <param name="HostInterface">The host's end of the pair.</param>
/// <param name="InterfaceName">The container's end.</param>
/// <param name="Address">The container's IPv4 address; null on a network that has IPv6 only.</param>
/// <param name="PrefixLength">Bits of the subnet.</param>
/// <param name="Gateway">The bridge's address, or null likewise.</param>
/// <param name="Mac">The container's hardware address.</param>
public sealed record EndpointInfo(
    string HostInterface, string InterfaceName, IPAddress? Address, int PrefixLength, IPAddress? Gateway, PhysicalAddress Mac)
{
    /// <summary>The container's IPv6 address; null on a network that has IPv4 only.</summary>
    public IPAddress? Address6 { get; init; }

    /// <summary>Bits of the IPv6 subnet.</summary>
    public int PrefixLength6 { get; init; }

    /// <summary>The bridge's IPv6 address.</summary>
    public IPAddress? Gateway6 { get; init; }

    /// <summary>
    /// Docker's hardware address for an IPv4 address: 02:42 and the address, so that a reused address never meets a stale ARP entry.
    /// </summary>
    public static PhysicalAddress MacFor(IPAddress address) => new([0x02, 0x42, .. address.GetAddressBytes()[^4..]]);

    /// <summary>A hardware address as Docker prints it, <c>02:42:ac:11:00:02</c>.</summary>
    public static string Format(PhysicalAddress mac) =>
        Convert.ToHexStringLower(mac.GetAddressBytes()) is { Length: 12 } hex ? string.Join(':', hex.Chunk(2).Select(pair => new string(pair))) : "";
}
