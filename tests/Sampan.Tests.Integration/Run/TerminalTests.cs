using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>Containers on a terminal.</summary>
public abstract class TerminalTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task A_shell_on_a_terminal_works_as_expected()
    {
        await using Terminal terminal = Cli.OnTerminal("run -it --rm busybox sh", rows: 31, columns: 117);
        terminal.Type("test -t 0 && test -t 1 && echo is''terminal\n");
        await terminal.WaitForAsync("isterminal");
        await terminal.TypeUntilAsync("stty size\n", "31 117");
        terminal.Resize(40, 90);
        await terminal.TypeUntilAsync("stty size\n", "40 90");
        terminal.Type("echo $TERM; exit 6\n");
        await terminal.WaitForAsync("xterm");
        Assert.Equal(6, await terminal.ExitCodeAsync());
    }

    [Fact]
    public async Task Control_c_interrupts_the_command_in_the_container()
    {
        await using Terminal terminal = Cli.OnTerminal("run -it --rm busybox sh");
        terminal.Type("echo rea''dy; sleep 1000\n");
        await terminal.WaitForAsync("ready");
        await Task.Delay(300);
        terminal.Type("\x03");
        terminal.Type("echo back''again; exit\n");
        await terminal.WaitForAsync("backagain");
        await terminal.ExitCodeAsync();
    }

    [Fact]
    public async Task The_detach_keys_leave_the_container_running_and_attach_returns()
    {
        string name = NewName();
        await using Container container = Cleaned(name);
        await using (Terminal terminal = Cli.OnTerminal($"run -it --name {name} busybox sh"))
        {
            terminal.Type("KEPT=value; echo rea''dy\n");
            await terminal.WaitForAsync("ready");
            terminal.Type("\x10\x11");
            Assert.Equal(0, await terminal.ExitCodeAsync());
        }
        Assert.Equal("true", await Inspect("{{.State.Running}}", name));
        await using Terminal again = Cli.OnTerminal($"attach {name}");
        again.Type("echo still $KEPT\n");
        await again.WaitForAsync("still value");
        again.Type("exit 3\n");
        Assert.Equal(3, await again.ExitCodeAsync());
    }

    [Fact]
    public async Task Other_detach_keys_can_be_chosen()
    {
        string name = NewName();
        await using Container container = Cleaned(name);
        await using Terminal terminal = Cli.OnTerminal($"run -it --detach-keys ctrl-a,x --name {name} busybox sh");
        terminal.Type("echo rea''dy\n");
        await terminal.WaitForAsync("ready");
        terminal.Type("\x01x");
        Assert.Equal(0, await terminal.ExitCodeAsync());
        Assert.Equal("true", await Inspect("{{.State.Running}}", name));
    }

    [Fact]
    public async Task A_terminal_is_refused_when_the_input_is_none() =>
        (await Run("run -it --rm busybox true")).Exits(1).Complains("not a TTY");

    [Fact]
    public async Task A_terminal_without_input_still_ends_lines_as_terminals_do() =>
        Assert.Equal("line\r\n"u8.ToArray(), (await Run("run -t --rm busybox echo line")).Succeeds().OutputBytes);
}

/// <summary>The group through Docker's command line.</summary>
public sealed class TerminalWithDockerTests(SharedDaemon shared) : TerminalTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class TerminalWithSampanTests(SharedDaemon shared) : TerminalTests(shared, CommandLine.Sampan);
