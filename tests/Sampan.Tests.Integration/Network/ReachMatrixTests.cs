using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>
/// Who reaches which port and as whom: from everywhere, by TCP and UDP, IPv4 and IPv6, to a published port, one that is only exposed, and
/// one on an internal network.
/// </summary>
public sealed class ReachMatrixTests
{
    private const string Other4 = "198.51.100.2", Other6 = "2001:db8::2", Host4 = "198.51.100.1", Host6 = "2001:db8::1";

    [Fact]
    public async Task Every_cell_of_the_matrix_is_reached_or_not_and_sees_the_right_client()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        var reach = new Reach(daemon);
        (await daemon.Docker.Run("network create --ipv6 a")).Succeeds();
        (await daemon.Docker.Run("network create --ipv6 b")).Succeeds();
        (await daemon.Docker.Run("network create --ipv6 --internal i")).Succeeds();
        await reach.RunAsync("web", "--network a -p 8080:80 -p 8080:80/udp --expose 81");
        await reach.RunAsync("neighbour", "--network a");
        await reach.RunAsync("stranger", "--network b");
        await reach.RunAsync("vault", "--network i -p 8090:80 -p 8090:80/udp");
        await reach.RunAsync("vault-neighbour", "--network i");
        await reach.ServeAsync("web", 80, 81);
        await reach.ServeAsync("vault", 80);

        var cells = new List<(string Name, string From, string Question, string Expected)>();
        foreach (bool six in (bool[])[false, true])
        {
            string host = six ? Host6 : Host4, local = six ? "::1" : "127.0.0.1", other = six ? Other6 : Other4;
            string web = await reach.AddressAsync("web", "a", six), neighbour = await reach.AddressAsync("neighbour", "a", six);
            string stranger = await reach.AddressAsync("stranger", "b", six), gateway = await reach.GatewayAsync("a", six);
            string vault = await reach.AddressAsync("vault", "i", six), inner = await reach.AddressAsync("vault-neighbour", "i", six);
            string innerGateway = await reach.GatewayAsync("i", six);
            foreach (string protocol in (string[])["tcp", "udp"])
            {
                void Cell(string kind, string from, string client, string address, int port, string expected) =>
                    cells.Add(($"{kind} from {from} by {protocol} to {address}", client, $"{protocol} {address} {port}", expected));

                Cell("published", "another machine", "other machine", host, 8080, other);
                Cell("published", "the host by address", "host", host, 8080, host);
                Cell("published", "the host by localhost", "host", local, 8080, gateway);
                Cell("published", "the same network", "neighbour", host, 8080, gateway);
                Cell("published", "another network", "stranger", host, 8080, stranger);
                Cell("published", "itself", "web", host, 8080, gateway);
                Cell("exposed only", "another machine", "other machine", web, 81, "-");
                Cell("exposed only, host's address", "another machine", "other machine", host, 81, "-");
                Cell("exposed only", "the host by address", "host", web, 81, gateway);
                Cell("exposed only", "the host by localhost", "host", local, 81, "-");
                Cell("exposed only", "the same network", "neighbour", web, 81, neighbour);
                Cell("exposed only", "another network", "stranger", web, 81, "-");
                Cell("exposed only", "itself", "web", web, 81, web);
                Cell("internal", "another machine", "other machine", vault, 80, "-");
                Cell("internal, host's port", "another machine", "other machine", host, 8090, "-");
                Cell("internal", "the host by address", "host", vault, 80, innerGateway);
                Cell("internal", "the host by localhost", "host", local, 8090, "-");
                Cell("internal", "the same network", "vault-neighbour", vault, 80, inner);
                Cell("internal", "another network", "stranger", vault, 80, "-");
                Cell("internal", "itself", "vault", vault, 80, vault);
                // The published port's own address and port are for its network alone, and an internal network reaches nothing outside.
                Cell("published, container's address", "another machine", "other machine", web, 80, "-");
                Cell("published, container's address", "another network", "stranger", web, 80, "-");
                Cell("another machine's port", "an internal network", "vault", other, 9000, "-");
                Cell("another machine's port", "a network", "neighbour", other, 9000, host);
            }
        }

