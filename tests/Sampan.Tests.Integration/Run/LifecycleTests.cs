using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>A container's life after `run`: create, start, stop, kill, restart, pause, wait, rename, remove.</summary>
public abstract class LifecycleTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private Task<string> Status(string name) => Inspect("{{.State.Status}}", name);

    [Fact]
    public async Task Create_and_start_are_run_in_two_steps()
    {
        string name = NewName();
        await using Container container = Cleaned(name);
        (await Run($"create --name {name} busybox sh -c 'echo hello; exit 3'")).Succeeds();
        Assert.Equal("created", await Status(name));
        (await Run($"start -a {name}")).Exits(3).Prints("hello");
        Assert.Equal("exited", await Status(name));
        (await Run($"start {name}")).Succeeds().Prints(name);
    }

    [Fact]
    public async Task Start_with_input_feeds_the_command()
    {
        string name = NewName();
        await using Container container = Cleaned(name);
        (await Run($"create -i --name {name} busybox cat")).Succeeds();
        (await Run($"start -ai {name}", "fed")).Succeeds().Prints("fed");
    }

    [Fact]
    public async Task Files_written_are_there_after_a_new_start()
    {
        string name = NewName();
        await using Container container = Cleaned(name);
        (await Run($"run --name {name} busybox sh -c 'echo x >>/count; wc -l </count'")).Succeeds().Prints("1");
        (await Run($"start -a {name}")).Succeeds().Prints("2");
        (await Run($"start -a {name}")).Succeeds().Prints("3");
    }

    [Fact]
    public async Task Stop_sends_the_stop_signal_and_then_kills()
    {
        await using Container polite = await Idle("", "sh -c 'trap \"exit 5\" TERM; while :; do sleep 0.1; done'");
        (await Run($"stop {polite}")).Succeeds().Prints(polite.Name);
        Assert.Equal("5", await Inspect("{{.State.ExitCode}}", polite.Name));
        await using Container deaf = await Idle("", "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'");
        (await Run($"stop -t 1 {deaf}")).Succeeds();
        Assert.Equal("137", await Inspect("{{.State.ExitCode}}", deaf.Name));
        await using Container other = await Idle("--stop-signal USR1 --stop-timeout 30",
            "sh -c 'trap \"exit 6\" USR1; while :; do sleep 0.1; done'");
        (await Run($"stop {other}")).Succeeds();
        Assert.Equal("6", await Inspect("{{.State.ExitCode}}", other.Name));
        (await Run($"stop {other}")).Succeeds();
    }

    [Theory]
    [InlineData("HUP", 3)]
    [InlineData("SIGHUP", 3)]
    [InlineData("1", 3)]
    public async Task Kill_sends_a_signal_by_name_or_number(string signal, int exitCode)
    {
        await using Container container = await Idle("", "sh -c 'trap \"exit 3\" HUP; while :; do sleep 0.1; done'");
        await Task.Delay(200);
        (await Run($"kill -s {signal} {container}")).Succeeds();
        (await Run($"wait {container}")).Succeeds().Prints($"{exitCode}");
    }

    [Fact]
    public async Task Kill_refuses_what_does_not_run_or_is_no_signal()
    {
        await using Container container = await Idle();
        (await Run($"kill -s NO_SUCH_SIGNAL {container}")).Exits(1).Complains("NO_SUCH_SIGNAL");
        (await Run($"kill {container}")).Succeeds();
        (await Run($"wait {container}")).Succeeds();
        (await Run($"kill {container}")).Exits(1).Complains("is not running");
    }

    [Fact]
    public async Task Restart_begins_anew()
    {
        await using Container container = await Idle("", "sh -c 'echo begin; trap \"exit 0\" TERM; while :; do sleep 0.1; done'");
        (await Run($"restart -t 5 {container}")).Succeeds().Prints(container.Name);
        await Eventually.IsTrue(async () => (await Run($"logs {container}")).Output == "begin\nbegin", 10, () => "two beginnings in the log");
        Assert.Equal("running", await Status(container.Name));
    }

    [Fact]
    public async Task Pause_holds_every_process()
    {
        await using Container container = await Idle("", "sh -c 'while :; do echo tick; sleep 0.05; done'");
        (await Run($"pause {container}")).Succeeds();
        Assert.Equal("paused", await Status(container.Name));
        await Task.Delay(200);
        int before = (await Run($"logs {container}")).Lines.Length;
        await Task.Delay(400);
        Assert.Equal(before, (await Run($"logs {container}")).Lines.Length);
        (await Run($"pause {container}")).Exits(1).Complains("already paused");
        (await Run($"unpause {container}")).Succeeds();
        await Eventually.IsTrue(async () => (await Run($"logs {container}")).Lines.Length > before, 10, () => "ticks after unpause");
        (await Run($"unpause {container}")).Exits(1).Complains("not paused");
    }

    [Fact]
    public async Task Wait_tells_the_exit_code_when_it_comes()
    {
        await using Container container = await Idle("", "sh -c 'sleep 0.5; exit 9'");
        (await Run($"wait {container}")).Succeeds().Prints("9");
        (await Run($"wait {container}")).Succeeds().Prints("9");
    }

    [Fact]
    public async Task Rm_refuses_what_runs_unless_forced()
    {
        await using Container container = await Idle();
        (await Run($"rm {container}")).Exits(1).Complains("running");
        (await Run($"rm -f {container}")).Succeeds().Prints(container.Name);
        (await Run($"inspect {container}")).Exits(1);
        (await Run("rm no-such-container")).Exits(1).Complains("no such container: no-such-container");
    }

    [Fact]
    public async Task Rm_with_v_removes_the_volumes_without_a_name()
    {
        await using Container container = await Idle("-v /data");
        string source = await Inspect("{{(index .Mounts 0).Source}}", container.Name);
        Assert.True(Directory.Exists(source), source);
        (await Run($"rm -f -v {container}")).Succeeds();
        Assert.False(Directory.Exists(source), source);
    }

    [Fact]
    public async Task Rename_gives_another_name()
    {
        await using Container container = await Idle();
        await using Container other = await Idle();
        (await Run($"rename {container} {other}")).Exits(1).Complains("already in use");
        string name = NewName();
        (await Run($"rename {container} {name}")).Succeeds();
        Assert.Equal(container.Id, await Inspect("{{.Id}}", name));
        (await Run($"rename {name} {container}")).Succeeds();
    }

    [Fact]
    public async Task Several_containers_are_taken_at_once_and_each_error_is_told()
    {
        await using Container one = await Idle();
        await using Container two = await Idle();
        (await Run($"kill {one} no-such-container {two}")).Exits(1).Prints($"{one}\n{two}").Complains("no-such-container");
    }

    [Fact]
    public async Task A_container_that_did_not_start_can_be_removed()
    {
        string name = NewName();
        (await Run($"run --name {name} busybox no-such-program")).Exits(127);
        Assert.Equal("created", await Status(name));
        (await Run($"rm {name}")).Succeeds();
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class LifecycleWithDockerTests(SharedDaemon shared) : LifecycleTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class LifecycleWithSampanTests(SharedDaemon shared) : LifecycleTests(shared, CommandLine.Sampan);
