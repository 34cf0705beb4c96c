using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Daemons;

/// <summary>The daemon's own start, end and neighbours.</summary>
public sealed class DaemonTests
{
    [Fact]
    public async Task Several_live_beside_each_other_on_one_machine()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has one bridge for all");
        using var machine = new Machine();
        await using Daemon one = await Daemon.StartOnAsync(machine, "one");
        await using Daemon two = await Daemon.StartOnAsync(machine, "two");
        foreach (Daemon daemon in (Daemon[])[one, two])
        {
            (await daemon.Docker.Run(["import", Subject.Busybox, "busybox"])).Succeeds();
            (await daemon.Docker.Run("run -d --name same busybox sleep 1000")).Succeeds();
        }
        (await one.Docker.Run("rm -f same")).Succeeds();
        (await one.Docker.Run("ps -q")).Succeeds().Prints("");
        (await two.Docker.Run("exec same ping -c 1 -W 5 172.18.0.1")).ToString();
        (await two.Docker.Run("run --rm busybox sh -c 'ping -c 1 -W 5 $(ip route | sed -n s/^default.via.//p | cut -d \" \" -f 1)'")).Succeeds();
    }

    [Fact]
    public async Task A_root_in_use_is_refused()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await using var second = new Running(daemon.Command());
        CommandResult result = await second.ResultAsync(20);
        result.Exits(1);
        if (!Subject.IsReference)
            result.Complains(daemon.Folder);
        (await daemon.Docker.Run("run --rm busybox true")).Succeeds();
    }

    [Theory]
    [InlineData("--no-such-option", "no-such-option")]
    [InlineData("-H nonsense://x", "nonsense")]
    [InlineData("--config-file /no/such/file", "/no/such/file")]
    public async Task What_it_cannot_do_is_told_at_the_start(string option, string cause)
    {
        using var machine = new Machine();
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() => Daemon.StartOnAsync(machine, "d", option));
        Assert.Contains(cause, error.Message);
        Assert.Matches("exit code: (1|125)", error.Message);
    }

    [Fact]
    public async Task The_parent_of_its_containers_cgroups_can_be_chosen_and_they_keep_theirs_when_another_is()
    {
        using var machine = new Machine();
        string parent = $"parent-{Guid.NewGuid():N}";
        try
        {
            await using Daemon daemon = await Daemon.StartOnAsync(machine, "d", $"--cgroup-parent /{parent}/one");
            (await daemon.Docker.Run(["import", Subject.Busybox, "busybox"])).Succeeds();
            string id = (await daemon.Docker.Run("run -d --name one busybox sleep 1000")).Succeeds().Lines[^1];
            Assert.All(Cgroups.Of(id), path => Assert.Contains($"/{parent}/one/", path));
            Assert.NotEmpty(Cgroups.Of(id));
            if (!Subject.IsReference)
            {
                await daemon.KillAsync();
                await daemon.LaunchAsync($"--cgroup-parent /{parent}/two");
                (await daemon.Docker.Run("stats --no-stream --format {{.PIDs}} one")).Succeeds().Prints("1");
            }
            (await daemon.Docker.Run("rm -f one")).Succeeds();
            Assert.Empty(Cgroups.Of(id));
        }
        finally
        {
            foreach (string left in Cgroups.Of(parent))
                Cgroups.Remove(left);
        }
    }

    [Fact]
    public async Task A_parent_of_cgroups_that_is_no_path_below_their_root_is_refused()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd takes it, and the parent of the root for the root");
        using var machine = new Machine();
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() => Daemon.StartOnAsync(machine, "d", "--cgroup-parent a/../b"));
        Assert.Contains("invalid cgroup-parent 'a/../b'", error.Message);
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("run --cgroup-parent ../b busybox true")).Exits(125).Complains("invalid cgroup parent '../b'");
    }

    [Fact]
    public async Task A_configuration_file_is_read()
    {
        using var machine = new Machine();
        string file = Path.Combine(machine.Folder, "daemon.json");
        File.WriteAllText(file, """{"debug": true, "labels": ["from=file"]}""");
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d", $"--config-file {file}");
        (await daemon.Docker.Run("info --format {{.Debug}}")).Succeeds().Prints("true");
    }

    [Fact]
    public async Task Info_and_version_tell_what_there_is()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("info --format '{{.OSType}} {{.Architecture}} {{.CgroupVersion}} {{.Images}}'")).Succeeds()
            .Prints($"linux x86_64 {(Subject.IsCgroup2 ? 2 : 1)} 1");
        (await daemon.Docker.Run("info --format '{{.Driver}}'")).Succeeds().Shows("overlay");
        (await daemon.Docker.Run("version --format '{{.Server.Os}}/{{.Server.Arch}}'")).Succeeds().Prints("linux/amd64");
    }

    [Fact]
    public async Task It_is_ready_at_once()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd takes seconds");
        using var machine = new Machine();
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d");
        // 100 ms is the aim and the benchmark's matter; here other tests run at the same time.
        Assert.True(daemon.ReadyAfter < TimeSpan.FromSeconds(2), $"ready after {daemon.ReadyAfter.TotalMilliseconds} ms");
    }

    [Fact]
    public async Task The_command_line_starts_a_daemon_when_none_answers_and_says_so_once()
    {
        Assert.SkipWhen(Subject.IsReference, "Sampan's own");
        using var machine = new Machine();
        string sampan = $"env -u DOCKER_HOST {Subject.Sampan}";
        CommandResult first = (await machine.ShellAsync($"{sampan} import {Subject.Busybox} busybox")).Succeeds();
        first.Complains("daemon");
        Assert.Single(first.Error.Split('\n'));
        Assert.Equal("", (await machine.ShellAsync($"{sampan} run --rm busybox echo hello")).Succeeds().Prints("hello").Error);
        (await machine.ShellAsync("ls /run/sampan/sampan.sock")).Succeeds();
    }

    [Fact]
    public async Task Without_a_daemon_the_command_line_says_where_it_looked()
    {
        Assert.SkipWhen(Subject.IsReference, "Sampan's own");
        var cli = new Cli(Subject.Sampan, "unix:///no/such/socket");
        (await cli.Run("ps")).Exits(1).Complains("/no/such/socket");
    }
}
