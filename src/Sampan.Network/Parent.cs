using System.Globalization;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>What a network shall be whose containers' interfaces are made of one of the host's.</summary>
/// <param name="Name">The host's interface.</param>
/// <param name="IsDummy">It is made for the network and leads nowhere.</param>
/// <param name="Macvlan">How containers reach each other; null where <paramref name="Ipvlan"/> tells.</param>
/// <param name="Ipvlan">The layer at which containers are told apart, and how they reach each other.</param>
/// <param name="OwnerTag">Names the daemon.</param>
public sealed record ParentConfig(string Name, bool IsDummy, MacvlanMode? Macvlan, (IpvlanMode Mode, IpvlanFlag Flag)? Ipvlan, string OwnerTag)
{
    /// <summary>True where containers have no neighbours: the host's interface routes for them, without a gateway.</summary>
    public bool IsRouted => Ipvlan?.Mode is IpvlanMode.L3 or IpvlanMode.L3S;
}

/// <summary>
/// Interfaces of the host that macvlan and ipvlan networks are made on. Those that are missing are made, and so are this daemon's: a VLAN's
/// (<c>eth0.10</c>), or one that leads nowhere.
/// </summary>
public static class Parent
{
    private const int LargestVlan = 4094;

    /// <summary>Makes the interface if it is missing; idempotent. Nothing is left behind on failure.</summary>
    /// <exception cref="NetworkException">There is no such interface, and its name is not one that could be made (InvalidParameter).</exception>
    public static void Ensure(ParentConfig config)
    {
        using var routes = new RouteSocket();
        if (routes.FindLink(config.Name) is { } known)
        {
            if (BridgeAlias.OwnerOfBridge(known.Alias) == config.OwnerTag && !known.IsUp)
            {
                routes.Execute(RouteSocket.SetLink(config.Name, up: true));
            }

            return;
        }

        if (config.IsDummy)
        {
            AddDummy(routes, config.Name);
        }
        else
        {
            AddVlan(routes, config.Name);
        }

        try
        {
            routes.Execute(RouteSocket.SetLink(config.Name, up: true, alias: BridgeAlias.OfBridge(config.OwnerTag)));
        }
        catch
        {
            routes.DeleteLink(config.Name);
            throw;
        }
    }

    /// <summary>Removes an interface that <see cref="Ensure"/> has made for this daemon; another stays.</summary>
    public static void Remove(string name, string ownerTag)
    {
        using var routes = new RouteSocket();
        if (routes.FindLink(name) is { } link && IsMade(link, ownerTag))
        {
            routes.DeleteLink(name);
        }
    }

    /// <summary>The interfaces that a daemon has made here.</summary>
    public static IReadOnlyList<string> Find(string ownerTag)
    {
        using var routes = new RouteSocket();
        return [.. routes.ListLinks().Where(link => IsMade(link, ownerTag)).Select(link => link.Name)];
    }

    private static bool IsMade(Link link, string ownerTag) => link.Kind is "vlan" or "dummy" && BridgeAlias.OwnerOfBridge(link.Alias) == ownerTag;

    private static void AddDummy(RouteSocket routes, string name)
    {
        try
        {
            routes.AddDummy(name);
        }
        catch (NetlinkException e) when (e.Errno == Errno.EOPNOTSUPP)
        {
            throw new NetworkException(NetworkErrorKind.InvalidParameter,
                "a network without '-o parent=INTERFACE' needs a dummy interface, which this kernel does not have (CONFIG_DUMMY): name a parent");
        }
    }

    private static void AddVlan(RouteSocket routes, string name)
    {
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
        {
            throw Invalid($"invalid subinterface vlan name {name}, example formatting is eth0.10");
        }

        var (parent, text) = (name[..dot], name[(dot + 1)..]);
        if (text.Contains('.', StringComparison.Ordinal))
        {
            throw Invalid($"required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received {name}");
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            throw Invalid($"unable to parse a valid vlan id from: {text} (ex. eth0.10 for vlan 10)");
        }

        if (routes.FindLink(parent) is not { } link)
        {
            throw Invalid($"-o parent interface was not found on the host: {parent}");
        }

        if (number is < 1 or > LargestVlan)
        {
            throw Invalid($"vlan id must be between 1-{LargestVlan}, received: {number}");
        }

        try
        {
            routes.AddVlan(name, link.Index, number);
        }
        catch (NetlinkException e) when (e.Errno == Errno.EOPNOTSUPP)
        {
            throw Invalid($"failed to create {name} vlan link: this kernel has no VLANs (CONFIG_VLAN_8021Q)");
        }
    }

    private static NetworkException Invalid(string text) => new(NetworkErrorKind.InvalidParameter, text);
}
