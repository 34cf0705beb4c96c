using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>Gives containers interfaces that are made of one of the host's.</summary>
public static class ParentEndpoint
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10), Patience = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Makes an interface in a sandbox: (1) the interface, (2) addresses, announced to the neighbours, and up. Nothing is left behind on
    /// failure.
    /// </summary>
    /// <param name="sandbox">The container's namespace.</param>
    /// <param name="parent">What <see cref="Parent.Ensure"/> has set up.</param>
    /// <param name="addresses">The container's addresses, each with its subnet.</param>
    /// <param name="mac">The hardware address; where the mode gives it the parent's, it has that.</param>
    /// <param name="interfaceName">The interface's name inside.</param>
    /// <returns>The hardware address it has; none of its own on an ipvlan.</returns>
    public static PhysicalAddress Attach(
        Sandbox sandbox, ParentConfig parent, IReadOnlyList<(IPAddress Address, IPNetwork Subnet)> addresses, PhysicalAddress mac, string interfaceName)
    {
        // :: 1 interface
        using (var host = new RouteSocket())
        using (var inside = sandbox.OpenNamespace())
        {
            var index = host.FindLink(parent.Name)?.Index ?? throw new NetlinkException("RTM_GETLINK", $"'{parent.Name}'", Errno.ENODEV, null);
            try
            {
                if (parent.Ipvlan is var (mode, flag))
                {
                    host.AddIpvlan(interfaceName, index, mode, flag, inside);
                }
                else
                {
                    host.AddMacvlan(interfaceName, index, parent.Macvlan!.Value, mac, inside);
                }
            }
            catch (NetlinkException e) when (e.Errno is Errno.EOPNOTSUPP or Errno.EBUSY or Errno.EINVAL)
            {
                throw new NetworkException(NetworkErrorKind.InvalidParameter, $"interface '{parent.Name}' cannot bear another interface: " + e.Errno switch
                {
                    Errno.EOPNOTSUPP => $"this kernel has no {(parent.Ipvlan is null ? "macvlan (CONFIG_MACVLAN)" : "ipvlan (CONFIG_IPVLAN)")}",
                    Errno.EBUSY => "it is in use in another way, as a port of a bridge or by networks of the other of macvlan and ipvlan",
                    _ => e.Message,
                });
            }
        }

        try
        {
            // :: 2 addresses
            var link = sandbox.Routes.FindLink(interfaceName) ?? throw new NetlinkException("RTM_GETLINK", $"'{interfaceName}'", Errno.ENODEV, null);
            if (addresses.Any(a => IsIPv6(a.Address)))
            {
                sandbox.Run(() => Ip6.Switch(interfaceName, on: true));
            }

            // ARP announces what is there when the interface comes up; an IPv6 address is wanted when it is up already.
            foreach (var isUp in (bool[])[false, true])
            {
                foreach (var (address, subnet) in addresses.Where(a => IsIPv6(a.Address) == isUp))
                {
                    Patiently(() => sandbox.Routes.Execute(RouteSocket.AddAddress(link.Index, address, subnet.PrefixLength)));
                }

                Patiently(() => sandbox.Routes.Execute(RouteSocket.SetArpNotify(interfaceName), RouteSocket.SetLink(interfaceName, up: true)));
            }

            return parent.Ipvlan is null ? link.Mac : PhysicalAddress.None;
        }
        catch
        {
            sandbox.Routes.DeleteLink(interfaceName);
            throw;
        }
    }

    /// <summary>Takes the interface away. May be called twice.</summary>
    public static void Detach(Sandbox sandbox, string interfaceName) => sandbox.Routes.DeleteLink(interfaceName);

    /// <summary>
    /// Takes all such interfaces of a sandbox that is to go away. The kernel takes its time with the namespace itself, and meanwhile the
    /// parent refuses their hardware addresses to others.
    /// </summary>
    public static void DetachAll(Sandbox sandbox)
    {
        foreach (var link in sandbox.Routes.ListLinks().Where(link => link.Kind is "macvlan" or "ipvlan"))
        {
            sandbox.Routes.DeleteLink(link.Name);
        }
    }

    /// <summary>Makes the interface the container's way out for a family of addresses, without a gateway.</summary>
    public static void SetDefaultRoute(Sandbox sandbox, IPNetwork everything, string interfaceName)
    {
        var index = sandbox.Routes.FindLink(interfaceName)?.Index ?? throw new NetlinkException("RTM_GETLINK", $"'{interfaceName}'", Errno.ENODEV, null);
        sandbox.Routes.Execute(RouteSocket.AddRoute(new Route(everything, null, index), replace: true));
    }

    /// <summary>
    /// Of a container that ended while the daemon was down, the kernel may not have taken the interfaces away yet: their addresses are free in
    /// a moment.
    /// </summary>
    private static void Patiently(Action request)
    {
        for (var waited = TimeSpan.Zero; ; waited += Pause)
        {
            try
            {
                request();
                return;
            }
            catch (NetlinkException e) when (e.Errno == Errno.EADDRINUSE && waited < Patience)
            {
                Thread.Sleep(Pause);
            }
        }
    }

    private static bool IsIPv6(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6;
}
