using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>Standard input, output and error carried exactly.</summary>
public abstract class StreamTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task Closing_standard_input_is_an_end_of_file_while_output_goes_on() =>
        (await Run("run -i --rm busybox sh -c 'cat; echo after; sleep 0.3; echo later; echo err >&2'", "first\n")).Succeeds()
            .Prints("first\nafter\nlater");

    [Fact]
    public async Task Without_interactive_standard_input_is_empty() =>
        (await Run("run --rm busybox sh -c 'cat; echo end'", "ignored")).Succeeds().Prints("end");

    [Fact]
    public async Task A_hundred_megabytes_come_back_whole()
    {
        byte[] data = new byte[100 << 20];
        new Random(7).NextBytes(data);
        CommandResult result = await Cli.Run(["run", "-i", "--rm", "busybox", "cat"], data, timeoutSeconds: 120);
        result.Exits(0);
        Assert.Equal(data.Length, result.OutputBytes.Length);
        Assert.True(data.AsSpan().SequenceEqual(result.OutputBytes), "the bytes differ");
    }

    [Fact]
    public async Task A_hundred_megabytes_of_output_come_whole()
    {
        CommandResult result = await Run("run --rm --log-driver none busybox sh -c 'dd if=/dev/zero bs=1M count=100 2>/dev/null'", timeoutSeconds: 120);
        Assert.Equal(100 << 20, result.Exits(0).OutputBytes.Length);
    }

    [Fact]
    public async Task Typed_lines_are_answered_at_once()
    {
        await using Running running = Cli.Begin("run -i --rm busybox sh -c 'while read line; do echo \"<$line>\"; done; exit 7'");
        await running.WriteAsync("one\n");
        await running.WaitForOutputAsync("<one>");
        await running.WriteAsync("two\n");
        await running.WaitForOutputAsync("<two>");
        running.CloseInput();
        (await running.ResultAsync()).Exits(7);
    }

    [Fact]
    public async Task Everyone_attached_sees_the_output()
    {
        await using Container container = await Idle("-i", "sh -c 'while read x; do echo got $x; done; exit 9'");
        await using Running first = Cli.Begin($"attach {container}");
        await using Running second = Cli.Begin($"attach --no-stdin {container}");
        await Task.Delay(500);
        await first.WriteAsync("word\n");
        await first.WaitForOutputAsync("got word");
        await second.WaitForOutputAsync("got word");
        (await Run($"kill {container}")).Succeeds();
        (await first.ResultAsync()).Exits(137);
        (await second.ResultAsync()).Exits(137);
    }

    [Fact]
    public async Task A_signal_to_the_command_line_reaches_the_container()
    {
        string name = NewName();
        await using Container container = Cleaned(name);
        await using Running running = Cli.Begin($"run --name {name} busybox sh -c 'trap \"echo caught; exit 4\" TERM; echo ready; while :; do sleep 0.1; done'");
        await running.WaitForOutputAsync("ready");
        running.Signal(15);
        (await running.ResultAsync()).Exits(4).Shows("caught");
    }

    [Fact]
    public async Task Binary_bytes_are_kept_as_they_are()
    {
        byte[] data = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        CommandResult result = await Cli.Run(["run", "-i", "--rm", "busybox", "cat"], data);
        Assert.Equal(data, result.Exits(0).OutputBytes);
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class StreamWithDockerTests(SharedDaemon shared) : StreamTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class StreamWithSampanTests(SharedDaemon shared) : StreamTests(shared, CommandLine.Sampan);
