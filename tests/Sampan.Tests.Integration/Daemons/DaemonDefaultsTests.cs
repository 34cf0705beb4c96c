using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Daemons;

/// <summary>What the daemon was told to give containers that say nothing.</summary>
public sealed class DaemonDefaultsTests
{
    [Fact]
    public async Task Defaults_of_the_daemon_hold_for_containers_that_say_nothing_and_for_no_others()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd needs more in its file");
        var machine = new Machine();
        string file = Path.Combine(machine.Folder, "daemon.json"), profile = Path.Combine(machine.Folder, "seccomp.json");
        File.WriteAllText(profile, """{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}""");
        File.WriteAllText(file, $$$"""
            {
                "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 77, "Hard": 99}, "core": {"Name": "core", "Soft": 0, "Hard": 0}},
                "default-shm-size": "7M", "default-ipc-mode": "shareable", "default-cgroupns-mode": "host", "no-new-privileges": true,
                "seccomp-profile": "{{{profile}}}", "log-opts": {"max-size": "1m", "max-file": "2"}, "labels": ["port=home"], "init": true
            }
            """);
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d", $"--config-file {file}", ownsMachine: true);
        (await daemon.Docker.Run(["import", Subject.Busybox, "busybox"])).Succeeds();
        const string look = "ulimit -n; ulimit -Hn; grep NoNewPrivs /proc/self/status | cut -f 2; df -m /dev/shm | tail -n 1 | tr -s \" \" | cut -d \" \" -f 2; mkdir /d 2>/dev/null; echo $?; echo $$";
        (await daemon.Docker.Run($"run --rm busybox sh -c '{look}'")).Succeeds().Prints("77\n99\n1\n7\n1\n2");
        (await daemon.Docker.Run($"run --rm --init=false --ulimit nofile=50:60 --shm-size 9m --security-opt no-new-privileges=false --security-opt seccomp=unconfined busybox sh -c '{look}'"))
            .Succeeds().Prints("50\n60\n0\n9\n0\n1");
        (await daemon.Docker.Run("build -q -", "FROM busybox\nRUN test $(ulimit -n) = 77 && ! mkdir /d\n")).Succeeds();
        (await daemon.Docker.Run("create --name c1 busybox sh")).Succeeds();
        (await daemon.Docker.Run("inspect --format '{{.HostConfig.IpcMode}} {{.HostConfig.CgroupnsMode}} {{.HostConfig.LogConfig}} {{.HostConfig.ShmSize}}' c1")).Succeeds()
            .Prints("shareable host {json-file map[max-file:2 max-size:1m]} 7340032");
        (await daemon.Docker.Run("info --format '{{.Labels}} {{.SecurityOptions}} {{.DefaultRuntime}} {{.IPv4Forwarding}}'")).Succeeds()
            .Shows("[port=home]").Shows($"name=seccomp,profile={profile}").Shows("name=no-new-privileges").Shows("runc true");
    }

    [Theory]
    [InlineData("--seccomp-profile /nowhere", "/nowhere")]
    [InlineData("--seccomp-profile /etc/passwd", "decoding seccomp profile failed")]
    [InlineData("--default-ulimit nofile=9:8", "soft limit must be less than or equal to hard limit: 9 > 8")]
    [InlineData("--default-ulimit banana=9", "invalid ulimit type: banana")]
    [InlineData("--log-driver splunk", "no log driver named 'splunk' is registered")]
    [InlineData("--log-opt banana=1", "unknown log opt 'banana'")]
    public async Task A_default_that_cannot_be_given_ends_the_daemon_s_start(string options, string message)
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has other words");
        using var machine = new Machine();
        (await machine.ShellAsync($"{Subject.Sampan} daemon --data-root {machine.Folder}/d --exec-root {machine.Folder}/e {options}")).Exits(1).Complains(message);
    }
}
