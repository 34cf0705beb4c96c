using System.Net;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Sampan.Linux;

/// <summary>An interface as the kernel lists it.</summary>
/// <param name="Index">Its number in its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Kind">The driver's kind (<c>bridge</c>, <c>veth</c>), or null for hardware and loopback.</param>
/// <param name="IsUp">Set up by the administrator (IFF_UP).</param>
/// <param name="Mtu">In bytes.</param>
/// <param name="Master">The index of the bridge it is a port of, or 0.</param>
/// <param name="Alias">Its free text (IFLA_IFALIAS), or null.</param>
/// <param name="Mac">Its hardware address.</param>
public sealed record Link(int Index, string Name, string? Kind, bool IsUp, int Mtu, int Master, string? Alias, PhysicalAddress Mac);

/// <summary>An address of an interface.</summary>
/// <param name="LinkIndex">The interface.</param>
/// <param name="Address">The local address.</param>
/// <param name="PrefixLength">Bits of the subnet.</param>
public sealed record LinkAddress(int LinkIndex, IPAddress Address, int PrefixLength);

/// <summary>A unicast route of the main table; the default route has a prefix of 0 bits.</summary>
/// <param name="Destination">The addresses it covers.</param>
/// <param name="Gateway">The next hop, or null when the destination is on the link.</param>
/// <param name="LinkIndex">The interface it leaves by, 0 when none is named.</param>
public sealed record Route(IPNetwork Destination, IPAddress? Gateway, int LinkIndex);

/// <summary>
/// Interfaces, addresses and routes of one network namespace (rtnetlink(7)): the one in which it was opened. Thread-safe. What fails throws
/// <see cref="NetlinkException"/>.
/// </summary>
public sealed partial class RouteSocket : IDisposable
{
    internal const byte AF_UNSPEC = 0, AF_INET = 2, AF_INET6 = 10;
    private readonly NetlinkSocket _socket = new(0 /* NETLINK_ROUTE */);

    /// <summary>Performs several requests in one system call, in their order; see <see cref="NetlinkSocket.Execute"/>.</summary>
    public void Execute(params ReadOnlySpan<NetlinkRequest> requests) => _socket.Execute(requests);

    /// <summary>The network namespace that it configures; see <see cref="NetlinkSocket.OpenNamespace"/>.</summary>
    public SafeFileHandle OpenNamespace() => _socket.OpenNamespace();

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private static byte Family(IPAddress address) => address.GetAddressBytes().Length == 4 ? AF_INET : AF_INET6;

    [StructLayout(LayoutKind.Sequential)]
    private struct IfInfo
    {
        public byte Family, Pad;
        public ushort Type;
        public int Index;
        public uint Flags, Change;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct IfAddr
    {
        public byte Family, PrefixLength, Flags, Scope;
        public int Index;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RtMsg
    {
        public byte Family, DestinationLength, SourceLength, Tos, Table, Protocol, Scope, Type;
        public uint Flags;
    }
}
