using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>What <c>--network</c> and <c>network connect</c> say of a container's interface.</summary>
public abstract class EndpointOptionTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private const string Sysctls = "driver-opt=com.docker.network.endpoint.sysctls=", Name = "driver-opt=com.docker.network.endpoint.ifname=";

    private static void Require() => Assert.SkipWhen(Subject.IsReference, "these options came with Docker 27 and 28, the reference is older");

    [Fact]
    public async Task An_interface_has_the_name_and_the_kernel_parameters_that_it_is_given()
    {
        Require();
        string network = NewName(), other = NewName();
        (await Run($"network create {network}")).Succeeds();
        (await Run($"network create {other}")).Succeeds();
        (await Cli.Run(["run", "--rm", "--network", other, "--network", $"name={network},{Name}inner0,\"{Sysctls}net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.neigh.IFNAME.gc_stale_time=77\"",
            "busybox", "sh", "-c", "cd /proc/sys/net/ipv4; cat conf/inner0/log_martians neigh/inner0/gc_stale_time conf/eth0/log_martians; ls /sys/class/net"])).Succeeds()
            .Prints("1\n77\n0\neth0\ninner0\nlo");

        await using Container container = await Idle();
        (await Run($"network connect --driver-opt com.docker.network.endpoint.ifname=late0 --driver-opt com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1 --link-local-ip 169.254.7.7 {network} {container}")).Succeeds();
        (await Run($"exec {container} cat /proc/sys/net/ipv4/conf/late0/log_martians")).Succeeds().Prints("1");
        (await Run($"exec {container} ip -o -4 address show late0")).Succeeds().Shows("169.254.7.7/16");
        (await Run($"rm -f {container}")).Succeeds();
        (await Run($"network rm {network} {other}")).Succeeds();
    }

    [Fact]
    public async Task A_network_says_how_its_interfaces_begin()
    {
        string network = NewName();
        (await Run($"network create -o com.docker.network.container_iface_prefix=lan {network}")).Succeeds();
        (await Run($"run --rm --network {network} busybox ls /sys/class/net")).Succeeds().Prints("lan0\nlo");
        (await Run($"network rm {network}")).Succeeds();
    }

    [Fact]
    public async Task A_running_container_that_cannot_join_keeps_no_interface_of_the_network()
    {
        Require();
        string network = NewName();
        (await Run($"network create {network}")).Succeeds();
        await using (Container container = await Idle())
        {
            (await Run($"network connect --driver-opt com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.no_such=1 {network} {container}"))
                .Fails().Complains("no such parameter");
            (await Run($"exec {container} ls /sys/class/net")).Succeeds().Prints("eth0\nlo");
            (await Run($"network connect {network} {container}")).Succeeds();
            (await Run($"exec {container} ip -o -4 address show eth1")).Succeeds().Shows(".2/");
        }

        (await Run($"network rm {network}")).Succeeds();
    }

    [Theory]
    [InlineData(Sysctls + "net.ipv4.conf.eth0.log_martians=1", "invalid sysctl")]
    [InlineData(Sysctls + "kernel.conf.IFNAME.x=1", "invalid sysctl")]
    [InlineData(Sysctls + "net.ipv4.conf.IFNAME.no_such=1", "no such parameter")]
    [InlineData(Sysctls + "net.ipv4.conf.IFNAME.log_martians=many", "log_martians=many")]
    [InlineData(Name + "much-too-long-a-name", "invalid interface name")]
    [InlineData(Name + "a/b", "invalid interface name")]
    [InlineData(Name + "lo", "in use in the container")]
    [InlineData("link-local-ip=nonsense", "nonsense")]
    public async Task What_cannot_be_is_refused_and_leaves_nothing(string option, string complaint)
    {
        Require();
        string network = NewName();
        (await Run($"network create {network}")).Succeeds();
        (await Run($"run --rm --network name={network},{option} busybox true")).Exits(125).Complains(complaint);
        (await Run($"run --rm --network {network} busybox ip -o -4 address show eth0")).Succeeds().Shows(".2/");
        (await Run($"network rm {network}")).Succeeds();
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class EndpointOptionsWithDockerTests(SharedDaemon shared) : EndpointOptionTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class EndpointOptionsWithSampanTests(SharedDaemon shared) : EndpointOptionTests(shared, CommandLine.Sampan);
