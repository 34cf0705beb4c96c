using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Sampan.Linux;

public sealed partial class RouteSocket
{
    private const ushort RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_GETLINK = 18, RTM_SETLINK = 19;
    private const ushort IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_LINK = 5, IFLA_MASTER = 10, IFLA_PROTINFO = 12, IFLA_LINKINFO = 18,
        IFLA_IFALIAS = 20, IFLA_AF_SPEC = 26, IFLA_NET_NS_FD = 28, IFLA_EXT_MASK = 29;
    private const ushort IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2, VETH_INFO_PEER = 1, IFLA_BR_MCAST_SNOOPING = 23, IFLA_BRPORT_MODE = 4, IFLA_BRPORT_ISOLATED = 33;
    private const ushort IFLA_INET_CONF = 1, IPV4_DEVCONF_ARP_NOTIFY = 22, NLA_F_NESTED = 0x8000;
    private const uint IFF_UP = 1, RTEXT_FILTER_SKIP_STATS = 8;
    private const byte AF_BRIDGE = 7;

    /// <summary>
    /// Makes a bridge with a hardware address of its own, which so does not change as ports come and go, and without multicast snooping: with it
    /// the kernel sets timers of every port whenever one comes up, and sends multicast to all ports all the same while nobody is a querier.
    /// </summary>
    public void AddBridge(string name, int mtu, PhysicalAddress mac) => Execute(
        LinkRequest(nameof(RTM_NEWLINK), $"'{name}' (bridge)", RTM_NEWLINK, NetlinkSocket.NLM_F_CREATE | NetlinkSocket.NLM_F_EXCL)
            .Attribute(IFLA_IFNAME, name)
            .Attribute(IFLA_MTU, (uint)mtu)
            .Attribute(IFLA_ADDRESS, mac.GetAddressBytes())
            .Nest(IFLA_LINKINFO, info => info
                .Attribute(IFLA_INFO_KIND, "bridge")
                .Nest(IFLA_INFO_DATA, data => data.Attribute(IFLA_BR_MCAST_SNOOPING, [0]))));

    /// <summary>Makes a veth pair, one end here and the other, with its final name, straight in another namespace.</summary>
    /// <param name="name">The end that stays here.</param>
    /// <param name="mtu">Of both ends, in bytes.</param>
    /// <param name="peerName">The other end.</param>
    /// <param name="peerMac">The other end's hardware address.</param>
    /// <param name="peerNamespace">An open descriptor of the other namespace.</param>
    public void AddVeth(string name, int mtu, string peerName, PhysicalAddress peerMac, SafeFileHandle peerNamespace) => Execute(
        LinkRequest(nameof(RTM_NEWLINK), $"'{name}' (veth to '{peerName}')", RTM_NEWLINK, NetlinkSocket.NLM_F_CREATE | NetlinkSocket.NLM_F_EXCL)
            .Attribute(IFLA_IFNAME, name)
            .Attribute(IFLA_MTU, (uint)mtu)
            .Nest(IFLA_LINKINFO, info => info
                .Attribute(IFLA_INFO_KIND, "veth")
                .Nest(IFLA_INFO_DATA, data => data.Nest(VETH_INFO_PEER, peer => peer
                    .Append(default(IfInfo))
                    .Attribute(IFLA_IFNAME, peerName)
                    .Attribute(IFLA_MTU, (uint)mtu)
                    .Attribute(IFLA_ADDRESS, peerMac.GetAddressBytes())
                    .Attribute(IFLA_NET_NS_FD, (uint)peerNamespace.DangerousGetHandle())))));

    /// <summary>Changes an interface's settings; what is null stays.</summary>
    /// <param name="name">The interface.</param>
    /// <param name="master">The index of the bridge it shall be a port of.</param>
    /// <param name="up">Whether it shall be up.</param>
    /// <param name="mtu">In bytes.</param>
    /// <param name="alias">Free text of at most 255 bytes that others see too.</param>
    public static NetlinkRequest SetLink(string name, int? master = null, bool? up = null, int? mtu = null, string? alias = null)
    {
        var request = new NetlinkRequest(nameof(RTM_SETLINK), $"'{name}'", RTM_SETLINK, 0)
            .Append(new IfInfo { Flags = up == true ? IFF_UP : 0, Change = up is null ? 0 : IFF_UP })
            .Attribute(IFLA_IFNAME, name);
        if (mtu is { } bytes)
        {
            request.Attribute(IFLA_MTU, (uint)bytes);
        }

        if (master is { } index)
        {
            request.Attribute(IFLA_MASTER, (uint)index);
        }

        if (alias is not null)
        {
            // The kernel wants the text without its NUL here.
            request.Attribute(IFLA_IFALIAS, System.Text.Encoding.UTF8.GetBytes(alias));
        }

        return request;
    }

