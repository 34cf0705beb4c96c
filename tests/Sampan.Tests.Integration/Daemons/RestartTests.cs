using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Daemons;

/// <summary>A daemon that dies costs its containers nothing.</summary>
public sealed class RestartTests
{
    // What Sampan does always, dockerd does on request.
    private static readonly string? s_options = Subject.IsReference ? "--live-restore" : null;

    [Fact]
    public async Task Killed_under_ten_containers_it_loses_no_container_no_line_and_no_exit_code()
    {
        await using Daemon daemon = await Daemon.StartAsync(s_options);
        string[] names = [.. Enumerable.Range(0, 10).Select(i => $"c{i}")];
        // Each counts to the end whatever happens, and then tells its own exit code.
        for (int i = 0; i < names.Length; i++)
        {
            (await daemon.Docker.Run($"run -d --name {names[i]} busybox sh -c 'for n in $(seq 1 {(i < 5 ? 40 : 400)}); do echo line $n; sleep 0.1; done; exit {20 + i}'"))
                .Succeeds();
        }
        string[] pids = await Pids(daemon, names);
        await daemon.KillAsync();
        // The first five go on to their end while there is no daemon.
        await Task.Delay(6000);
        await daemon.LaunchAsync(s_options);

        Assert.Equal(pids[5..], await Pids(daemon, names[5..]));
        for (int i = 0; i < 5; i++)
        {
            (await daemon.Docker.Run($"wait {names[i]}")).Succeeds().Prints($"{20 + i}");
            // dockerd loses some lines when it dies, now and then.
            int least = Subject.IsReference ? 30 : 40;
            Assert.InRange((await daemon.Docker.Run($"logs {names[i]}")).Succeeds().Lines.Length, least, 40);
        }
        for (int i = 5; i < 10; i++)
        {
            string[] lines = (await daemon.Docker.Run($"logs {names[i]}")).Succeeds().Lines;
            if (!Subject.IsReference)
                Assert.Equal(Enumerable.Range(1, lines.Length).Select(n => $"line {n}"), lines);
            (await daemon.Docker.Run($"exec {names[i]} true")).Succeeds();
        }
        (await daemon.Docker.Run("kill c5")).Succeeds();
        (await daemon.Docker.Run("wait c5")).Succeeds().Prints("137");
        (await daemon.Docker.Run("rm -f " + string.Join(' ', names))).Succeeds();
    }

    [Fact]
    public async Task With_the_daemon_start_those_whose_policy_says_so_and_health_is_known_again()
    {
        await using Daemon daemon = await Daemon.StartAsync(s_options);
        (await daemon.Docker.Run("run -d --restart always --name always busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --restart unless-stopped --name unless busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name checked --health-cmd true --health-interval 500ms busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --restart on-failure --name failing busybox sh -c 'sleep 3; exit 1'")).Succeeds();
        (await daemon.Docker.Run("stop -t 0 always unless")).Succeeds();
        await daemon.KillAsync();
        await Task.Delay(4000);
        await daemon.LaunchAsync(s_options);
        await Eventually.IsTrue(async () => await Status("always") == "running", 20, () => "'always' runs");
        await Eventually.IsTrue(async () => await Status("failing") == "running", 20, () => "what failed meanwhile runs");
        await Eventually.IsTrue(async () => await Inspect("{{.State.Health.Status}}", "checked") == "healthy", 20, () => "it is healthy");
        Assert.Equal("exited", await Status("unless"));

        Task<string> Status(string name) => Inspect("{{.State.Status}}", name);

        async Task<string> Inspect(string template, string name) =>
            (await daemon.Docker.Run(["inspect", "--format", template, name])).Succeeds().Output;
    }

    [Fact]
    public async Task A_container_can_be_attached_to_after_the_daemon_was_killed()
    {
        await using Daemon daemon = await Daemon.StartAsync(s_options);
        (await daemon.Docker.Run("run -d -i --name reader busybox sh -c 'while read x; do echo got $x; done; echo end; exit 8'")).Succeeds();
        await daemon.KillAsync();
        await daemon.LaunchAsync(s_options);
        await using Running attached = daemon.Docker.Begin("attach reader");
        await attached.WriteAsync("word\n");
        await attached.WaitForOutputAsync("got word");
        (await daemon.Docker.Run("kill reader")).Succeeds();
        await attached.ResultAsync();
    }

    [Fact]
    public async Task Asked_to_end_it_ends_and_what_it_knew_is_there_at_the_next_start()
    {
        await using Daemon daemon = await Daemon.StartAsync(s_options);
        (await daemon.Docker.Run("run -d --name running busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run --name ended -e A=1 -v kept:/v busybox sh -c 'echo x >/v/x; exit 4'")).Exits(4);
        (await daemon.Docker.Run("tag busybox other:name")).Succeeds();
        Assert.Equal(0, (await daemon.StopAsync()).ExitCode);
        await daemon.LaunchAsync(s_options);
        (await daemon.Docker.Run("inspect --format {{.State.ExitCode}}{{.Config.Env}} ended")).Succeeds().Shows("4[A=1");
        (await daemon.Docker.Run("run --rm -v kept:/v other:name cat /v/x")).Succeeds().Prints("x");
        (await daemon.Docker.Run("exec running echo well")).Succeeds().Prints("well");
    }

    private static async Task<string[]> Pids(Daemon daemon, string[] names) =>
        (await daemon.Docker.Run(["inspect", "--format", "{{.State.Pid}} {{.State.Running}}", .. names])).Succeeds().Lines;
}
