using System.Net;
using Sampan.Api;
using Sampan.Engine;
using Sampan.Engine.Networks;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Engine;

/// <summary>The API's port maps as requests, and runs of ports that become one request.</summary>
public sealed class PortRequestsTests
{
    private const int Shortest = PortRequests.ShortestRange;

    private static IEnumerable<PortRequest> Straight(int first, int count, PortProtocol protocol = PortProtocol.Tcp, IPAddress? host = null) =>
        Enumerable.Range(first, count).Select(port => new PortRequest(protocol, port, host, port, port));

    private static string Text(IEnumerable<PortRequest> requests) => string.Join(' ', requests.Select(r =>
        $"{(r.HostIp is { } host ? host + ":" : "")}{(r.First == r.Last ? $"{r.First}" : $"{r.First}-{r.Last}")}>{r.ContainerPort}/{r.Protocol}x{r.Count}".ToLowerInvariant()));

    [Fact]
    public void A_run_from_the_shortest_length_on_is_one_request()
    {
        Assert.Equal($"1000>1000/tcpx{Shortest}", Text(PortRequests.Join([.. Straight(1000, Shortest)])));
        Assert.Equal([.. Straight(1000, Shortest - 1)], PortRequests.Join([.. Straight(1000, Shortest - 1)]));
    }

    [Fact]
    public void The_whole_of_the_ports_is_one_request() =>
        Assert.Equal("1>1/udpx65535", Text(PortRequests.Join([.. Straight(1, 65535, PortProtocol.Udp)])));

    [Fact]
    public void A_gap_parts_runs_and_order_and_repetition_do_not()
    {
        List<PortRequest> ports = [.. Straight(2000, Shortest), .. Straight(2000 + Shortest + 1, Shortest), .. Straight(2000, 3)];
        ports.Reverse();
        Assert.Equal($"2000>2000/tcpx{Shortest} {2001 + Shortest}>{2001 + Shortest}/tcpx{Shortest}", Text(PortRequests.Join(ports)));
    }

    [Fact]
    public void Protocols_and_addresses_are_runs_of_their_own()
    {
        var one = IPAddress.Parse("192.0.2.1");
        List<PortRequest> ports = [.. Straight(3000, Shortest), .. Straight(3000, Shortest, PortProtocol.Udp), .. Straight(3000, Shortest, host: one)];
        Assert.Equal($"3000>3000/tcpx{Shortest} 192.0.2.1:3000>3000/tcpx{Shortest} 3000>3000/udpx{Shortest}", Text(PortRequests.Join(ports)));

        // Neither family's half is long enough, both together are no run.
        List<PortRequest> halves = [.. Straight(3000, Shortest / 2), .. Straight(3000 + (Shortest / 2), Shortest / 2, host: one)];
        Assert.All(PortRequests.Join(halves), request => Assert.Equal(1, request.Count));
    }

    [Fact]
    public void What_the_kernel_cannot_lead_as_a_range_stays_as_it_is()
    {
        PortRequest[] sctp = [.. Straight(4000, Shortest, PortProtocol.Sctp)];
        PortRequest[] shifted = [.. Straight(4000, Shortest).Select(r => r with { ContainerPort = r.ContainerPort + 1 })];
        PortRequest[] anyFree = [.. Straight(4000, Shortest).Select(r => r with { First = 0, Last = 0 })];
        PortRequest[] choices = [.. Straight(4000, Shortest).Select(r => r with { Last = 9000 })];
        foreach (var requests in (PortRequest[][])[sctp, shifted, anyFree, choices])
        {
            Assert.Equal(requests, PortRequests.Join(requests));
        }
    }

    [Fact]
    public void Those_without_a_choice_come_first()
    {
        PortRequest choice = new(PortProtocol.Tcp, 80, null, 5000, 5999), any = new(PortProtocol.Tcp, 81, null, 0, 0);
        Assert.Equal($"5000>5000/tcpx{Shortest} 5000-5999>80/tcpx1 0>81/tcpx1", Text(PortRequests.Join([any, choice, .. Straight(5000, Shortest)])));
    }

    [Fact]
    public void What_is_asked_is_read_from_the_API_s_maps()
    {
        var host = new HostConfig
        {
            PublishAllPorts = true,
            PortBindings = new()
            {
                ["80/tcp"] = [new() { HostIp = "127.0.0.1", HostPort = "8080" }, new() { HostPort = "9000-9010" }],
                ["53/udp"] = [],
            },
        };
        var config = new ContainerConfig { ExposedPorts = new() { ["80/tcp"] = new(), ["443/tcp"] = new() } };
        Assert.Equal("127.0.0.1:8080>80/tcpx1 0>53/udpx1 9000-9010>80/tcpx1 0>443/tcpx1", Text(PortRequests.Read(host, config)));
    }

    [Theory]
    [InlineData("80/tcp", "65536")]
    [InlineData("80/tcp", "2-1")]
    [InlineData("80/tcp", "-1")]
    [InlineData("80/tcp", "x")]
    [InlineData("0/tcp", "80")]
    [InlineData("65536/tcp", "80")]
    [InlineData("80/icmp", "80")]
    public void What_is_no_port_is_refused(string key, string hostPort)
    {
        var host = new HostConfig { PortBindings = new() { [key] = [new() { HostPort = hostPort }] } };
        Assert.Equal(ErrorKind.InvalidParameter, Assert.Throws<EngineException>(() => PortRequests.Read(host, new ContainerConfig())).Kind);
    }
}