    /// <summary>
    /// Lets the kernel announce the interface's addresses by gratuitous ARP whenever it comes up or its hardware address is set.
    /// </summary>
    public static NetlinkRequest SetArpNotify(string name) =>
        new NetlinkRequest(nameof(RTM_SETLINK), $"'{name}' (arp_notify)", RTM_SETLINK, 0)
        .Append(default(IfInfo))
        .Attribute(IFLA_IFNAME, name)
        .Nest(IFLA_AF_SPEC | NLA_F_NESTED, families => families
            .Nest(AF_INET | NLA_F_NESTED, inet => inet
                .Nest(IFLA_INET_CONF | NLA_F_NESTED, conf => conf.Attribute(IPV4_DEVCONF_ARP_NOTIFY, 1u))));

    /// <summary>Sets the hardware address.</summary>
    public static NetlinkRequest SetMac(string name, PhysicalAddress mac) =>
        new NetlinkRequest(nameof(RTM_SETLINK), $"'{name}' (address {mac})", RTM_SETLINK, 0)
        .Append(default(IfInfo))
        .Attribute(IFLA_IFNAME, name)
        .Attribute(IFLA_ADDRESS, mac.GetAddressBytes());

    /// <summary>Makes a bridge port one that isolated ports cannot reach and that cannot reach them (since Linux 4.18).</summary>
    public static NetlinkRequest SetPortIsolated(int index, string name) => SetPort(index, $"'{name}' (isolated)", IFLA_BRPORT_ISOLATED, 1);

    /// <summary>Lets a bridge send a frame back to the port it came from, or not.</summary>
    public static NetlinkRequest SetPortHairpin(int index, string name, bool on) =>
        SetPort(index, $"'{name}' (hairpin {(on ? "on" : "off")})", IFLA_BRPORT_MODE, on ? (byte)1 : (byte)0);

    /// <summary>Removes an interface; false when there is none of that name.</summary>
    public bool DeleteLink(string name)
    {
        try
        {
            Execute(LinkRequest(nameof(RTM_DELLINK), $"'{name}'", RTM_DELLINK, 0).Attribute(IFLA_IFNAME, name));
            return true;
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENODEV)
        {
            return false;
        }
    }

    /// <summary>The interface of a name, or null. Since Linux 6.8 this also waits until the link's carrier is in effect.</summary>
    public Link? FindLink(string name)
    {
        Link? found = null;
        var exists = _socket.TryGet(
            LinkRequest(nameof(RTM_GETLINK), $"'{name}'", RTM_GETLINK, 0)
                .Attribute(IFLA_IFNAME, name)
                .Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS),
            (type, payload) => found = type == RTM_NEWLINK ? ReadLink(payload) : found);
        return exists ? found : null;
    }

    /// <summary>All interfaces, by index.</summary>
    public IReadOnlyList<Link> ListLinks()
    {
        var links = new List<Link>();
        _socket.Dump(
            LinkRequest(nameof(RTM_GETLINK), "all", RTM_GETLINK, 0).Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS),
            links.Clear,
            (type, payload) =>
            {
                if (type == RTM_NEWLINK)
                {
                    links.Add(ReadLink(payload));
                }
            });
        return links;
    }

    private static NetlinkRequest SetPort(int index, string subject, ushort attribute, byte value) =>
        new NetlinkRequest(nameof(RTM_SETLINK), subject, RTM_SETLINK, 0)
            .Append(new IfInfo { Family = AF_BRIDGE, Index = index })
            .Nest(IFLA_PROTINFO | NLA_F_NESTED, port => port.Attribute(attribute, value));

    private static NetlinkRequest LinkRequest(string call, string subject, ushort type, int flags) =>
        new NetlinkRequest(call, subject, type, (ushort)flags).Append(default(IfInfo));

    private static unsafe Link ReadLink(ReadOnlySpan<byte> payload)
    {
        var info = MemoryMarshal.Read<IfInfo>(payload);
        string name = "", kind = "", alias = "";
        var mac = PhysicalAddress.None;
        int mtu = 0, master = 0;
        for (var attributes = new NetlinkAttributes(payload[sizeof(IfInfo)..]); attributes.Next();)
        {
            switch (attributes.Type)
            {
                case IFLA_IFNAME: name = attributes.Text; break;
                case IFLA_MTU: mtu = (int)attributes.UInt32; break;
                case IFLA_MASTER: master = (int)attributes.UInt32; break;
                case IFLA_IFALIAS: alias = attributes.Text; break;
                case IFLA_ADDRESS: mac = new PhysicalAddress(attributes.Value.ToArray()); break;
                case IFLA_LINKINFO: kind = ReadKind(attributes.Value); break;
            }
        }

        return new Link(info.Index, name, NullIfEmpty(kind), (info.Flags & IFF_UP) != 0, mtu, master, NullIfEmpty(alias), mac);
    }

    private static string ReadKind(ReadOnlySpan<byte> linkInfo)
    {
        for (var attributes = new NetlinkAttributes(linkInfo); attributes.Next();)
        {
            if (attributes.Type == IFLA_INFO_KIND)
            {
                return attributes.Text;
            }
        }

        return "";
    }

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
