using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>Docker's defaults for what a container may see and do.</summary>
public abstract class DefaultsTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task The_root_can_be_read_only()
    {
        (await Run("run --rm busybox sh -c 'echo x >/file && cat /file'")).Succeeds().Prints("x");
        (await Run("run --rm --read-only busybox touch /file")).Exits(1).Complains("Read-only file system");
        (await Run("run --rm --read-only --mount type=tmpfs,dst=/tmp busybox touch /tmp/file /dev/shm/file")).Succeeds();
    }

    [Theory]
    [InlineData("", "00000000a80425fb")]
    [InlineData("--cap-drop all", "0000000000000000")]
    [InlineData("--cap-drop ALL --cap-add NET_RAW", "0000000000002000")]
    [InlineData("--cap-add net_admin", "00000000a80435fb")]
    [InlineData("--cap-drop CAP_MKNOD", "00000000a00425fb")]
    [InlineData("-u 1000", "0000000000000000")]
    public async Task Capabilities_are_docker_s(string options, string effective) =>
        (await Run($"run --rm {options} busybox sh -c 'grep CapEff /proc/self/status | cut -f 2'")).Succeeds().Prints(effective);

    [Fact]
    public async Task System_calls_are_filtered_and_new_privileges_are_refused_when_asked()
    {
        (await Run("run --rm busybox sh -c 'grep -w Seccomp /proc/self/status | cut -f 2; grep NoNewPrivs /proc/self/status | cut -f 2'"))
            .Succeeds().Prints("2\n0");
        (await Run("run --rm --security-opt no-new-privileges busybox sh -c 'grep NoNewPrivs /proc/self/status | cut -f 2'"))
            .Succeeds().Prints("1");
        (await Run("run --rm busybox unshare -m true")).Fails();
        (await Run("run --rm --security-opt seccomp=unconfined busybox sh -c 'grep -w Seccomp /proc/self/status | cut -f 2'"))
            .Succeeds().Prints("0");
    }

    [Fact]
    public async Task Privileged_containers_may_mount_and_see_devices()
    {
        (await Run("run --rm busybox mount -t tmpfs none /tmp")).Fails();
        // runc gives up where the machine itself lacks a capability.
        Assert.SkipWhen(Subject.IsReference && File.ReadAllText("/proc/self/status").Contains("CapBnd:\t000001fffeffffff"), "no privileges to give");
        (await Run("run --rm --privileged busybox sh -c 'mkdir /m && mount -t tmpfs none /m && echo mounted'")).Succeeds().Prints("mounted");
        (await Run("run --rm --privileged busybox sh -c 'test -e /dev/kmsg -o -e /dev/loop-control && echo seen'")).Succeeds().Prints("seen");
        (await Run("run --rm --privileged busybox sh -c 'grep -w Seccomp /proc/self/status | cut -f 2'")).Succeeds().Prints("0");
    }

    [Fact]
    public async Task Proc_and_sys_are_masked()
    {
        (await Run("run --rm busybox sh -c 'echo 1 >/proc/sys/kernel/domainname'")).Fails();
        (await Run("run --rm busybox sh -c 'ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v :$'")).Prints("");
        (await Run("run --rm busybox sh -c 'wc -c </proc/keys'")).Succeeds().Prints("0");
        (await Run($"run --rm busybox mkdir /sys/fs/cgroup/{(Subject.IsCgroup2 ? "x" : "pids/x")}")).Fails();
        (await Run("run --rm busybox sh -c 'touch /sys/kernel/x'")).Fails();
    }

    [Fact]
    public async Task Dev_holds_what_programs_expect_and_nothing_else()
    {
        (await Run("run --rm busybox sh -c 'ls /dev | grep -vx core'")).Succeeds()
            .Prints("fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero");
        (await Run("run --rm busybox sh -c 'echo x >/dev/null; head -c 3 /dev/zero | wc -c; echo y >/dev/stdout; df -m /dev/shm | tail -n 1'"))
            .Succeeds().Shows("3\ny").Shows("64");
        (await Run("run --rm busybox sh -c 'mknod /tmp/sda b 8 0 && cat /tmp/sda'")).Fails();
    }

    [Fact]
    public async Task Names_are_resolved_from_files_of_the_container_s_own()
    {
        await using Container container = await Idle("--hostname boat");
        string address = await Inspect("{{.NetworkSettings.IPAddress}}", container.Name);
        (await Run($"exec {container} cat /etc/hosts")).Succeeds().Shows("127.0.0.1\tlocalhost").Shows($"{address}\tboat");
        (await Run($"exec {container} cat /etc/resolv.conf")).Succeeds();
        (await Run($"exec {container} sh -c 'echo 192.0.2.1 other >>/etc/hosts && grep other /etc/hosts'")).Succeeds();
        (await Run("run --rm --add-host shore:192.0.2.7 busybox grep shore /etc/hosts")).Succeeds().Prints("192.0.2.7\tshore");
    }

    [Fact]
    public async Task Limits_of_a_process_and_umask_are_usual() =>
        (await Run("run --rm busybox sh -c 'umask; ulimit -c >/dev/null && cat /proc/self/oom_score_adj'")).Succeeds().Prints("0022\n0");

    [Fact]
    public async Task No_descriptor_of_the_engine_is_left_open_in_the_container() =>
        (await Run("run --rm busybox ls /proc/self/fd")).Succeeds().Prints("0\n1\n2\n3");

    [Fact]
    public async Task Broken_pipes_end_programs_as_everywhere() =>
        (await Run("run --rm busybox sh -c 'grep SigIgn /proc/self/status | cut -f 2'")).Succeeds().Prints("0000000000000000");
}

/// <summary>The group through Docker's command line.</summary>
[Trait("vm", "yes")]
public sealed class DefaultsWithDockerTests(SharedDaemon shared) : DefaultsTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
[Trait("vm", "yes")]
public sealed class DefaultsWithSampanTests(SharedDaemon shared) : DefaultsTests(shared, CommandLine.Sampan);
