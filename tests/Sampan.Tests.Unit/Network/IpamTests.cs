using System.Net;
using Sampan.Linux;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

public sealed class IpamTests
{
    private static readonly IPNetwork Docker = IPNetwork.Parse("172.17.0.0/16");

    [Theory]
    [InlineData("", "172.17.0.0/16")]
    [InlineData("172.17.5.0/24", "172.18.0.0/16")]
    [InlineData("172.16.0.0/14", "172.20.0.0/16")]
    [InlineData("172.16.0.0/12", "192.168.0.0/20")]
    [InlineData("172.16.0.0/12 192.168.1.0/24 192.168.17.1/32", "192.168.32.0/20")]
    [InlineData("fd00::/8 10.0.0.0/8", "172.17.0.0/16")]
    public void The_first_pool_is_chosen_that_overlaps_nothing(string taken, string expected) => Assert.Equal(
        expected,
        Ipam.FirstFree(Ipam.DefaultPools, [.. taken.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(text => IPNetwork.Parse(text))]).ToString());

    [Fact]
    public void The_default_pools_are_dockers() => Assert.Equal(
        [.. Enumerable.Range(17, 15).Select(i => $"172.{i}.0.0/16"), .. Enumerable.Range(0, 16).Select(i => $"192.168.{16 * i}.0/20")],
        Ipam.DefaultPools.SelectMany(pool => pool.Subnets()).Select(subnet => subnet.ToString()));

    [Fact]
    public void No_pool_left_is_an_error() => Assert.Equal(
        (NetworkErrorKind.Exhausted, "all predefined address pools have been fully subnetted"),
        Assert.Throws<NetworkException>(() => Ipam.FirstFree(Ipam.DefaultPools, [IPNetwork.Parse("0.0.0.0/0")])) is var e ? (e.Kind, e.Message) : default);

    [Fact]
    public void Routes_and_addresses_of_the_host_are_left_alone() => World.Run(_ =>
    {
        using var routes = new RouteSocket();
        Assert.Equal("172.17.0.0/16", Ipam.PickFree([]).ToString());
        routes.Execute(RouteSocket.AddRoute(new Route(Docker, World.OutsideAddress, 0)));
        routes.Execute(RouteSocket.AddAddress(routes.FindLink("lo")!.Index, IPAddress.Parse("172.18.3.3"), 32));
        routes.Execute(RouteSocket.AddRoute(new Route(IPNetwork.Parse("0.0.0.0/0"), World.OutsideAddress, 0)));
        Assert.Equal("172.20.0.0/16", Ipam.PickFree([IPNetwork.Parse("172.19.0.0/16")]).ToString());
    });

    [Fact]
    public void Addresses_are_the_lowest_free_after_the_gateway()
    {
        var pool = new AddressPool(Docker, null, null, "bridge (abc)");
        Assert.Equal("172.17.0.1", pool.Gateway.ToString());
        Assert.Equal(["172.17.0.2", "172.17.0.3", "172.17.0.4"], Take(pool, 3));
        pool.Release(IPAddress.Parse("172.17.0.3"));
        pool.Release(IPAddress.Parse("172.17.0.3"));
        pool.Release(pool.Gateway);
        pool.Release(IPAddress.Parse("10.0.0.1"));
        Assert.Equal(["172.17.0.3", "172.17.0.5"], Take(pool, 2));
    }

    [Fact]
    public void IPv6_addresses_go_up_from_the_gateway_or_from_the_range_and_any_other_can_be_claimed()
    {
        var pool = new AddressPool(IPNetwork.Parse("fd00:1::/64"), null, null, "n (abc)");
        Assert.Equal("fd00:1::1", pool.Gateway.ToString());
        var far = IPAddress.Parse("fd00:1::abcd:1234:5678:9abc");
        pool.Claim(far);
        Assert.Equal(NetworkErrorKind.Conflict, Assert.Throws<NetworkException>(() => pool.Claim(far)).Kind);
        Assert.Equal(["fd00:1::2", "fd00:1::3"], Take(pool, 2));
        pool.Release(far);
        pool.Claim(far);
        var part = new AddressPool(IPNetwork.Parse("fd00:1::/64"), null, IPNetwork.Parse("fd00:1:0:0:8000::/96"), "n (abc)");
        Assert.Equal(["fd00:1:0:0:8000::", "fd00:1::8000:0:0:1"], Take(part, 2));
        part.Claim(IPAddress.Parse("fd00:1::2"));
    }

