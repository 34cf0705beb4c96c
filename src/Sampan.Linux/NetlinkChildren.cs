using System.Net.NetworkInformation;
using Microsoft.Win32.SafeHandles;

namespace Sampan.Linux;

/// <summary>How the interfaces of one parent reach each other (linux/if_link.h, macvlan_mode).</summary>
public enum MacvlanMode
{
    /// <summary>Not at all.</summary>
    Private = 1,

    /// <summary>By a switch outside that sends frames back.</summary>
    Vepa = 2,

    /// <summary>Straight.</summary>
    Bridge = 4,

    /// <summary>There is one only, and it has the parent's hardware address.</summary>
    Passthru = 8,
}

/// <summary>At which layer the interfaces of one parent are told apart (linux/if_link.h, ipvlan_mode).</summary>
public enum IpvlanMode
{
    /// <summary>They answer ARP and hear broadcasts.</summary>
    L2 = 0,

    /// <summary>The parent routes for them.</summary>
    L3 = 1,

    /// <summary>As L3, and the parent's netfilter sees what passes.</summary>
    L3S = 2,
}

/// <summary>How the interfaces of one parent reach each other (linux/if_link.h, IPVLAN_F_*).</summary>
public enum IpvlanFlag
{
    /// <summary>Straight.</summary>
    Bridge = 0,

    /// <summary>Not at all.</summary>
    Private = 1,

    /// <summary>By a switch outside that sends frames back.</summary>
    Vepa = 2,
}

public sealed partial class RouteSocket
{
    private const ushort IFLA_MACVLAN_MODE = 1, IFLA_IPVLAN_MODE = 1, IFLA_IPVLAN_FLAGS = 2, IFLA_VLAN_ID = 1;

    /// <summary>Makes an interface with a hardware address of its own on a parent of this namespace, straight in another one.</summary>
    public void AddMacvlan(string name, int parent, MacvlanMode mode, PhysicalAddress mac, SafeFileHandle inside) => Execute(
        Child(name, parent, "macvlan", data => data.Attribute(IFLA_MACVLAN_MODE, (uint)mode), inside).Attribute(IFLA_ADDRESS, mac.GetAddressBytes()));

    /// <summary>Makes an interface that shares the hardware address of a parent of this namespace, straight in another one.</summary>
    public void AddIpvlan(string name, int parent, IpvlanMode mode, IpvlanFlag flag, SafeFileHandle inside) => Execute(
        Child(name, parent, "ipvlan", data => data.Attribute(IFLA_IPVLAN_MODE, (ushort)mode).Attribute(IFLA_IPVLAN_FLAGS, (ushort)flag), inside));

    /// <summary>Makes an interface for the frames of a parent that bear a VLAN's number.</summary>
    public void AddVlan(string name, int parent, int number) =>
        Execute(Child(name, parent, "vlan", data => data.Attribute(IFLA_VLAN_ID, (ushort)number)));

    /// <summary>Makes an interface that leads nowhere.</summary>
    public void AddDummy(string name) => Execute(
        LinkRequest(nameof(RTM_NEWLINK), $"'{name}' (dummy)", RTM_NEWLINK, NetlinkSocket.NLM_F_CREATE | NetlinkSocket.NLM_F_EXCL)
            .Attribute(IFLA_IFNAME, name)
            .Nest(IFLA_LINKINFO, info => info.Attribute(IFLA_INFO_KIND, "dummy")));

    private static NetlinkRequest Child(string name, int parent, string kind, Action<NetlinkRequest> data, SafeFileHandle? inside = null)
    {
        var request = LinkRequest(nameof(RTM_NEWLINK), $"'{name}' ({kind})", RTM_NEWLINK, NetlinkSocket.NLM_F_CREATE | NetlinkSocket.NLM_F_EXCL)
            .Attribute(IFLA_IFNAME, name)
            .Attribute(IFLA_LINK, (uint)parent)
            .Nest(IFLA_LINKINFO, info => info.Attribute(IFLA_INFO_KIND, kind).Nest(IFLA_INFO_DATA, data));
        return inside is null ? request : request.Attribute(IFLA_NET_NS_FD, (uint)inside.DangerousGetHandle());
    }
}
