using System.Buffers.Binary;
using System.Net;

namespace Sampan.Linux;

/// <summary>
/// The kernel's table of connections (ctnetlink) of the namespace in which it was opened. Not thread-safe.
/// </summary>
public sealed class Conntrack : IDisposable
{
    private const int NETLINK_NETFILTER = 12;
    private const ushort NFNL_SUBSYS_CTNETLINK = 1 << 8, IPCTNL_MSG_CT_NEW = NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET = NFNL_SUBSYS_CTNETLINK | 1,
        IPCTNL_MSG_CT_DELETE = NFNL_SUBSYS_CTNETLINK | 2;
    private const ushort CTA_TUPLE_ORIG = 1, CTA_TUPLE_IP = 1, CTA_TUPLE_PROTO = 2, CTA_IP_V4_DST = 2, CTA_IP_V6_DST = 4, CTA_PROTO_NUM = 1,
        CTA_PROTO_DST_PORT = 3, NLA_F_NESTED = 0x8000;
    private const int FamilyHeader = 4;
    private readonly NetlinkSocket _socket = new(NETLINK_NETFILTER);

    /// <summary>Forgets the connections whose first packet went to certain places, so that their next packet is judged anew.</summary>
    /// <param name="protocol">The IP protocol's number, 17 for UDP.</param>
    /// <param name="isMeant">Told the address and the port (1 to 65535) that the first packet went to.</param>
    /// <returns>How many were forgotten.</returns>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public int Forget(byte protocol, Func<IPAddress, int, bool> isMeant)
    {
        var found = new List<byte[]>();
        _socket.Dump(Request(nameof(IPCTNL_MSG_CT_GET), IPCTNL_MSG_CT_GET), found.Clear, (type, payload) =>
        {
            if (type == IPCTNL_MSG_CT_NEW && payload.Length > FamilyHeader && TupleOf(payload) is var tuple && tuple.Length > 0
                && Read(tuple) is { Address: { } address } place && place.Protocol == protocol && isMeant(address, place.Port))
            {
                found.Add([payload[0], .. tuple]);
            }
        });
        return found.Count(Delete);
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    /// <summary>False when it had ended by itself.</summary>
    private bool Delete(byte[] familyAndTuple)
    {
        try
        {
            _socket.Execute(Request(nameof(IPCTNL_MSG_CT_DELETE), IPCTNL_MSG_CT_DELETE, familyAndTuple[0])
                .Attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, familyAndTuple.AsSpan(1)));
            return true;
        }
        catch (NetlinkException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }

    private static NetlinkRequest Request(string call, ushort type, byte family = RouteSocket.AF_UNSPEC) =>
        new NetlinkRequest(call, "connections", type, 0).Append((uint)family);

    private static ReadOnlySpan<byte> TupleOf(ReadOnlySpan<byte> payload)
    {
        for (var attributes = new NetlinkAttributes(payload[FamilyHeader..]); attributes.Next();)
        {
            if (attributes.Type == CTA_TUPLE_ORIG)
            {
                return attributes.Value;
            }
        }

        return [];
    }

    private static (IPAddress? Address, byte Protocol, int Port) Read(ReadOnlySpan<byte> tuple)
    {
        IPAddress? address = null;
        byte protocol = 0;
        var port = 0;
        for (var parts = new NetlinkAttributes(tuple); parts.Next();)
        {
            for (var attributes = new NetlinkAttributes(parts.Value); attributes.Next();)
            {
                switch (parts.Type, attributes.Type)
                {
                    case (CTA_TUPLE_IP, CTA_IP_V4_DST or CTA_IP_V6_DST): address = new IPAddress(attributes.Value); break;
                    case (CTA_TUPLE_PROTO, CTA_PROTO_NUM): protocol = attributes.Value[0]; break;
                    case (CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT): port = BinaryPrimitives.ReadUInt16BigEndian(attributes.Value); break;
                }
            }
        }

        return (address, protocol, port);
    }
}
