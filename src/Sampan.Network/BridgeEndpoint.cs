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
    /// Gives a sandbox an interface on a bridge: (1) the pair, one end straight in the sandbox, (2) address, up and route inside, (3) the host's
    /// end on the bridge, (4) announcement. When it returns, packets flow both ways. Nothing is left behind on failure.
    /// </summary>
    /// <param name="sandbox">The container's namespace.</param>
    /// <param name="bridge">A bridge that <see cref="Bridge.Ensure"/> has set up.</param>
    /// <param name="address">The container's address, of the bridge's subnet.</param>
    /// <param name="mac">Its hardware address, see <see cref="EndpointInfo.MacFor"/>.</param>
    /// <param name="interfaceName">The interface's name inside.</param>
    /// <param name="defaultRoute">Whether the bridge becomes the container's way out; never on an internal network.</param>
    public static EndpointInfo Attach(
        Sandbox sandbox, BridgeConfig bridge, IPAddress address, PhysicalAddress mac, string interfaceName = "eth0", bool defaultRoute = true)
    {
        if (!bridge.Subnet.Contains(address))
        {
            throw new NetworkException(NetworkErrorKind.InvalidParameter, $"address {address} is not of subnet '{bridge.Subnet}' of bridge '{bridge.Name}'");
        }

        using var host = new RouteSocket();
        var master = host.FindLink(bridge.Name)
            ?? throw new NetlinkException("RTM_GETLINK", $"bridge '{bridge.Name}'", Errno.ENODEV, null);
        var hostInterface = AddPair(host, sandbox, bridge.Mtu, interfaceName, mac);
        try
        {
            // The end that comes up second is in service at once, the first when the kernel's link watch has run. The host's end is to be the
            // second: otherwise its bridge port would drop what the container sends first.
            var inside = sandbox.Routes.FindLink(interfaceName)
                ?? throw new NetlinkException("RTM_GETLINK", $"'{interfaceName}' in '{sandbox.Path}'", Errno.ENODEV, null);
            sandbox.Routes.Execute(
                RouteSocket.AddAddress(inside.Index, address, bridge.PrefixLength),
                RouteSocket.SetLink(interfaceName, up: true),
                RouteSocket.SetArpNotify(interfaceName));

            host.Execute(RouteSocket.SetLink(hostInterface, master: master.Index, up: true, alias: BridgeAlias.OfPort(bridge.OwnerTag, sandbox.Path)));
            if (!bridge.Icc)
            {
                var port = host.FindLink(hostInterface) ?? throw new NetlinkException("RTM_GETLINK", $"'{hostInterface}'", Errno.ENODEV, null);
                host.Execute(RouteSocket.SetPortIsolated(port.Index, hostInterface));
            }

            if (defaultRoute && !bridge.Internal)
            {
                sandbox.Routes.Execute(RouteSocket.AddRoute(new Route(AddressMath.NetworkOf(bridge.Gateway.Any(), 0), bridge.Gateway, inside.Index)));
            }

            // Asking for the link makes its carrier take effect (Linux 6.8); only then is an announcement sent and not dropped. Setting the
            // hardware address, to what it is, is what makes the kernel announce.
            _ = sandbox.Routes.FindLink(interfaceName);
            sandbox.Routes.Execute(RouteSocket.SetMac(interfaceName, mac));
            return new EndpointInfo(hostInterface, interfaceName, address, bridge.PrefixLength, bridge.Gateway, mac);
        }
        catch
        {
            host.DeleteLink(hostInterface);
            throw;
        }
    }

    /// <summary>
    /// Unplugs a container: both ends of the pair are gone when it returns, which takes the kernel some milliseconds. Where the whole sandbox
    /// goes, <see cref="Sandbox.Delete"/> alone is quicker. May be called twice.
    /// </summary>
    public static void Detach(string hostInterface)
    {
        using var host = new RouteSocket();
        host.DeleteLink(hostInterface);
    }

    /// <summary>
    /// Prepares a container whose ports are published to reach them itself: where br_netfilter is on, such a packet is translated and bridged without
    /// leaving the bridge, back to the port it came from.
    /// </summary>
    public static void SetHairpin(string hostInterface, bool on)
    {
        using var host = new RouteSocket();
        var port = host.FindLink(hostInterface) ?? throw new NetlinkException("RTM_GETLINK", $"'{hostInterface}'", Errno.ENODEV, null);
        host.Execute(RouteSocket.SetPortHairpin(port.Index, hostInterface, on));
    }

    /// <summary>The host's ends of a daemon's containers, with the sandbox file's name, to find those whose container is no more.</summary>
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
            catch (NetlinkException e) when (e.Errno == Errno.EEXIST && attempt < NameAttempts && sandbox.Routes.FindLink(interfaceName) is null)
            {
                // One in 268 million pairs of names: take another.
            }
        }
    }

    private static IPAddress Any(this IPAddress address) => AddressMath.Bits(address) == 32 ? IPAddress.Any : IPAddress.IPv6Any;
}
