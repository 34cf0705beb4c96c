using System.Text.RegularExpressions;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Containers on a network of the user's find one another by name.</summary>
public abstract class NamesTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task A_container_is_found_by_each_of_its_names_and_by_its_address()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        await using (Container web = await Idle($"--network {net} --network-alias www --hostname webhost"))
        {
            string address = await AddressOf(web, net);
            foreach (string name in (string[])[web.Name, web.Name.ToUpperInvariant(), "www", web.Id[..12], "webhost", $"{web}.{net}", $"www.{net}"])
                (await Run($"run --rm --network {net} busybox nslookup -type=a {name}")).Succeeds().Shows($"Address: {address}");
            string reverse = string.Join('.', address.Split('.').Reverse()) + ".in-addr.arpa";
            (await Run($"run --rm --network {net} busybox nslookup -type=ptr {reverse}")).Succeeds().Shows($"name = {web}.{net}");
            (await Run($"run --rm --network {net} busybox ping -c 1 -w 5 {web}")).Succeeds();
            // There is no IPv6 address, and that is an answer: no error, no address.
            CommandResult six = await Run($"run --rm --network {net} busybox nslookup -type=aaaa {web}");
            Assert.DoesNotContain("NXDOMAIN", six.Output + six.Error);
            // The other bridge knows nothing of it.
            (await Run($"run --rm busybox ping -c 1 -w 5 {web}")).Fails();
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task The_resolver_stands_in_resolv_conf_as_Docker_writes_it()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        Assert.Equal(["nameserver 127.0.0.11", "options ndots:0"], await ResolvConf($"--network {net} --dns-search ."));
        Assert.Equal(["nameserver 127.0.0.11", "options rotate ndots:2", "search a.example b.example"],
            await ResolvConf($"--network {net} --dns 192.0.2.53 --dns-search a.example --dns-search b.example --dns-option rotate --dns-option ndots:2"));
        Assert.Equal(["nameserver 192.0.2.53", "options rotate", "search a.example"],
            await ResolvConf("--dns 192.0.2.53 --dns-search a.example --dns-option rotate"));
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task Host_name_domain_and_extra_hosts_stand_in_hosts()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        string hosts = (await Run($"run --rm --network {net} --hostname box --domainname home.example --add-host one:192.0.2.1 --add-host gate:host-gateway busybox sh -c 'cat /etc/hosts; hostname -f'"))
            .Succeeds().Output;
        Assert.Matches(@"\n192\.0\.2\.1\s+one\n", hosts);
        Assert.Matches(@"\n172\.17\.0\.1\s+gate\n", hosts);
        Assert.Matches(@"\n172\.\d+\.0\.\d+\s+box\.home\.example box\n", hosts);
        Assert.EndsWith("\nbox.home.example", hosts);
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task Names_follow_connect_rename_disconnect_and_the_end()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        await using (Container asker = await Idle($"--network {net}"))
        await using (Container late = await Idle())
        {
            (await Run($"exec {asker} ping -c 1 -w 5 {late}")).Fails();
            (await Run($"network connect --alias helper {net} {late}")).Succeeds();
            (await Run($"exec {asker} ping -c 1 -w 5 helper")).Succeeds();
            // It came from a network without names: now it has them, too.
            (await Run($"exec {late} cat /etc/resolv.conf")).Succeeds().Shows("nameserver 127.0.0.11");
            (await Run($"exec {late} ping -c 1 -w 5 {asker}")).Succeeds();
            (await Run($"rename {late} {late}-new")).Succeeds();
            (await Run($"exec {asker} ping -c 1 -w 5 {late}-new")).Succeeds();
            (await Run($"exec {asker} ping -c 1 -w 5 {late}")).Fails();
            (await Run($"rename {late}-new {late}")).Succeeds();
            (await Run($"network disconnect {net} {late}")).Succeeds();
            (await Run($"exec {asker} ping -c 1 -w 5 helper")).Fails();
            // dockerd leaves a resolver's address there that nobody answers at any more.
            if (!Subject.IsReference)
                Assert.DoesNotContain("127.0.0.11", (await Run($"exec {late} cat /etc/resolv.conf")).Succeeds().Output);
            (await Run($"network connect --alias helper {net} {late}")).Succeeds();
            (await Run($"kill {late}")).Succeeds();
            (await Run($"wait {late}")).Succeeds();
            (await Run($"exec {asker} ping -c 1 -w 5 helper")).Fails();
            (await Run($"start {late}")).Succeeds();
            (await Run($"exec {asker} ping -c 1 -w 5 helper")).Succeeds();
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    [Theory]
    [InlineData("-type=a")]
    [InlineData("")] // for both families at once, as most programs ask
    public async Task Bearers_of_one_alias_come_in_turn(string type)
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        await using (Container one = await Idle($"--network {net} --network-alias both"))
        await using (Container two = await Idle($"--network {net} --network-alias both"))
        {
            string output = (await Run($"exec {one} sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do nslookup {type} both | tail -n +3; done'")).Succeeds().Output;
            string[] addresses = [.. Regex.Matches(output, @"Address: (\S+)").Select(m => m.Groups[1].Value)];
            Assert.Equal(24, addresses.Length);
            string[] first = [.. addresses.Where((_, i) => i % 2 == 0).Distinct()];
            Assert.Equal([.. new[] { await AddressOf(one, net), await AddressOf(two, net) }.Order()], first.Order());
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task A_link_is_a_name_that_one_container_alone_knows()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        await using (Container target = await Idle($"--network {net}"))
        {
            (await Run($"run --rm --network {net} --link {target}:db busybox ping -c 1 -w 5 db")).Succeeds();
            (await Run($"run --rm --network {net} busybox ping -c 1 -w 5 db")).Fails();
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task A_name_is_there_when_the_first_program_asks_for_it()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        await using (Container target = await Idle($"--network {net}"))
        {
            for (int i = 0; i < 10; i++)
                (await Run($"run --rm --network {net} busybox nslookup -type=a {target}")).Succeeds();
            (await Run($"run --rm --network {net} --name {target}-self busybox nslookup -type=a {target}-self")).Succeeds();
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task A_container_that_flushes_its_firewall_keeps_its_names()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd's names hang on rules in the container");
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        await using (Container asker = await Idle($"--network {net} --cap-add NET_ADMIN"))
        {
            string pid = await Inspect("{{.State.Pid}}", asker.Name);
            (await Daemon.Machine.ShellAsync($"nsenter --target {pid} --net nft flush ruleset")).Succeeds();
            (await Run($"exec {asker} nslookup -type=a {asker}")).Succeeds();
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task A_container_may_serve_names_itself_on_all_addresses()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        await using (Container server = await Idle($"--network {net}"))
        {
            // A program of the host's in the container's network, on port 53 of all addresses, UDP and TCP.
            string script = Path.Combine(Subject.Root, "tests", "Sampan.Tests.Integration", "Network", "Tools", "upstream.py");
            await using var running = new Running(Daemon.Machine.Inside(
                "nsenter", "--target", await Inspect("{{.State.Pid}}", server.Name), "--net", "/usr/bin/python3", script, "0.0.0.0", "own", Path.Combine(Daemon.Folder, net)));
            await running.WaitForOutputAsync("ready");
            string address = await AddressOf(server, net);
            (await Run($"run --rm --network {net} busybox nslookup -type=a special.example {address}")).Succeeds().Shows("192.0.2.0");
            (await Run($"exec {server} nslookup -type=a {server}")).Succeeds().Shows($"Address: {address}");
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    [Fact]
    public async Task The_resolvers_of_all_C_libraries_work()
    {
        string net = NewName();
        (await Run($"network create {net}")).Succeeds();
        string folder = Path.Combine(Daemon.Folder, net);
        string source = Path.Combine(Subject.Root, "tests", "Sampan.Tests.Integration", "Network", "Tools", "lookup.c");
        (await Daemon.Machine.ShellAsync(
            $"mkdir {folder} && gcc -static -w -o {folder}/glibc {source} && musl-gcc -static -w -o {folder}/musl {source}", 120)).Succeeds();
        await using (Container target = await Idle($"--network {net}"))
        {
            string address = await AddressOf(target, net);
            foreach (string library in (string[])["glibc", "musl"])
            {
                foreach (string name in (string[])[target.Name, $"{target}.{net}", target.Id[..12]])
                    (await Run($"run --rm --network {net} -v {folder}:/t busybox /t/{library} {name}")).Succeeds().Shows(address).Shows("1 addresses");
            }
        }
        (await Run($"network rm {net}")).Succeeds();
    }

    // The order of the lines is a matter of Docker's version.
    private async Task<string[]> ResolvConf(string options) =>
        [.. (await Run($"run --rm {options} busybox cat /etc/resolv.conf")).Succeeds().Lines.Where(l => l.Length > 0 && l[0] != '#').Order()];

    private Task<string> AddressOf(Container container, string network) =>
        Inspect($"{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}", container.Name);
}

/// <summary>The group through Docker's command line.</summary>
public sealed class NamesWithDockerTests(SharedDaemon shared) : NamesTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class NamesWithSampanTests(SharedDaemon shared) : NamesTests(shared, CommandLine.Sampan);
