using System.Net;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>A block of addresses from which networks get subnets (daemon.json's <c>default-address-pools</c>).</summary>
/// <param name="Base">The block.</param>
/// <param name="Size">Bits of each subnet cut from it.</param>
public sealed record PoolTemplate(IPNetwork Base, int Size)
{
    /// <summary>The subnets in order.</summary>
    public IEnumerable<IPNetwork> Subnets()
    {
        var bits = AddressMath.Bits(Base.BaseAddress);
        var start = AddressMath.ToNumber(Base.BaseAddress);
        var step = AddressMath.Size(Size, bits);
        for (UInt128 offset = 0; offset < AddressMath.Size(Base.PrefixLength, bits); offset += step)
        {
            yield return new IPNetwork(AddressMath.ToAddress(start + offset, bits), Size);
        }
    }
}

/// <summary>Chooses subnets for networks so that none hides a place the host can reach.</summary>
public static class Ipam
{
    /// <summary>Docker's blocks: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in pieces of 20 bits.</summary>
    public static IReadOnlyList<PoolTemplate> DefaultPools { get; } =
    [
        new(IPNetwork.Parse("172.17.0.0/16"), 16),
        new(IPNetwork.Parse("172.18.0.0/15"), 16),
        new(IPNetwork.Parse("172.20.0.0/14"), 16),
        new(IPNetwork.Parse("172.24.0.0/14"), 16),
        new(IPNetwork.Parse("172.28.0.0/14"), 16),
        new(IPNetwork.Parse("192.168.0.0/16"), 20),
    ];

    /// <summary>
    /// The block of IPv6 subnets of 64 bits that a daemon cuts its networks from when it is given none: fd and 40 bits of its own, which
    /// collide with no other's (RFC 4193, section 3.2.2).
    /// </summary>
    /// <param name="seed">What tells daemons apart, at least 5 bytes; it is to stay the same.</param>
    public static PoolTemplate UniqueLocalPool(ReadOnlySpan<byte> seed)
    {
        var address = new byte[16];
        address[0] = 0xfd;
        seed[..5].CopyTo(address.AsSpan(1));
        return new(new IPNetwork(new IPAddress(address), 48), 64);
    }

    /// <summary>The first subnet of the pools that overlaps none of <paramref name="taken"/>. Pure.</summary>
    /// <exception cref="NetworkException">Exhausted.</exception>
    public static IPNetwork FirstFree(IEnumerable<PoolTemplate> pools, IReadOnlyCollection<IPNetwork> taken)
    {
        foreach (var subnet in pools.SelectMany(pool => pool.Subnets()))
        {
            if (!taken.Any(other => AddressMath.Overlap(subnet, other)))
            {
                return subnet;
            }
        }

        throw new NetworkException(NetworkErrorKind.Exhausted, "all predefined address pools have been fully subnetted");
    }

    /// <summary>
    /// The first subnet of the pools that overlaps no route, address or name server of the host and none of <paramref name="taken"/>.
    /// </summary>
    /// <param name="taken">Subnets of known networks, whether they are set up now or not.</param>
    /// <param name="pools">Where to choose from; <see cref="DefaultPools"/> when null.</param>
    public static IPNetwork PickFree(IEnumerable<IPNetwork> taken, IEnumerable<PoolTemplate>? pools = null) =>
        FirstFree(pools ?? DefaultPools, [.. taken, .. HostSubnets()]);

    /// <summary>What the host reaches by routes, has as addresses, or asks for names; default routes left out.</summary>
    public static IReadOnlyList<IPNetwork> HostSubnets()
    {
        using var routes = new RouteSocket();
        var subnets = routes.ListRoutes().Where(r => r.Destination.PrefixLength > 0).Select(r => r.Destination)
            .Concat(routes.ListAddresses().Select(a => AddressMath.NetworkOf(a.Address, a.PrefixLength)))
            .Concat(HostFiles.Nameservers(HostFiles.ReadHostResolvConf()).Select(server => new IPNetwork(server, AddressMath.Bits(server))));
        return [.. subnets.Distinct()];
    }
}
