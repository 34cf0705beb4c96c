using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>What containers share with each other and with the host: volumes, pid and ipc namespaces, /dev/shm.</summary>
public abstract class SharingTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task Volumes_come_from_other_containers()
    {
        string volume = NewName();
        await using Container donor = await Idle($"-v {volume}:/named -v /anonymous -v {Daemon.Folder}:/bound:ro --tmpfs /memory");
        (await Run($"exec {donor} sh -c 'echo n >/named/f; echo a >/anonymous/f; echo m >/memory/f'")).Succeeds();
        (await Run($"run --rm --volumes-from {donor} busybox sh -c 'cat /named/f /anonymous/f; ls /memory 2>&1; touch /bound/x 2>&1; echo w >/named/f'"))
            .Succeeds().Shows("n\na\n").Shows("/memory: No such file").Shows("/bound/x: Read-only");
        (await Run($"run --rm --volumes-from {donor}:ro busybox sh -c 'cat /named/f; touch /named/x'")).Fails().Shows("w").Complains("Read-only");

        // What the container itself asks for comes first.
        (await Run($"run --rm --volumes-from {donor} --tmpfs /named busybox ls /named")).Succeeds().Prints("");
        (await Run($"run --rm --volumes-from {donor}:wo busybox true")).Exits(125).Complains("invalid mode");
        (await Run($"run --rm --volumes-from nobody-{volume} busybox true")).Exits(125).Complains($"No such container: nobody-{volume}");

        // The last one that has an anonymous volume takes it along, and no other.
        await using Container second = await Idle($"--volumes-from {donor}");
        string anonymous = await Inspect("{{range .Mounts}}{{if eq .Destination \"/anonymous\"}}{{.Name}}{{end}}{{end}}", second.Name);
        (await Run($"rm -f -v {donor}")).Succeeds();
        (await Run($"exec {second} cat /anonymous/f")).Succeeds().Prints("a");
        (await Run($"rm -f -v {second}")).Succeeds();
        (await Run($"volume inspect {anonymous}")).Fails();
        (await Run($"volume rm {volume}")).Succeeds();
    }

    [Fact]
    public async Task A_container_sees_the_processes_of_another()
    {
        await using Container other = await Idle("", "sleep 4321");
        (await Run($"run --rm --pid container:{other} busybox sh -c 'ps | grep [s]leep.4321 && cat /proc/1/cmdline'")).Succeeds().Shows("sleep");
        (await Run($"run --rm --pid container:{other} busybox sh -c 'exit 5'")).Exits(5);
        Assert.Equal("true", await Inspect("{{.State.Running}}", other.Name));

        // Its own processes end with it, though it is not the first in its namespace.
        (await Run($"run --rm --pid container:{other} busybox sh -c 'sleep 9876 & exit 0'")).Succeeds();
        (await Run($"exec {other} sh -c 'ps | grep [s]leep.9876'")).Fails();
        (await Run($"stop -t 0 {other}")).Succeeds();
        (await Run($"run --rm --pid container:{other} busybox true")).Exits(125).Complains("is not running");
        (await Run("run --rm --pid banana busybox true")).Exits(125).Complains("PID mode");
    }

    [Fact]
    public async Task The_host_s_processes_are_seen_when_asked_for() =>
        (await Run("run --rm --pid host busybox sh -c 'test $$ -ne 1 && test -d /proc/1'")).Succeeds();

    [Fact]
    public async Task Shared_memory_is_shared_with_those_who_may()
    {
        await using Container donor = await Idle("--ipc shareable --shm-size 5m"), own = await Idle("--ipc private");
        (await Run($"exec {donor} sh -c 'echo shared >/dev/shm/f'")).Succeeds();
        (await Run($"run --rm --ipc container:{donor} busybox sh -c 'cat /dev/shm/f; df -m /dev/shm | tail -n 1 | tr -s \" \" | cut -d \" \" -f 2'")).Succeeds().Prints("shared\n5");
        Assert.Equal((await Run($"exec {donor} readlink /proc/self/ns/ipc")).Output, (await Run($"run --rm --ipc container:{donor} busybox readlink /proc/self/ns/ipc")).Output);
        (await Run("run --rm busybox ls /dev/shm")).Succeeds().Prints("");
        (await Run($"run --rm --ipc container:{own} busybox true")).Exits(125).Complains("non-shareable IPC");
        (await Run("run --rm --ipc none busybox ls -d /dev/shm")).Fails();
        (await Run("run --rm --ipc banana busybox true")).Exits(125).Complains("IPC mode");
        (await Run($"restart -t 0 {donor}")).Succeeds();
        (await Run($"exec {donor} ls /dev/shm")).Succeeds().Prints("");
        (await Run($"rm -f {donor}")).Succeeds();
        Assert.DoesNotContain("/shm tmpfs", (await Daemon.Machine.ShellAsync("cat /proc/mounts")).Succeeds().Lines.Where(l => l.Contains($"{Daemon.Folder}/exec", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_host_s_shared_memory_comes_with_the_host_s_ipc()
    {
        string name = NewName();
        (await Run($"run --rm --ipc host busybox sh -c 'echo here >/dev/shm/{name}'")).Succeeds();
        (await Daemon.Machine.ShellAsync($"cat /dev/shm/{name} && rm /dev/shm/{name}")).Succeeds().Prints("here");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class SharingWithDockerTests(SharedDaemon shared) : SharingTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class SharingWithSampanTests(SharedDaemon shared) : SharingTests(shared, CommandLine.Sampan);
