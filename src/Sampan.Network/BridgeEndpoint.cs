using System.Net;
using System.Net.NetworkInformation;
using System.Security.Cryptography;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>Plugs containers into bridges.</summary>
public static class BridgeEndpoint
{
    private const int NameAttempts = 4;

    /// <summary>
    /// Gives a sandbox an interface on a bridge: (1) the pair, one end straight in the sandbox, (2) address, up and route inside, (3) the
    /// host's end on the bridge, (4) announcement, if the neighbours may know the address under another hardware address. When it
    /// returns, packets flow both ways. Nothing is left behind on failure.
    /// </summary>
    /// <param name="sandbox">The container's namespace.</param>
    /// <param name="bridge">A bridge that <see cref="Bridge.Ensure"/> has set up.</param>
    /// <param name="address">The container's address, of the bridge's IPv4 subnet, where it has one.</param>
    /// <param name="mac">Its hardware address, see <see cref="EndpointInfo.MacFor"/>.</param>
    /// <param name="interfaceName">The interface's name inside.</param>
    /// <param name="defaultRoute">Whether the bridge becomes the container's way out; never on an internal network.</param>
    /// <param name="address6">The container's address of the bridge's IPv6 subnet, where it has one.</param>
    public static EndpointInfo Attach(
        Sandbox sandbox,
        BridgeConfig bridge,
        IPAddress? address,
        PhysicalAddress mac,
        string interfaceName = "eth0",
        bool defaultRoute = true,
        IPAddress? address6 = null)
    {
        foreach (var (own, subnet) in (ReadOnlySpan<(IPAddress?, IPNetwork?)>)[(address, bridge.Subnet), (address6, bridge.Subnet6)])
        {
            if (own is not null && subnet?.Contains(own) != true)
            {
                throw new NetworkException(
                    NetworkErrorKind.InvalidParameter, $"address {own} is not of subnet '{subnet}' of bridge '{bridge.Name}'");
            }
        }

        using var host = new RouteSocket();
        var master = IndexOf(host, bridge.Name);
        var hostInterface = AddPair(host, sandbox, bridge.Mtu, interfaceName, mac);
        try
        {
            // The end that comes up second is in service at once, the first when the kernel's link watch has run. The host's end is to be
            // the second: otherwise its bridge port would drop what the container sends first.
            var inside = IndexOf(sandbox.Routes, interfaceName);
            if (address6 is not null)
            {
                sandbox.Run(() => Ip6.Switch(interfaceName, on: true));
            }

            var up = RouteSocket.SetLink(interfaceName, up: true);
            sandbox.Routes.Execute(address is null ? [up] : [RouteSocket.AddAddress(inside, address, bridge.PrefixLength), up]);

            // The bridge's ports need no addresses. What the kernel sends to get itself some goes to each of the bridge's other ports, and with
            // IPv6 each has a route, all of which the kernel goes through whenever an interface comes up.
            Ip6.Switch(hostInterface, on: false);
            var alias = BridgeAlias.OfPort(bridge.OwnerTag, sandbox.Name);
            host.Execute(RouteSocket.SetLink(hostInterface, master: master, up: true, alias: alias));
            if (!bridge.Icc)
            {
                host.Execute(RouteSocket.SetPortIsolated(IndexOf(host, hostInterface), hostInterface));
            }

            if (address6 is not null)
            {
                sandbox.Routes.Execute(RouteSocket.AddAddress(inside, address6, bridge.PrefixLength6));
            }

            foreach (var (gateway, _) in defaultRoute && !bridge.Internal ? bridge.Gateways : [])
            {
                sandbox.Routes.Execute(RouteSocket.AddRoute(new Route(AddressMath.NetworkOf(gateway, 0), gateway, inside)));
            }

            // Asking for the link makes its carrier take effect (Linux 6.8), so that the container's first packet is not dropped.
            _ = sandbox.Routes.FindLink(interfaceName);

            // An announcement reaches every port of the bridge, 3 ms of work with 600 of them. A hardware address that follows from the address
            // needs none: whoever had the address before had the same, or chose another, and then the container's first ARP request corrects it.
            // Setting the hardware address, to what it is, is what makes the kernel announce.
            if (!mac.Equals(EndpointInfo.MacFor((address ?? address6)!)))
            {
                sandbox.Routes.Execute(RouteSocket.SetArpNotify(interfaceName), RouteSocket.SetMac(interfaceName, mac));
            }

            return new EndpointInfo(hostInterface, interfaceName, address, bridge.PrefixLength, bridge.Gateway, mac)
            {
                Address6 = address6,
                PrefixLength6 = address6 is null ? 0 : bridge.PrefixLength6,
                Gateway6 = bridge.Gateway6,
            };
        }
        catch (Exception e)
        {
            host.DeleteLink(hostInterface);
            if (e is NetlinkException { Errno: Errno.EXFULL })
            {
                throw new NetworkException(
                    NetworkErrorKind.Exhausted, $"bridge '{bridge.Name}' has 1,023 interfaces, as many as the kernel allows: further containers need another network");
            }

            throw;
        }
    }

