using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>A second command in a running container.</summary>
public abstract class ExecTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Theory]
    [InlineData("true", 0)]
    [InlineData("sh -c 'exit 42'", 42)]
    [InlineData("no-such-program", 127)]
    [InlineData("/etc/passwd", 126)]
    [InlineData("sh -c 'kill -9 $$'", 137)]
    public async Task The_exit_code_is_the_command_s(string command, int exitCode)
    {
        await using Container container = await Idle();
        // dockerd before 23 tells only 126 for a program that is missing.
        (await Run($"exec {container} {command}")).Exits(Subject.IsReference && exitCode == 127 ? 126 : exitCode);
    }

    [Fact]
    public async Task It_joins_the_container_s_world()
    {
        await using Container container = await Idle("-e FROM_RUN=1 --hostname boat -w /var");
        (await Run($"exec {container} sh -c 'echo $FROM_RUN; hostname; pwd; echo made >/made'")).Succeeds().Prints("1\nboat\n/var");
        (await Run($"exec {container} cat /made")).Succeeds().Prints("made");
        (await Run($"exec {container} sh -c 'tr \"\\0\" \" \" </proc/1/cmdline'")).Succeeds().Prints("sleep 1000 ");
        (await Run($"exec {container} sh -c 'cat /proc/1/cgroup >/a; cat /proc/self/cgroup >/b; cmp /a /b'")).Succeeds();
    }

    [Fact]
    public async Task It_has_settings_of_its_own()
    {
        await using Container container = await Idle();
        (await Run($"exec -e A=1 -e B=two -w /tmp -u www-data {container} sh -c 'echo $A $B; pwd; id -un'")).Succeeds()
            .Prints("1 two\n/tmp\nwww-data");
        (await Run($"exec {container} sh -c 'grep CapEff /proc/self/status | cut -f 2; grep -w Seccomp /proc/self/status | cut -f 2'"))
            .Succeeds().Prints("00000000a80425fb\n2");
    }

    [Fact]
    public async Task Standard_input_reaches_it_only_when_asked()
    {
        await using Container container = await Idle();
        (await Run($"exec -i {container} sh -c 'cat; echo end'", "some input\n")).Succeeds().Prints("some input\nend");
        (await Run($"exec {container} sh -c 'cat; echo end'", "some input\n")).Succeeds().Prints("end");
    }

    [Fact]
    public async Task Output_and_errors_come_back_apart()
    {
        await using Container container = await Idle();
        CommandResult result = (await Run($"exec {container} sh -c 'echo out; echo err >&2'")).Succeeds();
        Assert.Equal(("out", "err"), (result.Output, result.Error));
    }

    [Fact]
    public async Task Detached_it_goes_on_alone()
    {
        await using Container container = await Idle();
        (await Run($"exec -d {container} sh -c 'sleep 0.2; echo done >/done'")).Succeeds().Prints("");
        await Eventually.IsTrue(async () => (await Run($"exec {container} cat /done")).Output == "done", 10, () => "the detached command's file");
    }

    [Fact]
    public async Task On_a_terminal_it_has_the_terminal_s_size()
    {
        await using Container container = await Idle();
        await using Terminal terminal = Cli.OnTerminal($"exec -it {container} sh", rows: 33, columns: 101);
        await terminal.TypeUntilAsync("stty size\n", "33 101");
        terminal.Resize(44, 99);
        await terminal.TypeUntilAsync("stty size\n", "44 99");
        terminal.Type("exit 5\n");
        Assert.Equal(5, await terminal.ExitCodeAsync());
    }

    [Fact]
    public async Task Without_a_running_container_it_is_refused()
    {
        await using Container container = await Idle();
        (await Run($"kill {container}")).Succeeds();
        (await Run($"exec {container} true")).Exits(1).Complains("is not running");
        (await Run("exec no-such-container true")).Exits(1).Complains("no such container").Complains("no-such-container");
    }

    [Fact]
    public async Task A_paused_container_refuses_it()
    {
        await using Container container = await Idle();
        (await Run($"pause {container}")).Succeeds();
        (await Run($"exec {container} true")).Exits(1).Complains("paused");
        (await Run($"unpause {container}")).Succeeds();
        (await Run($"exec {container} true")).Succeeds();
    }

    [Fact]
    public async Task Many_at_once_all_answer()
    {
        await using Container container = await Idle();
        CommandResult[] results = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Run($"exec {container} sh -c 'echo {i}; exit {i}'")));
        for (int i = 0; i < results.Length; i++)
            results[i].Exits(i).Prints($"{i}");
    }
}

/// <summary>The group through Docker's command line.</summary>
[Trait("vm", "yes")]
public sealed class ExecWithDockerTests(SharedDaemon shared) : ExecTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
[Trait("vm", "yes")]
public sealed class ExecWithSampanTests(SharedDaemon shared) : ExecTests(shared, CommandLine.Sampan);