    [Fact]
    public void A_daemons_own_IPv6_pool_is_unique_local_and_has_65536_subnets()
    {
        var pool = Ipam.UniqueLocalPool([1, 2, 3, 4, 5, 6]);
        Assert.Equal("fd01:203:405::/48", pool.Base.ToString());
        Assert.Equal("fd01:203:405:1::/64", Ipam.FirstFree([pool], [IPNetwork.Parse("fd01:203:405::/64")]).ToString());
        Assert.Equal(65536, pool.Subnets().Count());
    }

    [Fact]
    public void A_full_subnet_says_so_in_dockers_words()
    {
        var pool = new AddressPool(IPNetwork.Parse("10.9.8.0/29"), IPAddress.Parse("10.9.8.6"), null, "bridge (abc)");
        Assert.Equal(["10.9.8.1", "10.9.8.2", "10.9.8.3", "10.9.8.4", "10.9.8.5"], Take(pool, 5));
        Assert.Equal(
            "no available IPv4 addresses on this network's address pools: bridge (abc)",
            Assert.Throws<NetworkException>(() => pool.Allocate()).Message);
        pool.Release(IPAddress.Parse("10.9.8.2"));
        Assert.Equal("10.9.8.2", pool.Allocate().ToString());
    }

    [Fact]
    public void Every_address_of_a_large_subnet_is_given_once()
    {
        var pool = new AddressPool(Docker, null, null, "bridge");
        Assert.Equal(65533, Take(pool, 65533).Distinct().Count());
        Assert.Throws<NetworkException>(() => pool.Allocate());
    }

    [Fact]
    public void A_range_limits_the_choice_but_not_the_claims()
    {
        var pool = new AddressPool(Docker, null, IPNetwork.Parse("172.17.5.4/30"), "net");
        pool.Claim(IPAddress.Parse("172.17.200.1"));
        Assert.Equal(["172.17.5.4", "172.17.5.5", "172.17.5.6", "172.17.5.7"], Take(pool, 4));
        Assert.Throws<NetworkException>(() => pool.Allocate());
    }

    [Theory]
    [InlineData("172.17.0.1", NetworkErrorKind.Conflict, "Address already in use")]
    [InlineData("172.18.0.1", NetworkErrorKind.InvalidParameter, "no configured subnet contains IP address 172.18.0.1")]
    [InlineData("::1", NetworkErrorKind.InvalidParameter, "no configured subnet contains IP address ::1")]
    [InlineData("172.17.0.0", NetworkErrorKind.InvalidParameter, "address 172.17.0.0 of subnet '172.17.0.0/16' cannot be assigned")]
    [InlineData("172.17.255.255", NetworkErrorKind.InvalidParameter, "address 172.17.255.255 of subnet '172.17.0.0/16' cannot be assigned")]
    public void Claims_that_cannot_be_are_refused(string address, NetworkErrorKind kind, string message)
    {
        var refusal = Assert.Throws<NetworkException>(() => new AddressPool(Docker, null, null, "bridge").Claim(IPAddress.Parse(address)));
        Assert.Equal((kind, message), (refusal.Kind, refusal.Message));
    }

    [Fact]
    public void IPv6_subnets_give_addresses_too() =>
        Assert.Equal(["fd00::2", "fd00::3"], Take(new AddressPool(IPNetwork.Parse("fd00::/64"), null, null, "six"), 2));

    private static List<string> Take(AddressPool pool, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => pool.Allocate().ToString())];

    [Fact]
    public void An_address_before_the_range_that_was_given_back_is_not_given_away()
    {
        var pool = new AddressPool(IPNetwork.Parse("10.0.0.0/24"), null, IPNetwork.Parse("10.0.0.128/25"), "test");
        pool.Claim(IPAddress.Parse("10.0.0.7"));
        pool.Release(IPAddress.Parse("10.0.0.7"));
        Assert.Equal("10.0.0.128", pool.Allocate().ToString());
    }
}
