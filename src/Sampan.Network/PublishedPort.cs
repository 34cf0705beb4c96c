using System.Net;

namespace Sampan.Network;

/// <summary>Protocols that have ports.</summary>
public enum PortProtocol
{
    /// <summary>TCP.</summary>
    Tcp,

    /// <summary>UDP.</summary>
    Udp,

    /// <summary>SCTP.</summary>
    Sctp,
}

/// <summary>A container's port that is reached at an address of the host (<c>-p</c>).</summary>
/// <param name="Protocol">The protocol.</param>
/// <param name="HostAddress">An address of the host, or 0.0.0.0 or :: for each of its family.</param>
/// <param name="HostPort">1 to 65535; 0 when <see cref="IsRouted"/>.</param>
/// <param name="ContainerAddress">The container's address on its bridge.</param>
/// <param name="ContainerPort">1 to 65535.</param>
public sealed record PublishedPort(
    PortProtocol Protocol, IPAddress HostAddress, int HostPort, IPAddress ContainerAddress, int ContainerPort)
{
    /// <summary>How many ports, from the two numbers on: of a range, whose numbers are the same on both sides, there may be several.</summary>
    public int Count { get; init; } = 1;

    /// <summary>The last port of the host.</summary>
    public int LastHostPort => HostPort + Count - 1;

    /// <summary>True when it is each address of the family.</summary>
    public bool IsAnyAddress => HostAddress.Equals(IPAddress.Any) || HostAddress.Equals(IPAddress.IPv6Any);

    /// <summary>True when packets are to pass the host's own firewall: then they must be the host's, and cannot be led on by the kernel.</summary>
    public bool ObeysHostFirewall { get; init; }

    /// <summary>
    /// True when the port is reached at the container's own address (<see cref="GatewayMode.Routed"/>): it takes no port of the host, and
    /// <see cref="HostPort"/> is 0.
    /// </summary>
    public bool IsRouted { get; init; }

    /// <summary>True when what comes is passed on by <see cref="PortRelay"/>: also where the container lacks the family of the host's address.</summary>
    public bool IsRelayed => !IsRouted && (ObeysHostFirewall || HostAddress.AddressFamily != ContainerAddress.AddressFamily);

    /// <summary>Address and port of the host, as <c>0.0.0.0:80</c> or <c>[::]:80</c>.</summary>
    public IPEndPoint HostEnd => new(HostAddress, HostPort);

    /// <summary>The protocol as Docker and nftables write it.</summary>
    public string ProtocolName => Protocol switch
    {
        PortProtocol.Tcp => "tcp",
        PortProtocol.Udp => "udp",
        _ => "sctp",
    };
}