        (await daemon.Machine.ShellAsync("mkfifo /run/far; nsenter --target $(cat /run/other) --net python3 "
            + $"{Path.Combine(AppContext.BaseDirectory, "Network", "Reach.py")} serve 9000 >/run/far 2>&1 & read -r line </run/far; test \"$line\" = ready")).Succeeds();
        var wrong = new List<string>();
        foreach (var group in cells.GroupBy(c => c.From))
        {
            string[] answers = await reach.AskAsync(group.Key, [.. group.Select(c => c.Question)]);
            wrong.AddRange(group.Zip(answers).Where(c => c.First.Expected != c.Second).Select(c => $"{c.First.Name}: '{c.Second}' instead of '{c.First.Expected}'"));
        }

        Assert.Equal(96, cells.Count);
        Assert.Equal([], wrong);
    }

    [Fact]
    public async Task A_container_that_has_IPv4_only_is_reached_by_IPv6_too()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        var reach = new Reach(daemon);
        await reach.RunAsync("web", "-p 8080:80 -p 8080:80/udp -p 127.0.0.1:8081:80");
        await reach.ServeAsync("web", 80);
        (await daemon.Docker.Run("port web 80/tcp")).Succeeds().Shows("0.0.0.0:8080").Shows("[::]:8080").Shows("127.0.0.1:8081");
        string gateway = await reach.GatewayAsync("bridge", six: false);
        Assert.Equal([gateway, gateway, gateway, gateway, "-", gateway],
            await reach.AskAsync("host", ["tcp ::1 8080", "udp ::1 8080", $"tcp {Host6} 8080", $"udp {Host6} 8080", "tcp ::1 8081", "tcp 127.0.0.1 8081"]));
        Assert.Equal([gateway, gateway, "-"], await reach.AskAsync("other machine", [$"tcp {Host6} 8080", $"udp {Host6} 8080", $"tcp {Host4} 8081"]));
    }

    [Fact]
    public async Task A_client_that_sends_UDP_all_the_while_follows_a_published_port_from_container_to_container()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        var reach = new Reach(daemon);
        string[] questions = [$"udp {Host4} 8053", $"udp {Host6} 8053"];
        (await daemon.Docker.Run("network create --ipv6 --subnet fd00:8053::/64 n")).Succeeds();
        Assert.Equal(["-", "-"], await reach.AskAsync("other machine", questions, sourcePort: 40053));
        await reach.RunAsync("holder", "--network n"); // takes the first address, so that the two that follow have others
        foreach (string name in (string[])["first", "second"])
        {
            await reach.RunAsync(name, $"--network n -p 8053:53/udp{(name == "first" ? "" : " --ip6 " + await Beyond(reach))}");
            await reach.ServeAsync(name, 53);
            Assert.Equal([Other4, Other6], await reach.AskAsync("other machine", questions, sourcePort: 40053));
            (await daemon.Docker.Run($"rm -f {name}")).Succeeds();
            Assert.Equal(["-", "-"], await reach.AskAsync("other machine", questions, sourcePort: 40053));
        }

        static async Task<string> Beyond(Reach reach) => await reach.GatewayAsync("n", six: true) + "234:5678";
    }

    [Fact]
    public async Task What_a_container_without_NET_RAW_cannot_do_is_to_speak_for_others()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("network create n")).Succeeds();
        (await daemon.Docker.Run("run -d --name victim --network n busybox sleep 1000")).Succeeds();
        string victim = await new Reach(daemon).AddressAsync("victim", "n", six: false);
        string thief = "run --rm --network n --cap-drop NET_RAW busybox ";
        (await daemon.Docker.Run(thief + $"arping -c 1 -I eth0 -s {victim} {victim}")).Fails().Complains("not permitted");
        (await daemon.Docker.Run(thief + $"ip address add {victim}/16 dev eth0")).Fails().Complains("not permitted");
        (await daemon.Docker.Run(thief + "ip link set eth0 address 02:42:00:00:00:09")).Fails().Complains("not permitted");
    }
}
