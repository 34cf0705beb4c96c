using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Networks of the user's own.</summary>
public abstract class UserNetworkTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task A_network_is_made_looked_at_used_and_removed()
    {
        string name = NewName();
        (await Run($"network create --subnet 10.{Own}1.0.0/24 --gateway 10.{Own}1.0.254 --ip-range 10.{Own}1.0.128/25 --aux-address h=10.{Own}1.0.128 --label k=v {name}")).Succeeds();
        Assert.Equal($"bridge 10.{Own}1.0.0/24 10.{Own}1.0.254 10.{Own}1.0.128/25 v", (await Run(
            $"network inspect -f '{{{{.Driver}}}} {{{{with index .IPAM.Config 0}}}}{{{{.Subnet}}}} {{{{.Gateway}}}} {{{{.IPRange}}}}{{{{end}}}} {{{{.Labels.k}}}}' {name}")).Succeeds().Output);
        (await Run($"network ls --filter label=k=v --format {{{{.Name}}}}")).Succeeds().Shows(name);
        (await Run($"run --rm --network {name} busybox ip -o -4 address show eth0")).Succeeds().Shows($"10.{Own}1.0.129/24");
        (await Run($"run --rm --network name={name},ip=10.{Own}1.0.7,mac-address=02:11:22:33:44:55 busybox ip address show eth0"))
            .Succeeds().Shows($"10.{Own}1.0.7/24").Shows("02:11:22:33:44:55");
        await using (Container user = await Idle($"--network {name}"))
        {
            (await Run($"network rm {name}")).Fails().Complains($"network {name}").Complains("has active endpoints");
            (await Run($"network inspect -f '{{{{range .Containers}}}}{{{{.Name}}}} {{{{.IPv4Address}}}}{{{{end}}}}' {name}")).Succeeds().Prints($"{user} 10.{Own}1.0.129/24");
        }
        (await Run($"network rm {name}")).Succeeds().Prints(name);
        (await Run($"network inspect {name}")).Fails().Complains($"network {name} not found");
    }

    [Fact]
    public async Task A_running_container_joins_and_leaves_networks()
    {
        string name = NewName();
        (await Run($"network create {name}")).Succeeds();
        await using (Container container = await Idle($"-p {Own}080:80"))
        {
            (await Run($"network connect {name} {container}")).Succeeds();
            (await Run($"network connect {name} {container}")).Fails().Complains("already exists in network");
            (await Run($"exec {container} ip -o -4 address")).Succeeds().Shows("eth0").Shows("eth1");
            (await Run($"network disconnect bridge {container}")).Succeeds();
            string left = (await Run($"exec {container} sh -c 'ip -o -4 address; ip route'")).Succeeds().Output;
            Assert.DoesNotContain("eth0", left);
            Assert.Contains("dev eth1", left.Split('\n').First(l => l.StartsWith("default")));
            (await Run($"port {container}")).Succeeds().Shows($"80/tcp -> 0.0.0.0:{Own}080");
            (await Run($"network disconnect {name} {container}")).Succeeds();
            (await Run($"network disconnect {name} {container}")).Fails().Complains("is not connected to");
        }
        (await Run($"network rm {name}")).Succeeds();
    }

    [Fact]
    public async Task A_network_that_is_removed_while_a_container_joins_has_it_or_is_gone()
    {
        string name = NewName();
        await using Container container = await Idle();
        for (int i = 0; i < 8; i++)
        {
            (await Run($"network create {name}")).Succeeds();
            Task<CommandResult> joins = Run($"network connect {name} {container}"), goes = Run($"network rm {name}");
            if ((await joins).ExitCode == 0)
            {
                (await goes).Fails().Complains("has active endpoints");
                (await Run($"network disconnect {name} {container}")).Succeeds();
                (await Run($"network rm {name}")).Succeeds();
            }
            else
            {
                (await joins).Complains("not found");
                (await goes).Succeeds();
            }

            (await Run($"exec {container} ls /sys/class/net")).Succeeds().Prints("eth0\nlo");
        }
    }

    [Fact]
    public async Task A_container_shares_the_network_of_another()
    {
        await using Container holder = await Idle();
        string address = await Inspect("{{.NetworkSettings.IPAddress}}", holder.Name);
        (await Run($"run --rm --network container:{holder} busybox sh -c 'hostname; ip -o -4 address show eth0'")).Succeeds()
            .Shows(address).Shows(await Inspect("{{.Config.Hostname}}", holder.Name));
        (await Run($"run --rm --network container:{holder} -p {Own}081:80 busybox true")).Fails().Complains("conflicting options");
    }

    [Fact]
    public async Task A_container_without_a_network_has_one_once_it_has_left_none()
    {
        string name = NewName();
        (await Run($"network create {name}")).Succeeds();
        await using (Container container = await Idle("--network none"))
        {
            (await Run($"network connect {name} {container}")).Fails().Complains("private (none) mode");
            (await Run($"network disconnect none {container}")).Succeeds();
            (await Run($"network connect {name} {container}")).Succeeds();
            (await Run($"exec {container} ls /sys/class/net")).Succeeds().Prints("eth0\nlo");
            (await Run($"restart -t 0 {container}")).Succeeds();
            if (!Subject.IsReference)
                (await Run($"exec {container} ls /sys/class/net")).Succeeds().Prints("eth0\nlo");
        }

        (await Run($"network rm {name}")).Succeeds();
    }

    [Fact]
    public async Task What_a_shared_network_cannot_have_of_its_own_is_refused()
    {
        await using Container holder = await Idle();
        foreach (var (option, complaint) in ((string, string)[])
        [
            ("--hostname other", "hostname and the network mode"), ($"--link {holder}", "container type network can't be used with links"),
            ("--dns 192.0.2.1", "dns and the network mode"), ("--add-host a:192.0.2.1", "custom host-to-IP mapping and the network mode"),
            ("--mac-address 02:42:0a:00:00:01", "mac-address and the network mode"), ("-P", "port publishing and the container type network mode"),
            ($"-p {Own}090:80", "port publishing and the container type network mode"), ("--expose 90", "port exposing and the container type network mode"),
        ])
        {
            (await Run($"run --rm --network container:{holder} {option} busybox true")).Exits(125).Complains("conflicting options: ").Complains(complaint);
        }

        (await Run($"run --rm --network host --link {holder} busybox true")).Exits(125).Complains("host type networking can't be used with links");
        await using Container guest = await Idle($"--network container:{holder}");
        (await Run($"network connect bridge {guest}")).Fails().Complains("container sharing network namespace with another container or host cannot be connected to any other network");
        (await Run($"network connect host {holder}")).Fails();
        await using Container atHost = await Idle("--network host");
        (await Run($"network disconnect host {atHost}")).Fails();
        (await Run($"network connect bridge {atHost}")).Fails();
        (await Run($"stop -t 0 {guest} {holder}")).Succeeds();
        (await Run($"start {guest}")).Fails().Complains("non running container");
    }

    [Fact]
    public async Task On_the_host_s_network_published_ports_are_discarded_with_a_warning() =>
        (await Run($"run --rm --network host -p {Own}095:80 busybox echo runs")).Succeeds().Prints("runs").Complains("Published ports are discarded when using host network mode");

    [Fact]
    public async Task What_cannot_be_is_refused()
    {
        string name = NewName();
        (await Run("network create bridge")).Fails().Complains("operation is not permitted on predefined bridge network");
        (await Run("network rm host")).Fails().Complains("host is a pre-defined network and cannot be removed");
        (await Run($"network create -d nowhere {name}")).Fails().Complains("\"nowhere\" not found");
        (await Run($"network create --subnet 172.17.3.0/24 {name}")).Fails().Complains("Pool overlaps with other one on this address space");
        (await Run($"network create --subnet 10.{Own}2.0.0/24 --gateway 10.93.0.1 {name}")).Fails().Complains("no matching subnet");
        (await Run($"network ls -q --filter name={name}")).Succeeds().Prints("");
        (await Run($"run --rm --network {name} busybox true")).Exits(125).Complains($"network {name} not found");
        (await Run($"run --rm --network container:{name} busybox true")).Exits(125).Complains($"No such container: {name}");
        (await Run("run --rm --network container: busybox true")).Exits(125).Complains("invalid container format container:<name|id>");
        (await Run("run --rm --network host --mac-address 02:42:0a:00:00:01 busybox true")).Exits(125)
            .Complains("conflicting options: mac-address and the network mode");
        (await Run($"network disconnect -f bridge {name}")).Fails().Complains($"endpoint {name} not found");
        (await Run($"network create -o com.docker.network.bridge.name=longer-than-the-kernel-has {name}")).Fails();
        (await Run($"network create {name}")).Succeeds();
        await using (Container apart = await Idle($"--network {name}"))
        {
            (await Run($"network connect --ip nonsense {name} {apart}")).Fails().Complains("nvalid IPv4 address: nonsense");
            (await Run($"run --rm --link {apart} busybox true")).Exits(125).Complains($"Cannot link to /{apart.Name}, as it does not belong to the default network");
        }

        (await Run($"network rm {name}")).Succeeds();
    }

    [Fact]
    public async Task A_subnet_with_bits_of_a_host_is_refused_with_the_one_that_is_meant() =>
        (await Run($"network create --subnet 10.217.3.1/24 {NewName()}")).Exits(1).Complains("invalid subnet 10.217.3.1/24: it should be 10.217.3.0/24");

    [Fact]
    public async Task A_subnet_of_IPv6_is_without_effect_where_the_network_has_none()
    {
        string net = NewName();
        (await Run($"network create --subnet fd00:217::/64 {net}")).Succeeds();
        string output = (await Run($"run --rm --network {net} busybox ip -o addr show eth0")).Succeeds().Output;
        (await Run($"network rm {net}")).Succeeds();
        Assert.Contains("inet ", output);
        Assert.DoesNotContain("inet6 fd00", output);
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class UserNetworksWithDockerTests(SharedDaemon shared) : UserNetworkTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class UserNetworksWithSampanTests(SharedDaemon shared) : UserNetworkTests(shared, CommandLine.Sampan);
