using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

public sealed partial class RouteSocket
{
    private const ushort RTM_NEWROUTE = 24, RTM_GETROUTE = 26;
    private const ushort RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY = 5, RTA_PRIORITY = 6, RTA_TABLE = 15;
    private const byte RT_TABLE_MAIN = 254, RTPROT_BOOT = 3, RT_SCOPE_UNIVERSE = 0, RT_SCOPE_LINK = 253, RTN_UNICAST = 1;

    /// <summary>Adds a route; one to the same destination that is there already is replaced, or an error (EEXIST).</summary>
    public static NetlinkRequest AddRoute(Route route, uint metric = 0, bool replace = false)
    {
        var flags = NetlinkSocket.NLM_F_CREATE | (replace ? NetlinkSocket.NLM_F_REPLACE : NetlinkSocket.NLM_F_EXCL);
        var request =
            new NetlinkRequest(nameof(RTM_NEWROUTE), Describe(route), RTM_NEWROUTE, (ushort)flags)
            .Append(new RtMsg
            {
                Family = Family(route.Destination.BaseAddress),
                DestinationLength = (byte)route.Destination.PrefixLength,
                Table = RT_TABLE_MAIN,
                Protocol = RTPROT_BOOT,
                Scope = route.Gateway is null ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
                Type = RTN_UNICAST,
            });
        if (route.Destination.PrefixLength > 0)
        {
            request.Attribute(RTA_DST, route.Destination.BaseAddress);
        }

        if (route.Gateway is not null)
        {
            request.Attribute(RTA_GATEWAY, route.Gateway);
        }

        if (route.LinkIndex != 0)
        {
            request.Attribute(RTA_OIF, (uint)route.LinkIndex);
        }

        return metric == 0 ? request : request.Attribute(RTA_PRIORITY, metric);
    }

    /// <summary>The unicast routes of the main table, IPv4 and IPv6.</summary>
    public IReadOnlyList<Route> ListRoutes()
    {
        var routes = new List<Route>();
        foreach (var family in (byte[])[AF_INET, AF_INET6])
        {
            var before = routes.Count;
            _socket.Dump(
                new NetlinkRequest(nameof(RTM_GETROUTE), "all", RTM_GETROUTE, 0).Append(new RtMsg { Family = family }),
                () => routes.RemoveRange(before, routes.Count - before),
                (type, payload) =>
                {
                    if (type == RTM_NEWROUTE && ReadRoute(payload, family) is { } route)
                    {
                        routes.Add(route);
                    }
                });
        }

        return routes;
    }

    private static string Describe(Route route) =>
        (route.Destination.PrefixLength == 0 ? "default" : route.Destination.ToString())
        + (route.Gateway is null ? "" : $" via {route.Gateway}") + (route.LinkIndex == 0 ? "" : $" on interface {route.LinkIndex}");

    private static unsafe Route? ReadRoute(ReadOnlySpan<byte> payload, byte family)
    {
        var info = MemoryMarshal.Read<RtMsg>(payload);
        IPAddress? gateway = null;
        var destination = family == AF_INET ? IPAddress.Any : IPAddress.IPv6Any;
        uint table = info.Table, link = 0;
        for (var attributes = new NetlinkAttributes(payload[sizeof(RtMsg)..]); attributes.Next();)
        {
            switch (attributes.Type)
            {
                case RTA_DST: destination = new IPAddress(attributes.Value); break;
                case RTA_GATEWAY: gateway = new IPAddress(attributes.Value); break;
                case RTA_OIF: link = attributes.UInt32; break;
                case RTA_TABLE: table = attributes.UInt32; break;
            }
        }

        return info.Type == RTN_UNICAST && table == RT_TABLE_MAIN && destination.AddressFamily != AddressFamily.Unspecified
            ? new Route(new IPNetwork(destination, info.DestinationLength), gateway, (int)link) : null;
    }
}
