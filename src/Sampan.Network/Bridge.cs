using System.Net;
using System.Net.Sockets;
using System.Text;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>
/// Bridges of the calling thread's network namespace, with their rules in the nftables table <c>sampan</c>. Synchronous and thread-safe.
/// </summary>
public static class Bridge
{
    private const int NameBytes = 15, TagBytes = 150;

    /// <summary>
    /// Makes what exists equal to the configuration: (1) the bridge, (2) its address, up, forwarding, (3) its rules. Idempotent; also
    /// heals what others have removed, without touching containers that are plugged in.
    /// </summary>
    /// <exception cref="NetworkException">The name belongs to another daemon or is no bridge of ours (Conflict).</exception>
    /// <exception cref="NftablesException">The library is missing or a rule was refused. A bridge made by this call is removed
    /// again.</exception>
    public static BridgeInfo Ensure(BridgeConfig config)
    {
        Validate(config);
        using var routes = new RouteSocket();

        // :: 1 bridge
        var made = false;
        var link = routes.FindLink(config.Name);
        if (link is null)
        {
            routes.AddBridge(config.Name, config.Mtu, EndpointInfo.MacFor((config.Gateway ?? config.Gateway6)!));
            made = true;
        }
        else if (link.Kind != "bridge" || BridgeAlias.OwnerOfBridge(link.Alias) is not { } owner)
        {
            throw new NetworkException(NetworkErrorKind.Conflict, $"interface '{config.Name}' exists and is not a bridge of sampan's");
        }
        else if (owner != config.OwnerTag)
        {
            throw new NetworkException(NetworkErrorKind.Conflict, $"bridge '{config.Name}' belongs to another daemon ('{owner}')");
        }

        try
        {
            // :: 2 address, up, forwarding
            var (index, former) = Configure(routes, config, link);

            // :: 3 rules
            Firewall.Current.Add(config, former);
            return new BridgeInfo(config.Name, index, config.OwnerTag);
        }
        catch when (made)
        {
            routes.DeleteLink(config.Name);
            throw;
        }
    }

    /// <summary>Removes a bridge and its rules; containers on it lose their link. False when there was no such bridge.</summary>
    public static bool Remove(string name)
    {
        using var routes = new RouteSocket();
        var removed = routes.DeleteLink(name);
        Firewall.Current.Remove(name);
        return removed;
    }

    /// <summary>Removes a daemon's bridges, and with the last bridge of any daemon the table of rules: the host is as it was before.</summary>
    public static void RemoveAll(string ownerTag)
    {
        var own = Find(ownerTag);
        foreach (var bridge in own)
        {
            Remove(bridge.Name);
        }

        using var routes = new RouteSocket();
        if (own.Count > 0 && !routes.ListLinks().Any(l => l.Kind == "bridge" && BridgeAlias.OwnerOfBridge(l.Alias) is not null))
        {
            Firewall.Current.RemoveTable();
        }
    }

    /// <summary>True when an interface has this name. Asked of the kernel: /sys may show another network namespace's interfaces.</summary>
    public static bool IsTaken(string name)
    {
        using var routes = new RouteSocket();
        return routes.FindLink(name) is not null;
    }

    /// <summary>The bridges that a daemon has here.</summary>
    public static IReadOnlyList<BridgeInfo> Find(string ownerTag)
    {
        using var routes = new RouteSocket();
        return
        [
            .. from link in routes.ListLinks()
               where link.Kind == "bridge" && BridgeAlias.OwnerOfBridge(link.Alias) == ownerTag
               select new BridgeInfo(link.Name, link.Index, ownerTag),
        ];
    }

    /// <summary>
    /// Loads nftables' library and opens its context, 7 ms that the first <see cref="Ensure"/> then does not need; for a thread in the
    /// background while a daemon starts.
    /// </summary>
    /// <exception cref="NftablesException">The library is missing.</exception>
    public static void Prepare() => _ = Firewall.Current;

    private static (int Index, List<IPNetwork> FormerSubnets) Configure(RouteSocket routes, BridgeConfig config, Link? known)
    {
        // The alias comes first: from then on a crash leaves a bridge that its daemon recognizes.
        if (known is null)
        {
            routes.Execute(RouteSocket.SetLink(config.Name, alias: BridgeAlias.OfBridge(config.OwnerTag)));
            known = routes.FindLink(config.Name) ?? throw new NetlinkException("RTM_GETLINK", $"'{config.Name}'", Errno.ENODEV, null);
        }

        if (!Ip6.Switch(config.Name, config.Gateway6 is not null) && config.Gateway6 is not null)
        {
            throw new NetworkException(NetworkErrorKind.InvalidParameter, $"network '{config.Subnet6}' needs IPv6, which this kernel has switched off");
        }

        var missing = config.Addresses.ToList();
        var former = new List<IPNetwork>();
        foreach (var address in routes.ListAddresses(known.Index).Where(a => !a.Address.IsIPv6LinkLocal))
        {
            if (missing.Remove((address.Address, address.PrefixLength)))
            {
                continue;
            }

            former.Add(AddressMath.NetworkOf(address.Address, address.PrefixLength));
            routes.Execute(RouteSocket.DeleteAddress(known.Index, address.Address, address.PrefixLength));
        }

        foreach (var (address, prefixLength) in missing)
        {
            routes.Execute(RouteSocket.AddAddress(known.Index, address, prefixLength));
        }

        if (!known.IsUp || known.Mtu != config.Mtu)
        {
            routes.Execute(RouteSocket.SetLink(config.Name, up: true, mtu: config.Mtu));
        }

        if (!config.Internal)
        {
            Sysctl.Write("net/ipv4/ip_forward", "1");
            if (config.Gateway6 is not null)
            {
                Ip6.Forward();
            }
        }

        return (known.Index, former);
    }

    private static void Validate(BridgeConfig config)
    {
        if (config.Name.Length == 0 || Encoding.UTF8.GetByteCount(config.Name) > NameBytes || config.Name is "." or ".."
            || config.Name.Any(c => c is '/' or ':' or '*' or '"' or '\\' or <= ' ' or > '~'))
        {
            throw new NetworkException(
                NetworkErrorKind.InvalidParameter,
                $"invalid bridge name '{config.Name}': 1 to {NameBytes} letters, digits, '-', '_' or '.'");
        }

        if (config.Gateway is null ? config.Gateway6 is null : config.Gateway.AddressFamily != AddressFamily.InterNetwork || config.PrefixLength is < 1 or > 31)
        {
            throw new NetworkException(
                NetworkErrorKind.InvalidParameter, $"invalid gateway '{config.Gateway}/{config.PrefixLength}': it is no IPv4 address of a subnet");
        }

        if (config.Gateway6 is { } six && (six.AddressFamily != AddressFamily.InterNetworkV6 || config.PrefixLength6 is < 1 or > 127))
        {
            throw new NetworkException(
                NetworkErrorKind.InvalidParameter, $"invalid gateway '{six}/{config.PrefixLength6}': it is no IPv6 address of a subnet");
        }

        if (config.OwnerTag.Contains(':', StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(config.OwnerTag) is 0 or > TagBytes)
        {
            throw new NetworkException(
                NetworkErrorKind.InvalidParameter, $"invalid owner tag '{config.OwnerTag}': 1 to {TagBytes} bytes without ':'");
        }
    }
}
