using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>What is told of containers: ps, inspect, top, port.</summary>
public abstract class ListTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task Ps_lists_running_containers_and_all_when_asked()
    {
        await using Container running = await Idle("-l group=ps1");
        await using Container ended = await Idle("-l group=ps1", "true");
        (await Run($"wait {ended}")).Succeeds();
        (await Run("ps --filter label=group=ps1 --format {{.Names}}")).Succeeds().Prints(running.Name);
        (await Run("ps -a --filter label=group=ps1 --format {{.Names}}")).Succeeds().Prints($"{ended}\n{running}");
        (await Run("ps -aq --filter label=group=ps1")).Succeeds().Prints($"{ended.Id[..12]}\n{running.Id[..12]}");
        (await Run("ps -aq --no-trunc --filter label=group=ps1")).Succeeds().Prints($"{ended.Id}\n{running.Id}");
    }

    [Fact]
    public async Task The_table_has_docker_s_columns()
    {
        await using Container container = await Idle("-l group=ps2", "sh -c 'exit 3'");
        (await Run($"wait {container}")).Succeeds();
        string[] lines = (await Run("ps -a --filter label=group=ps2")).Succeeds().Lines;
        Assert.Matches(@"^CONTAINER ID\s+IMAGE\s+COMMAND\s+CREATED\s+STATUS\s+PORTS\s+NAMES$", lines[0].TrimEnd());
        Assert.Matches($@"^{container.Id[..12]}\s+busybox\s+""sh -c 'exit 3'""\s+.* ago\s+Exited \(3\) .* ago\s+{container}$", lines[1].TrimEnd());
    }

    [Theory]
    [InlineData("name={0}", true)]
    [InlineData("id={1}", true)]
    [InlineData("status=running", true)]
    [InlineData("status=exited", false)]
    [InlineData("ancestor=busybox", true)]
    [InlineData("label=kind=filtered", true)]
    [InlineData("label=kind=other", false)]
    [InlineData("label=kind", true)]
    [InlineData("network=bridge", true)]
    [InlineData("network=none", false)]
    public async Task Filters_choose(string filter, bool found)
    {
        await using Container container = await Idle("-l kind=filtered");
        string given = string.Format(filter, container, container.Id[..12]);
        string[] ids = (await Run($"ps -aq --no-trunc --filter {given}")).Succeeds().Lines;
        Assert.Equal(found, ids.Contains(container.Id));
    }

    [Fact]
    public async Task An_unknown_filter_or_template_is_refused()
    {
        (await Run("ps --filter no-such-filter=1")).Exits(1).Complains("no-such-filter");
        await using Container container = await Idle(); // without a row no template is carried out
        (await Run("ps --format {{.NoSuchField}}")).Fails().Complains("NoSuchField");
    }

    [Fact]
    public async Task Formats_print_fields_and_json()
    {
        await using Container container = await Idle("-l group=ps3");
        (await Run("ps --filter label=group=ps3 --format '{{.ID}} {{.Image}} {{.Command}} {{.State}} {{.Label \"group\"}}'"))
            .Succeeds().Prints($"{container.Id[..12]} busybox \"sleep 1000\" running ps3");
        (await Run("ps --filter label=group=ps3 --format json")).Succeeds().Shows($"\"Names\":\"{container}\"");
        (await Run("ps -s --filter label=group=ps3 --format {{.Size}}")).Succeeds().Shows("virtual");
    }

    [Fact]
    public async Task Inspect_tells_everything_about_a_container()
    {
        await using Container container = await Idle("-e A=1 -w /tmp --hostname boat -u 1000 -l a=b");
        Assert.Equal($"/{container} boat 1000 /tmp [sleep 1000] running", await Inspect(
            "{{.Name}} {{.Config.Hostname}} {{.Config.User}} {{.Config.WorkingDir}} {{.Config.Cmd}} {{.State.Status}}", container.Name));
        Assert.Matches("^172\\.17\\.\\d+\\.\\d+ 02:42:ac:11:", await Inspect("{{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}", container.Name));
        Assert.Equal("overlay2 json-file runc", (await Inspect("{{.Driver}} {{.HostConfig.LogConfig.Type}} {{.HostConfig.Runtime}}", container.Name))
            .Replace("overlayfs", "overlay2").Replace("sampan", "runc"));
        int pid = int.Parse(await Inspect("{{.State.Pid}}", container.Name));
        (await Daemon.Machine.ShellAsync($"tr '\\0' ' ' </proc/{pid}/cmdline")).Succeeds().Prints("sleep 1000 ");
        (await Run($"inspect {container.Id[..12]} --format {{{{.Id}}}}")).Succeeds().Prints(container.Id);
        (await Run("inspect no-such-object")).Exits(1).Prints("[]").Complains("no such object: no-such-object");
        (await Run($"inspect {container}")).Succeeds().Shows("\"A=1\"");
    }

    [Fact]
    public async Task Top_shows_the_container_s_processes()
    {
        await using Container container = await Idle();
        CommandResult top = (await Run($"top {container}")).Succeeds();
        Assert.Matches(@"^UID\s+PID\s+PPID\s+C\s+STIME\s+TTY\s+TIME\s+CMD", top.Lines[0]);
        Assert.EndsWith("sleep 1000", top.Lines[1].TrimEnd());
        (await Run($"top {container} -o pid,comm")).Succeeds().Shows("sleep");
        (await Run($"kill {container}")).Succeeds();
        (await Run($"wait {container}")).Succeeds();
        (await Run($"top {container}")).Exits(1).Complains("is not running");
    }

    [Fact]
    public async Task Without_published_ports_none_are_told()
    {
        await using Container container = await Idle();
        (await Run($"port {container}")).Succeeds().Prints("");
        (await Run("port no-such-container")).Exits(1).Complains("no-such-container");
    }

    [Fact]
    public async Task The_start_of_an_id_is_enough_when_only_one_has_it()
    {
        await using Container container = await Idle();
        Assert.Equal(container.Id, await Inspect("{{.Id}}", container.Id[..20]));
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class ListWithDockerTests(SharedDaemon shared) : ListTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class ListWithSampanTests(SharedDaemon shared) : ListTests(shared, CommandLine.Sampan);
