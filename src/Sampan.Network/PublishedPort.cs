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
/// <param name="HostAddress">An address of the host, or 0.0.0.0 for each of them.</param>
/// <param name="HostPort">1 to 65535.</param>
/// <param name="ContainerAddress">The container's address on its bridge.</param>
/// <param name="ContainerPort">1 to 65535.</param>
public sealed record PublishedPort(
    PortProtocol Protocol, IPAddress HostAddress, int HostPort, IPAddress ContainerAddress, int ContainerPort)
{
    /// <summary>The protocol as Docker and nftables write it.</summary>
    public string ProtocolName => Protocol switch
    {
        PortProtocol.Tcp => "tcp",
        PortProtocol.Udp => "udp",
        _ => "sctp",
    };
}
