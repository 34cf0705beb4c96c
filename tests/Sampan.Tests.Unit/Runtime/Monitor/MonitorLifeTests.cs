using Sampan.Linux;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime.Monitor;

/// <summary>Real containers under real monitors; root, and the built binary.</summary>
public sealed class MonitorLifeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Output_log_and_exit_code_arrive_and_nothing_is_left()
    {
        using var box = Box.Shell("echo hi; echo oops >&2; exit 3");
        var (client, stream) = await box.RunAsync();
        var output = await Box.ReadAsync(stream);
        Assert.Contains("hi\n", output);
        Assert.Contains("oops\n", output);
        var exit = await client.Exited;
        Assert.Equal(3, exit.ExitCode);
        Assert.Equal(3, stream.ExitCode);
        Assert.Equal(exit, MonitorClient.ReadExit(box.Config.ExitPath));
        Assert.Contains("""{"log":"oops\n","stream":"stderr","time":"2""", box.Log);
        Assert.False(box.HasCgroup);
        Assert.False(File.Exists(Path.Combine(box.Config.RunDirectory, "monitor.sock")));
        Assert.Null(await MonitorClient.ConnectAsync(box.Config.RunDirectory, box.Config.ExitPath, Cancel));
        await Assert.ThrowsAsync<MonitorException>(() => client.SignalAsync(15, Cancel));
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_exit_code_127_for_starter_watcher_and_attached()
    {
        using var box = Box.Of(["nosuch"]);
        using var client = await box.LaunchAsync();
        using var stream = await client.AttachAsync(false, true, true, Cancel);
        var refused = await Assert.ThrowsAsync<MonitorException>(() => client.StartAsync(Cancel));
        Assert.Equal((SetupStep.Exec, 127), (refused.Error.Step, refused.Error.ExitCode));
        Assert.Equal("", await Box.ReadAsync(stream));
        Assert.Equal(127, stream.ExitCode);
        Assert.Equal(127, (await client.Exited).ExitCode);
        await client.ShutdownAsync(Cancel);
        Assert.False(box.HasCgroup);
    }

    [Fact]
    public async Task A_hundred_megabytes_come_back_whole_through_half_closed_input()
    {
        using var box = Box.Of(["/bin/busybox", "cat"], c => (c.OpenStdin, c.StdinOnce, c.LogPath) = (true, true, null));
        var (client, stream) = await box.RunAsync(stdin: true);
        var block = new byte[64 * 1024];
        new Random(5).NextBytes(block);
        var sending = Task.Run(
            async () =>
            {
                for (var i = 0; i < 1600; i++)
                {
                    await stream.WriteStdinAsync(block, Cancel);
                }

                stream.CloseStdin();
            },
            Cancel);
        var at = 0L;
        while (await stream.ReadFrameAsync(Cancel) is { } frame)
        {
            for (var data = frame.Data; !data.IsEmpty;)
            {
                var part = data[..Math.Min(data.Length, block.Length - (int)(at % block.Length))];
                Assert.True(part.Span.SequenceEqual(block.AsSpan((int)(at % block.Length), part.Length)));
                at += part.Length;
                data = data[part.Length..];
            }
        }

        await sending;
        Assert.Equal(1600L * block.Length, at);
        Assert.Equal(0, (await client.Exited).ExitCode);
    }

    [Fact]
    public async Task A_terminal_carries_both_ways_and_changes_its_size()
    {
        using var box = Box.Shell("/bin/busybox stty size; read x; echo got $x; /bin/busybox stty size", c => (c.Terminal, c.OpenStdin, c.Rows, c.Columns) = (true, true, 24, 80));
        var (client, stream) = await box.RunAsync(stdin: true);
        await Box.UntilAsync(() => box.Log.Contains("24 80"), "the first size");
        await client.ResizeAsync(null, 50, 132, Cancel);
        await stream.WriteStdinAsync("abc\r"u8.ToArray(), Cancel);
        var output = await Box.ReadAsync(stream);
        Assert.Contains("got abc\r\n50 132\r\n", output);
        await client.Exited;
    }

    [Fact]
    public async Task An_exec_has_streams_and_an_exit_code_of_its_own()
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"]);
        var (client, _) = await box.RunAsync();
        var (reply, stream) = await client.ExecAsync("one", Box.Script("cat; echo $$ >&2; exit 7"), true, true, true, Cancel);
        await stream.WriteStdinAsync("input\n"u8.ToArray(), Cancel);
        stream.CloseStdin();
        Assert.Contains("input\n", await Box.ReadAsync(stream));
        Assert.Equal(7, stream.ExitCode);
        var missing = await Assert.ThrowsAsync<MonitorException>(() => client.ExecAsync("two", Box.Program("nosuch"), false, true, true, Cancel));
        Assert.Equal(127, missing.Error.ExitCode);
        Assert.Equal([new ExecState("one", reply.Pid, 7)], (await client.GetStateAsync(Cancel)).Execs);
        await client.ShutdownAsync(Cancel);
        Assert.Equal(137, (await client.Exited).ExitCode);
    }

    [Fact]
    public async Task An_exec_ends_though_what_it_left_behind_holds_its_output()
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"]);
        var (client, _) = await box.RunAsync();
        var (_, stream) = await client.ExecAsync("one", Box.Script("/bin/busybox sleep 50 & echo left; exit 4"), false, true, true, Cancel);
        Assert.Equal("left\n", await Box.ReadAsync(stream).WaitAsync(TimeSpan.FromSeconds(10), Cancel));
        Assert.Equal(4, stream.ExitCode);
        await client.ShutdownAsync(Cancel);
        await client.Exited;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_the_container_ends_its_execs_do_and_their_clients_are_told(bool ownPids)
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"], change: s => s.Linux!.Namespaces!.RemoveAll(n => n.Type == "pid" && !ownPids));
        var (client, _) = await box.RunAsync();
        var (_, stream) = await client.ExecAsync("one", Box.Program("/bin/busybox", "sleep", "50"), false, true, true, Cancel);
        await client.SignalAsync(9, Cancel);
        Assert.Equal("", await Box.ReadAsync(stream).WaitAsync(TimeSpan.FromSeconds(10), Cancel));
        Assert.Equal(137, stream.ExitCode);
        Assert.Equal(137, (await client.Exited).ExitCode);
    }

    [Fact]
    public async Task A_slow_client_gets_its_tail_though_neither_log_nor_exit_code_wait_for_it()
    {
        using var box = Box.Shell("/bin/busybox head -c 1200000 /dev/zero | /bin/busybox tr '\\0' x; echo; echo end");
        var (client, stream) = await box.RunAsync();
        var exit = await client.Exited.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.Equal(0, exit.ExitCode);
        Assert.Contains("\"end\\n\"", box.Log);
        await Task.Delay(3000, Cancel);
        Assert.Equal(1_200_005, (await Box.ReadAsync(stream)).Length);
    }

    [Fact]
    public async Task A_client_that_takes_nothing_for_too_long_is_cut_off_and_the_container_goes_on()
    {
        using var box = Box.Shell("/bin/busybox head -c 6000000 /dev/zero; echo end", c => c.AttachStallSeconds = 1);
        var (client, stream) = await box.RunAsync();
        Assert.Equal(0, (await client.Exited.WaitAsync(TimeSpan.FromSeconds(20), Cancel)).ExitCode);
        Assert.Contains("end\\n\"", box.Log);
        await Box.ReadAsync(stream);
        Assert.Null(stream.ExitCode);
    }

    [Fact]
    public async Task Clients_that_go_while_the_container_is_quiet_cost_no_processor_time()
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"], c => c.OpenStdin = true);
        var (client, stream) = await box.RunAsync(stdin: true);
        var monitor = Box.MonitorOf(client);
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        giveUp.CancelAfter(500);
        await Assert.ThrowsAnyAsync<Exception>(() => stream.WriteStdinAsync(new byte[2_000_000], giveUp.Token).AsTask());
        stream.Dispose();
        using var half = await client.AttachAsync(true, true, true, Cancel);
        half.CloseStdin();
        var before = ProcessorTicks(monitor);
        await Task.Delay(1000, Cancel);
        Assert.InRange(ProcessorTicks(monitor) - before, 0, 10);
        await client.ShutdownAsync(Cancel);
        await client.Exited;
    }

    [Fact]
    public async Task Another_client_finds_the_container_again_and_takes_over()
    {
        using var box = Box.Shell("read x; echo got $x; exit 9", c => c.OpenStdin = true);
        var (first, _) = await box.RunAsync();
        first.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.Exited);
        using var second = await MonitorClient.ConnectAsync(box.Config.RunDirectory, box.Config.ExitPath, Cancel);
        Assert.True(second!.State.StartedAt > 0);
        using var stream = await second.AttachAsync(true, true, true, Cancel);
        await stream.WriteStdinAsync("abc\n"u8.ToArray(), Cancel);
        Assert.Equal("got abc\n", await Box.ReadAsync(stream));
        Assert.Equal(9, (await second.Exited).ExitCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_killed_monitor_is_noticed_and_its_container_taken_away(bool started)
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"]);
        using var client = await box.LaunchAsync();
        if (started)
        {
            await client.StartAsync(Cancel);
        }

        Raw.Kill(Box.MonitorOf(client), 9);
        var exit = await client.Exited.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.Equal(137, exit.ExitCode);
        Assert.Contains("was killed", exit.Error);
        Assert.False(box.HasCgroup);
        await Box.UntilAsync(() => !Directory.Exists($"/proc/{client.State.Pid}"), "the container's process is gone");
    }

    [Fact]
    public async Task Signals_that_end_other_processes_do_not_end_a_monitor()
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"]);
        var (client, _) = await box.RunAsync();
        foreach (var signal in (int[])[1, 2, 3, 13, 15])
        {
            Raw.Kill(Box.MonitorOf(client), signal);
        }

        await Task.Delay(100, Cancel);
        Assert.Null((await client.GetStateAsync(Cancel)).Exit);
        await client.ShutdownAsync(Cancel);
        await client.Exited;
    }

    [Fact]
    public async Task Of_a_container_that_was_never_started_nothing_is_left()
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"]);
        using var client = await box.LaunchAsync();
        Assert.Equal(0, client.State.StartedAt);
        await client.ShutdownAsync(Cancel);
        await client.Exited;
        Assert.False(File.Exists(box.Config.ExitPath));
        Assert.False(box.HasCgroup);
    }

    [Fact]
    public async Task A_full_disk_loses_log_lines_and_nothing_else()
    {
        using var box = Box.Shell("echo one; echo two; read x; exit 5", c => (c.LogPath, c.OpenStdin, c.StdinOnce) = ("/dev/full", true, true));
        var (client, stream) = await box.RunAsync(stdin: true);
        await Box.UntilAsync(() => client.GetStateAsync(Cancel).Result.LogLostLines == 2, "two lost lines");
        Assert.Contains("no space left", (await client.GetStateAsync(Cancel)).LogError);
        stream.CloseStdin();
        Assert.Equal("one\ntwo\n", await Box.ReadAsync(stream));
        Assert.Equal(5, (await client.Exited).ExitCode);
    }

    [Fact]
    public async Task A_run_directory_may_be_deeper_than_a_socket_address_is_long()
    {
        var deep = Path.Combine(Path.GetTempPath(), "sampan-" + new string('d', 120));
        using var box = Box.Shell("echo deep");
        Directory.Move(box.Config.RunDirectory, deep);
        try
        {
            var config = box.Config with { RunDirectory = deep };
            _ = Directory.CreateDirectory(box.Config.RunDirectory);
            using var client = await MonitorClient.LaunchAsync(config, Box.Sampan, Cancel);
            using var stream = await client.AttachAsync(false, true, true, Cancel);
            await client.StartAsync(Cancel);
            Assert.Equal("deep\n", await Box.ReadAsync(stream));
            await client.Exited;
        }
        finally
        {
            Directory.Delete(deep, recursive: true);
        }
    }

    [Fact]
    public async Task Nothing_of_the_launcher_leaks_into_a_monitor()
    {
        using var box = Box.Of(["/bin/busybox", "sleep", "60"]);
        var leak = Raw.Openat2(Raw.AT_FDCWD, CString.Of("/etc/hostname"), Raw.O_RDONLY, 0, 0);
        var (client, _) = await box.RunAsync();
        Raw.Close(leak);
        var open = Directory.GetFiles($"/proc/{Box.MonitorOf(client)}/fd").Select(f => new FileInfo(f).LinkTarget);
        Assert.DoesNotContain("/etc/hostname", open);
        await client.ShutdownAsync(Cancel);
        await client.Exited;
    }

    private static long ProcessorTicks(int pid)
    {
        var fields = File.ReadAllText($"/proc/{pid}/stat").Split(") ")[1].Split(' ');
        return long.Parse(fields[11]) + long.Parse(fields[12]);
    }
}
