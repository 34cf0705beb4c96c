using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>Options of a container that promise something about it: they hold, or are refused.</summary>
public abstract class SecurityOptionTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private string Profile(string json)
    {
        string path = Path.Combine(Daemon.Folder, NewName() + ".json");
        File.WriteAllText(path, json);
        return path;
    }

    [Fact]
    public async Task A_seccomp_profile_of_the_user_s_own_holds()
    {
        string profile = Profile("""{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}""");
        string options = $"--security-opt seccomp={profile}";
        (await Run($"run --rm {options} busybox sh -c 'touch /a && mkdir /b'")).Fails().Complains("Operation not permitted");
        (await Run($"run --rm {options} --privileged busybox mkdir /b")).Fails().Complains("Operation not permitted");
        await using Container container = await Idle(options);
        (await Run($"exec {container} mkdir /b")).Fails().Complains("Operation not permitted");
        (await Run("run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status")).Succeeds().Shows("0");
        (await Run("run --rm --security-opt seccomp=builtin busybox grep Seccomp: /proc/self/status")).Succeeds().Shows("2");
    }

    [Theory]
    [InlineData("seccomp=PROFILE", "decoding seccomp profile failed")]
    [InlineData("banana", "invalid --security-opt")]
    [InlineData("banana=1", "invalid --security-opt")]
    [InlineData("no-new-privileges=perhaps", "invalid --security-opt")]
    [InlineData("apparmor=some-profile", "AppArmor")]
    public async Task What_cannot_be_promised_is_refused(string option, string message)
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd's words");
        option = option.Replace("PROFILE", Profile("""{"defaultAction": "SCMP_ACT_PERHAPS"}"""), StringComparison.Ordinal);
        (await Run($"run --rm --security-opt {option} busybox true")).Exits(125).Complains(message);
    }

    [Fact]
    public async Task New_privileges_are_denied_when_asked()
    {
        (await Run("run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status")).Succeeds().Prints("NoNewPrivs:\t1");
        (await Run("run --rm --security-opt no-new-privileges=false busybox grep NoNewPrivs /proc/self/status")).Succeeds().Prints("NoNewPrivs:\t0");
    }

    [Fact]
    public async Task A_rule_for_devices_holds()
    {
        // /dev/loop-control, which anybody may open who may have it
        (await Run("run --rm busybox sh -c 'mknod /n c 10 237 && : </n'")).Fails().Complains("not permitted");
        (await Run("run --rm --device-cgroup-rule 'c 10:237 r' busybox sh -c 'mknod /n c 10 237 && : </n'")).Succeeds();
        (await Run("run --rm --device-cgroup-rule 'c 10:* r' busybox sh -c 'mknod /n c 10 237 && : </n && : >/n'")).Fails().Complains("not permitted");
        (await Run("run --rm --device-cgroup-rule 'banana' busybox true")).Exits(125);
    }

    [Fact]
    public async Task Lists_that_are_empty_ask_for_nothing()
    {
        using var api = new RawApi(Daemon.Socket);
        string id = (string)(await api.PostAsync("/v1.43/containers/create", """
            {
                "Image": "busybox", "Cmd": ["true"],
                "HostConfig": {"DeviceRequests": [], "Devices": [], "DeviceCgroupRules": [], "SecurityOpt": [], "VolumesFrom": [], "Ulimits": []}
            }
            """)).Is(201).Json["Id"]!;
        (await Run($"start -a {id}")).Succeeds();
        (await Run($"rm {id}")).Succeeds();
    }

    [Theory]
    [InlineData("--gpus all", "could not select device driver")]
    [InlineData("--runtime nvidia", "unknown or invalid runtime name: nvidia")]
    [InlineData("--storage-opt size=1G", "pquota")]
    [InlineData("--userns banana", "USER")]
    [InlineData("--cgroupns banana", "cgroup")]
    [InlineData("--log-driver splunk", "no log driver named 'splunk' is registered")]
    [InlineData("--log-opt banana=1", "unknown log opt 'banana' for json-file log driver")]
    [InlineData("--oom-score-adj 5000", "range for oom score adj")]
    [InlineData("--device-read-bps /nowhere:1mb", "/nowhere")]
    public async Task What_cannot_be_given_is_refused_before_anything_is_made(string options, string message)
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd 20.10 has other words");
        string name = NewName();
        (await Run($"run --name {name} {options} busybox true")).Exits(125).Complains(message);
        await Run($"rm -f {name}");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class SecurityOptionWithDockerTests(SharedDaemon shared) : SecurityOptionTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class SecurityOptionWithSampanTests(SharedDaemon shared) : SecurityOptionTests(shared, CommandLine.Sampan);
