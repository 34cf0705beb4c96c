using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Names outlive the daemon, and a resolver that is killed comes back.</summary>
public sealed class NamesSurvivalTests
{
    [Fact]
    public async Task Names_are_there_while_the_daemon_is_not_and_the_next_one_takes_them_over()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd answers names itself");
        await using Daemon daemon = await Daemon.StartAsync();
        int resolver = await Begin(daemon);
        await daemon.KillAsync();
        await Ask(daemon, "one", "two");
        await daemon.LaunchAsync();
        Assert.Equal(resolver, await ResolverOf(daemon));
        (await daemon.Docker.Run("run -d --name three --network n busybox sleep 1000")).Succeeds();
        await Ask(daemon, "one", "three");
        await Ask(daemon, "three", "two");
        // What ended while nobody was there is known no more.
        await daemon.KillAsync();
        (await daemon.Machine.ShellAsync($"kill -9 {await PidOf(daemon, "sleep 2222")}")).Succeeds();
        await daemon.LaunchAsync();
        (await daemon.Docker.Run("wait two")).Succeeds();
        (await daemon.Docker.Run("exec one nslookup -type=a two")).Fails();
        (await daemon.Docker.Run("rm -f one two three")).Succeeds();
    }

    [Fact]
    public async Task A_resolver_that_is_killed_is_started_again_and_knows_everything()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd answers names itself");
        await using Daemon daemon = await Daemon.StartAsync();
        int resolver = await Begin(daemon);
        (await daemon.Machine.ShellAsync($"kill -9 {resolver}")).Succeeds();
        await Eventually.IsTrue(async () => await ResolverOf(daemon) is var next && next != 0 && next != resolver, 20, () => daemon.Log);
        await Ask(daemon, "one", "two");
        await Ask(daemon, "two", "one");
        // With the last container it has nothing to do, and with the daemon it ends.
        (await daemon.Docker.Run("rm -f one two")).Succeeds();
        Assert.Equal(0, (await daemon.StopAsync()).ExitCode);
        await Eventually.IsTrue(async () => await ResolverOf(daemon) == 0, 20, () => "the resolver stays");
    }

    [Fact]
    public async Task Without_containers_that_need_names_there_is_no_resolver()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd answers names itself");
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("run --rm busybox true")).Succeeds();
        Assert.Equal(0, await ResolverOf(daemon));
    }

    [Fact]
    public async Task A_flood_of_nonsense_from_one_container_leaves_the_others_their_answers()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await Begin(daemon);
        string script = Path.Combine(Subject.Root, "tests", "Sampan.Tests.Integration", "Network", "Tools", "flood.py");
        string pid = (await daemon.Docker.Run("inspect -f {{.State.Pid}} one")).Succeeds().Output;
        Task<CommandResult> flood = daemon.Machine.ShellAsync($"nsenter --target {pid} --net /usr/bin/python3 {script} 4");
        while (!flood.IsCompleted)
            await Ask(daemon, "two", "one");
        (await flood).Succeeds().Prints("answered True");
        Assert.DoesNotContain("the resolver has ended", daemon.Log);
    }

    private static async Task<int> Begin(Daemon daemon)
    {
        (await daemon.Docker.Run("network create n")).Succeeds();
        (await daemon.Docker.Run("run -d --name one --network n busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("run -d --name two --network n busybox sleep 2222")).Succeeds();
        await Ask(daemon, "one", "two");
        return await ResolverOf(daemon);
    }

    /// <summary>From within a container's network, since there may be no daemon to execute anything in it.</summary>
    private static async Task Ask(Daemon daemon, string from, string name)
    {
        string command = from == "two" ? "sleep 2222" : "sleep 1000";
        (await daemon.Machine.ShellAsync(
            $"nsenter --target {await PidOf(daemon, command)} --net busybox nslookup -type=a {name} 127.0.0.11")).Succeeds().Shows("Address: 172.");
    }

    private static async Task<string> PidOf(Daemon daemon, string command) =>
        (await daemon.Machine.ShellAsync($"pgrep -o -x -f '{command}'")).Succeeds().Output;

    private static async Task<int> ResolverOf(Daemon daemon) =>
        int.TryParse((await daemon.Machine.ShellAsync("pgrep -x sampan-resolver")).Output, out int pid) ? pid : 0;
}
