using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Published ports: their shapes, and who gets which port.</summary>
public abstract class PortTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task Port_ps_and_inspect_tell_where_a_port_is_published()
    {
        await using Container container = await Idle($"-p {Own}080:80 -p 127.0.0.1:{Own}081:81/udp --expose 9000");
        (await Run($"port {container}")).Succeeds().Shows($"80/tcp -> 0.0.0.0:{Own}080").Shows($"81/udp -> 127.0.0.1:{Own}081");
        (await Run($"port {container} 81/udp")).Succeeds().Prints($"127.0.0.1:{Own}081");
        (await Run($"port {container} 82")).Fails().Complains($"No public port '82' published for {container}");
        string ports = (await Run($"ps --filter name={container} --format {{{{.Ports}}}}")).Succeeds().Output;
        Assert.Contains($"0.0.0.0:{Own}080->80/tcp", ports);
        Assert.Contains($"127.0.0.1:{Own}081->81/udp", ports);
        Assert.Contains("9000/tcp", ports);
        Assert.Equal($"{Own}080", await Inspect("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", container.Name));
        Assert.Equal("null", await Inspect("{{json (index .NetworkSettings.Ports \"9000/tcp\")}}", container.Name));
        Assert.Equal($"{Own}080", await Inspect("{{(index (index .HostConfig.PortBindings \"80/tcp\") 0).HostPort}}", container.Name));
        (await Run($"stop -t 0 {container}")).Succeeds();
        (await Run($"port {container}")).Succeeds().Prints("");
        Assert.Equal("map[]", await Inspect("{{.NetworkSettings.Ports}}", container.Name));
    }

    [Fact]
    public async Task Without_a_port_of_the_host_a_free_one_is_taken()
    {
        await using Container container = await Idle("-p 80 -P --expose 90-92");
        string[] lines = (await Run($"port {container}")).Succeeds().Lines;
        string[] ports = [.. lines.Where(l => l.Contains("0.0.0.0:")).Select(l => l.Split(':')[^1])];
        Assert.Equal(4, ports.Distinct().Count());
        Assert.All(ports, port => Assert.InRange(int.Parse(port), 1024, 65535));
    }

    [Fact]
    public async Task A_range_is_published_one_to_one_and_a_choice_takes_what_is_free()
    {
        await using Container range = await Idle($"-p {Own}200-{Own}202:8000-8002");
        (await Run($"port {range}")).Succeeds().Shows($"8000/tcp -> 0.0.0.0:{Own}200").Shows($"8002/tcp -> 0.0.0.0:{Own}202");
        await using Container choice = await Idle($"-p {Own}202-{Own}204:80");
        (await Run($"port {choice} 80")).Succeeds().Shows($"0.0.0.0:{Own}203");
    }

    [Fact]
    public async Task A_port_that_a_container_has_is_refused_before_the_other_starts()
    {
        await using Container first = await Idle($"-p {Own}300:80");
        string name = NewName();
        await using Container second = Cleaned(name);
        (await Run($"run -d --name {name} -p {Own}301:81 -p {Own}300:80 busybox touch /ran")).Exits(125)
            .Complains("driver failed programming external connectivity on endpoint " + name).Complains($"Bind for 0.0.0.0:{Own}300 failed: port is already allocated");
        Assert.Equal("0", await Inspect("{{.State.Pid}}", name));
        // Nothing is left behind: the other port is free, and so is this one once its holder has gone.
        await using (await Idle($"-p {Own}301:81")) { }
        (await Run($"rm -f {first}")).Succeeds();
        (await Run($"start {name}")).Succeeds();
    }

    [Fact]
    public async Task A_port_that_a_program_of_the_host_has_is_refused_and_the_reverse()
    {
        await using var server = new Running(Daemon.Machine.Inside("busybox", "nc", "-ll", "-p", $"{Own}400", "-e", "true"));
        await Eventually.IsTrue(async () => (await Daemon.Machine.ShellAsync($"ss -ltn | grep -q :{Own}400")).ExitCode == 0, 10, () => "the program listens");
        (await Run($"run --rm -p {Own}400:80 busybox true")).Exits(125).Complains($"{Own}400");
        await using Container container = await Idle($"-p {Own}401:80");
        (await Daemon.Machine.ShellAsync($"busybox nc -l -p {Own}401 -w 1")).Fails().Complains("in use");
    }

    [Fact]
    public async Task Of_two_starts_for_one_port_one_wins()
    {
        string[] names = [NewName(), NewName()];
        await using Container a = Cleaned(names[0]), b = Cleaned(names[1]);
        CommandResult[] results = await Task.WhenAll(names.Select(n => Run($"run -d --name {n} -p {Own}500:80 busybox sleep 1000")));
        Assert.Equal([0, 125], results.Select(r => r.ExitCode).Order());
    }

    [Fact]
    public async Task Ports_that_are_none_are_refused()
    {
        (await Run("run --rm -p 80:99999 busybox true")).Exits(125);
        (await Run("run --rm -p x:80 busybox true")).Exits(125);
        (await Run("run --rm -p 80:80/icmp busybox true")).Exits(125);
        (await Run($"run --rm -p 192.0.2.99:{Own}600:80 busybox true")).Exits(125).Complains("192.0.2.99");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class PortsWithDockerTests(SharedDaemon shared) : PortTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class PortsWithSampanTests(SharedDaemon shared) : PortTests(shared, CommandLine.Sampan);
