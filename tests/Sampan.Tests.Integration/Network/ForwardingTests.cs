using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Names of the rest of the world: what a machine's servers say, through the resolver.</summary>
public sealed class ForwardingTests : IAsyncLifetime
{
    private readonly List<Running> _servers = [];
    private Daemon? _daemon;

    private Daemon Daemon => _daemon!;

    private string Log => Path.Combine(Daemon.Folder, "questions");

    /// <summary>A daemon on a machine with two servers: 127.0.0.2, which resolv.conf names, and 127.0.0.3.</summary>
    public async ValueTask InitializeAsync()
    {
        _daemon = await Daemon.StartAsync();
        string tools = Path.Combine(Subject.Root, "tests", "Sampan.Tests.Integration", "Network", "Tools");
        (await Daemon.Machine.ShellAsync($"""
            touch {Log} && gcc -static -w -o {Daemon.Folder}/glibc {tools}/lookup.c
            echo nameserver 127.0.0.2 >{Daemon.Folder}/resolv.conf && mount --bind {Daemon.Folder}/resolv.conf /etc/resolv.conf
            """, 120)).Succeeds();
        foreach (int last in (int[])[2, 3])
        {
            var server = new Running(Daemon.Machine.Inside("/usr/bin/python3", Path.Combine(tools, "upstream.py"), $"127.0.0.{last}", $"s{last}", Log));
            _servers.Add(server);
            await server.WaitForOutputAsync("ready");
        }
        (await Daemon.Docker.Run("network create n")).Succeeds();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Daemon.DisposeAsync();
        foreach (Running server in _servers)
            await server.DisposeAsync();
    }

    [Fact]
    public async Task A_server_s_answers_come_by_datagram_and_large_ones_by_stream()
    {
        (await Look("host.example")).Succeeds().Shows("192.0.2.2");
        (await Look("none.nowhere")).Fails().Shows("NXDOMAIN");
        // The C library asks again by TCP when a datagram does not hold the answer.
        (await Daemon.Docker.Run($"run --rm --network n -v {Daemon.Folder}:/t busybox /t/glibc big.example")).Succeeds().Shows("60 addresses");
        Assert.Contains("s2 tcp big.example 1", await Questions());
    }

    [Fact]
    public async Task An_answer_is_kept_for_its_time_to_live()
    {
        await Daemon.Docker.Run("run -d --name c --network n busybox sleep 1000");
        for (int i = 0; i < 5; i++)
            (await Daemon.Docker.Run("exec c nslookup -type=a kept.example")).Succeeds().Shows("192.0.2.2");
        Assert.Equal(1, (await Questions()).Count(q => q.Contains(" kept.example 1")));
    }

    [Fact]
    public async Task A_server_that_refuses_or_is_silent_or_is_not_there_is_stood_in_for_by_the_next()
    {
        (await Look("a.example", "--dns 127.0.0.9 --dns 127.0.0.3")).Succeeds().Shows("192.0.2.3");
        await Look("b.refused", "--dns 127.0.0.2 --dns 127.0.0.3");
        await Look("c.silent", "--dns 127.0.0.2 --dns 127.0.0.3");
        string[] questions = await Questions();
        foreach (string name in (string[])["b.refused", "c.silent"])
        {
            Assert.Contains(questions, q => q.StartsWith($"s2 udp {name}"));
            Assert.Contains(questions, q => q.StartsWith($"s3 udp {name}"));
        }
    }

    [Fact]
    public async Task A_change_of_the_host_s_servers_is_followed_and_the_user_s_own_come_first()
    {
        (await Daemon.Docker.Run("run -d --name c --network n busybox sleep 1000")).Succeeds();
        (await Daemon.Docker.Run("exec c nslookup -type=a before.example")).Succeeds().Shows("192.0.2.2");
        File.WriteAllText(Path.Combine(Daemon.Folder, "resolv.conf"), "nameserver 127.0.0.3\n");
        await Eventually.IsTrue(async () => (await Daemon.Docker.Run("exec c nslookup -type=a before.example")).Output.Contains("192.0.2.3"), 20, () => "the old server is still asked");
        (await Look("own.example", "--dns 127.0.0.2")).Succeeds().Shows("192.0.2.2");
    }

    [Fact]
    public async Task An_internal_network_asks_nobody()
    {
        (await Daemon.Docker.Run("network create --internal inside")).Succeeds();
        (await Daemon.Docker.Run("run -d --name in --network inside busybox sleep 1000")).Succeeds();
        (await Daemon.Docker.Run("exec in nslookup -type=a in")).Succeeds();
        (await Daemon.Docker.Run("exec in nslookup -type=a secret.example")).Fails();
        Assert.DoesNotContain(await Questions(), q => q.Contains("secret.example"));
        // One that leads out beside it, and it may ask.
        (await Daemon.Docker.Run("network connect n in")).Succeeds();
        (await Daemon.Docker.Run("exec in nslookup -type=a public.example")).Succeeds().Shows("192.0.2.2");
    }

    [Fact]
    public async Task A_server_that_would_ask_us_is_not_asked()
    {
        (await Daemon.Docker.Run("network create --subnet 10.77.0.0/24 loop")).Succeeds();
        foreach (string server in (string[])["127.0.0.11", "10.77.0.5"])
            (await Daemon.Docker.Run($"run --rm --network loop --ip 10.77.0.5 --dns {server} busybox nslookup -type=a x.example")).Fails().Shows("SERVFAIL");
    }

    private Task<CommandResult> Look(string name, string options = "") => Daemon.Docker.Run($"run --rm --network n {options} busybox nslookup -type=a {name}");

    private Task<string[]> Questions() => File.ReadAllLinesAsync(Log);
}