    /// <summary>Makes a bridge the container's way out, in place of another that may be so now.</summary>
    /// <param name="sandbox">The container's namespace.</param>
    /// <param name="gateway">The bridge's address; the way out is that of its family.</param>
    /// <param name="interfaceName">The container's interface on that bridge.</param>
    public static void SetDefaultRoute(Sandbox sandbox, IPAddress gateway, string interfaceName) => sandbox.Routes.Execute(
        RouteSocket.AddRoute(new Route(AddressMath.NetworkOf(gateway, 0), gateway, IndexOf(sandbox.Routes, interfaceName)), replace: true));

    /// <summary>
    /// Unplugs a container: both ends of the pair are gone when it returns, which takes the kernel some milliseconds. Where the whole
    /// sandbox goes, letting that go is quicker. May be called twice.
    /// </summary>
    public static void Detach(string hostInterface)
    {
        using var host = new RouteSocket();
        host.DeleteLink(hostInterface);
    }

    /// <summary>
    /// Prepares a container whose ports are published to reach them itself: where br_netfilter is on, such a packet is translated and
    /// bridged without leaving the bridge, back to the port it came from.
    /// </summary>
    public static void SetHairpin(string hostInterface, bool on)
    {
        using var host = new RouteSocket();
        host.Execute(RouteSocket.SetPortHairpin(IndexOf(host, hostInterface), hostInterface, on));
    }

    /// <summary>The host's ends of a daemon's containers, with the sandbox's name, to find those whose container is no more.</summary>
    public static IReadOnlyList<(string HostInterface, string SandboxName)> Find(string ownerTag)
    {
        using var host = new RouteSocket();
        return
        [
            .. from link in host.ListLinks()
               let sandbox = BridgeAlias.SandboxOfPort(link.Alias, ownerTag)
               where link.Kind == "veth" && sandbox is not null
               select (link.Name, sandbox),
        ];
    }

    private static string AddPair(RouteSocket host, Sandbox sandbox, int mtu, string interfaceName, PhysicalAddress mac)
    {
        using var inside = sandbox.OpenNamespace();
        for (var attempt = 1; ; attempt++)
        {
            var name = "veth" + RandomNumberGenerator.GetHexString(7, lowercase: true);
            try
            {
                host.AddVeth(name, mtu, interfaceName, mac, inside);
                return name;
            }
            catch (NetlinkException e) when (e.Errno == Errno.EEXIST && attempt < NameAttempts
                && sandbox.Routes.FindLink(interfaceName) is null)
            {
                // One in 268 million pairs of names: take another.
            }
        }
    }

    private static int IndexOf(RouteSocket routes, string name) =>
        routes.FindLink(name)?.Index ?? throw new NetlinkException("RTM_GETLINK", $"'{name}'", Errno.ENODEV, null);
}
