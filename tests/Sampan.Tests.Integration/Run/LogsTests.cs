using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>What containers wrote, after the fact and as it comes.</summary>
public abstract class LogsTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task Logs_tell_both_streams_apart()
    {
        await using Container container = await Idle("", "sh -c 'echo one; echo two >&2; echo three'");
        (await Run($"wait {container}")).Succeeds();
        CommandResult logs = (await Run($"logs {container}")).Succeeds();
        Assert.Equal(("one\nthree", "two"), (logs.Output, logs.Error));
    }

    [Theory]
    [InlineData("-n 2", "4\n5")]
    [InlineData("--tail 0", "")]
    [InlineData("--tail all", "1\n2\n3\n4\n5")]
    [InlineData("-n 99", "1\n2\n3\n4\n5")]
    public async Task The_last_lines_are_chosen(string option, string expected)
    {
        await using Container container = await Idle("", "seq 5");
        (await Run($"wait {container}")).Succeeds();
        (await Run($"logs {option} {container}")).Succeeds().Prints(expected);
    }

    [Fact]
    public async Task Times_are_shown_and_choose()
    {
        await using Container container = await Idle("", "sh -c 'echo early; sleep 2; echo late'");
        (await Run($"wait {container}")).Succeeds();
        string[] lines = (await Run($"logs -t {container}")).Succeeds().Lines;
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z early$", lines[0]);
        DateTime early = DateTime.Parse(lines[0].Split(' ')[0], null, System.Globalization.DateTimeStyles.AdjustToUniversal);
        string between = early.AddSeconds(1).ToString("yyyy-MM-ddTHH:mm:ss.fffZ");
        (await Run($"logs --since {between} {container}")).Succeeds().Prints("late");
        (await Run($"logs --until {between} {container}")).Succeeds().Prints("early");
        (await Run($"logs --since 1h {container}")).Succeeds().Prints("early\nlate");
    }

    [Fact]
    public async Task Followed_they_come_as_they_are_written_and_end_with_the_container()
    {
        await using Container container = await Idle("-i", "sh -c 'echo first; read x; echo got $x'");
        await using Running following = Cli.Begin($"logs -f {container}");
        await following.WaitForOutputAsync("first");
        Assert.False(following.HasExited);
        await using (Running attached = Cli.Begin($"attach {container}"))
        {
            await attached.WriteAsync("word\n");
            await following.WaitForOutputAsync("got word");
            await attached.ResultAsync();
        }
        (await following.ResultAsync()).Exits(0).Prints("first\ngot word");
    }

    [Fact]
    public async Task A_very_long_line_is_kept_whole()
    {
        await using Container container = await Idle("", "sh -c 'head -c 100000 /dev/zero | tr \"\\0\" a; echo; echo end'");
        (await Run($"wait {container}")).Succeeds();
        (await Run($"logs {container}")).Succeeds().Prints(new string('a', 100_000) + "\nend");
    }

    [Fact]
    public async Task What_is_written_without_a_line_s_end_is_kept()
    {
        await using Container container = await Idle("", "printf 'no end'");
        (await Run($"wait {container}")).Succeeds();
        Assert.Equal("no end"u8.ToArray(), (await Run($"logs {container}")).Succeeds().OutputBytes);
    }

    [Fact]
    public async Task Logs_of_a_terminal_are_one_stream()
    {
        await using Container container = await Idle("-t", "sh -c 'echo one; echo two >&2'");
        (await Run($"wait {container}")).Succeeds();
        Assert.Equal("one\r\ntwo\r\n"u8.ToArray(), (await Run($"logs {container}")).Succeeds().OutputBytes);
    }

    [Fact]
    public async Task Without_a_log_there_is_nothing_to_tell()
    {
        await using Container container = await Idle("--log-driver none", "echo x");
        (await Run($"logs {container}")).Exits(1).Complains("does not support reading");
        (await Run("logs no-such-container")).Exits(1).Complains("no such container: no-such-container");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class LogsWithDockerTests(SharedDaemon shared) : LogsTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class LogsWithSampanTests(SharedDaemon shared) : LogsTests(shared, CommandLine.Sampan);
