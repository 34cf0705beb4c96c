using System.Net;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

public sealed partial class RouteSocket
{
    private const ushort RTM_NEWADDR = 20, RTM_DELADDR = 21, RTM_GETADDR = 22;
    private const ushort IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_BROADCAST = 4;
    private const byte IFA_F_NODAD = 2;

    /// <summary>Gives an interface an address; one that is there already is no error.</summary>
    public static NetlinkRequest AddAddress(int linkIndex, IPAddress address, int prefixLength)
    {
        var request =
            AddressRequest(
                nameof(RTM_NEWADDR), RTM_NEWADDR, NetlinkSocket.NLM_F_CREATE | NetlinkSocket.NLM_F_REPLACE, linkIndex, address, prefixLength);
        if (Family(address) == AF_INET && prefixLength < 31)
        {
            var last = address.GetAddressBytes();
            for (var bit = prefixLength; bit < 32; bit++)
            {
                last[bit / 8] |= (byte)(0x80 >> (bit % 8));
            }

            request.Attribute(IFA_BROADCAST, last);
        }

        return request;
    }

    /// <summary>Takes an address from an interface.</summary>
    public static NetlinkRequest DeleteAddress(int linkIndex, IPAddress address, int prefixLength) =>
        AddressRequest(nameof(RTM_DELADDR), RTM_DELADDR, 0, linkIndex, address, prefixLength);

    /// <summary>All addresses, or those of one interface.</summary>
    public IReadOnlyList<LinkAddress> ListAddresses(int? linkIndex = null)
    {
        var addresses = new List<LinkAddress>();
        _socket.Dump(
            new NetlinkRequest(nameof(RTM_GETADDR), "all", RTM_GETADDR, 0).Append(new IfAddr { Index = linkIndex ?? 0 }),
            addresses.Clear,
            (type, payload) =>
            {
                // Kernels before 4.20 do not filter: the interface is compared here too.
                if (type == RTM_NEWADDR && ReadAddress(payload) is { } address && (linkIndex is null || linkIndex == address.LinkIndex))
                {
                    addresses.Add(address);
                }
            });
        return addresses;
    }

    private static NetlinkRequest AddressRequest(string call, ushort type, int flags, int linkIndex, IPAddress address, int prefixLength) =>
        new NetlinkRequest(call, $"{address}/{prefixLength} on interface {linkIndex}", type, (ushort)flags)
            .Append(new IfAddr
            {
                Family = Family(address),
                PrefixLength = (byte)prefixLength,
                Index = linkIndex,
                Flags = Family(address) == AF_INET6 ? IFA_F_NODAD : (byte)0,
            })
            .Attribute(IFA_LOCAL, address)
            .Attribute(IFA_ADDRESS, address);

    private static unsafe LinkAddress? ReadAddress(ReadOnlySpan<byte> payload)
    {
        var info = MemoryMarshal.Read<IfAddr>(payload);
        IPAddress? local = null, address = null;
        for (var attributes = new NetlinkAttributes(payload[sizeof(IfAddr)..]); attributes.Next();)
        {
            switch (attributes.Type)
            {
                case IFA_LOCAL: local = new IPAddress(attributes.Value); break;
                case IFA_ADDRESS: address = new IPAddress(attributes.Value); break;
            }
        }

        return (local ?? address) is { } found ? new LinkAddress(info.Index, found, info.PrefixLength) : null;
    }
}
