using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>The manual's walk through networking, as a new user types it, with each command line on a daemon of its own.</summary>
public sealed class ManualWalkTests
{
    private const string Web = "sh -c 'while true; do printf \"HTTP/1.0 200 OK\\r\\n\\r\\nhello from inside\\n\" | nc -l -p 5000; done'";

    [Theory]
    [InlineData(CommandLine.Docker)]
    [InlineData(CommandLine.Sampan)]
    public async Task The_manual_s_walk_works_word_for_word(CommandLine commandLine)
    {
        Assert.SkipWhen(Subject.IsReference && commandLine == CommandLine.Sampan && !File.Exists(Subject.Sampan), "no binary");
        await using Daemon daemon = await Daemon.StartAsync();
        Cli cli = commandLine == CommandLine.Docker ? daemon.Docker : daemon.Sampan;

        Assert.Matches(@"^NETWORK ID +NAME +DRIVER +SCOPE\n\w{12} +bridge +bridge +local\n\w{12} +host +host +local\n\w{12} +none +null +local$", (await cli.Run("network ls")).Succeeds().Output);

        (await cli.Run("run -d --name greeter --expose 5000 busybox nc -ll -p 5000 -e echo hello")).Succeeds();
        string address = (await cli.Run("inspect --format {{.NetworkSettings.IPAddress}} greeter")).Succeeds().Output;
        await Answers(address, 5000, "hello");
        (await cli.Run("ps --format '{{.Names}} {{.Ports}}'")).Succeeds().Prints("greeter 5000/tcp");

        (await cli.Run("network create room")).Succeeds();
        (await cli.Run("run -d --name sleeper --network room --network-alias dad busybox sleep 1000")).Succeeds();
        (await cli.Run("run --rm --network room busybox ping -c 1 -w 5 sleeper")).Succeeds().Shows("1 packets received");
        (await cli.Run("run --rm --network room busybox ping -c 1 -w 5 dad")).Succeeds().Shows("1 packets received");
        (await cli.Run("run --rm busybox ping -c 1 -w 5 sleeper")).Fails().Complains("bad address");

        (await cli.Run("run -d --name direct --network host busybox nc -ll -p 5001 -e echo direct")).Succeeds();
        await Answers("localhost", 5001, "direct");
        (await cli.Run("run --rm --network none busybox ls /sys/class/net")).Succeeds().Prints("lo");
        (await cli.Run("run --rm --network none busybox ping -c 1 -w 2 172.17.0.1")).Fails().Complains("Network is unreachable");

        (await cli.Run($"run -d --name web -p 80:5000 busybox {Web}")).Succeeds();
        await Eventually.IsTrue(async () => (await daemon.Machine.ShellAsync("busybox wget -qO- http://localhost/")).Output == "hello from inside", 20, () => "the web page is there");
        (await cli.Run("port web")).Succeeds().Shows("5000/tcp -> 0.0.0.0:80");

        (await cli.Run("network inspect bridge")).Succeeds().Shows("\"Subnet\": \"172.17.0.0/16\"").Shows("\"Gateway\": \"172.17.0.1\"").Shows("\"Name\": \"web\"").Shows("\"Driver\": \"bridge\"");
        (await cli.Run("network rm room")).Fails().Complains("has active endpoints");
        (await cli.Run("rm -f greeter sleeper direct web")).Succeeds();
        (await cli.Run("network rm room")).Succeeds().Prints("room");

        Task Answers(string host, int port, string text) => Eventually.IsTrue(
            async () => (await daemon.Machine.ShellAsync($"busybox nc -w 2 {host} {port} </dev/null")).Output == text, 20, () => $"{host}:{port} answers");
    }

    [Fact]
    public async Task A_link_on_the_default_bridge_is_a_name_and_variables()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("run -d --name store --hostname shelf --expose 5432 --expose 53/udp -e COLOR=red busybox sleep 1000")).Succeeds();
        string address = (await daemon.Docker.Run("inspect --format {{.NetworkSettings.IPAddress}} store")).Succeeds().Output;
        string[] shown = (await daemon.Docker.Run("run --rm --name asker --link store:the-db busybox sh -c 'env; cat /etc/hosts; ping -c 1 -w 5 the-db >/dev/null && echo found'")).Succeeds().Lines;
        Assert.Empty(((string[])
        [
            $"THE_DB_PORT=tcp://{address}:5432", $"THE_DB_PORT_5432_TCP=tcp://{address}:5432", $"THE_DB_PORT_5432_TCP_ADDR={address}", "THE_DB_PORT_5432_TCP_PORT=5432",
            "THE_DB_PORT_5432_TCP_PROTO=tcp", $"THE_DB_PORT_53_UDP=udp://{address}:53", "THE_DB_NAME=/asker/the-db", "THE_DB_ENV_COLOR=red", "found",
        ]).Except(shown));
        Assert.Contains(shown, line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [var first, "the-db", "shelf", "store"] && first == address);
        (await daemon.Docker.Run("stop -t 0 store")).Succeeds();
        (await daemon.Docker.Run("run --rm --link store:the-db busybox true")).Exits(125).Complains("Cannot link to a non running container: /store AS");
    }
}
