using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>Limits on memory, processor time and processes, on cgroup v1 and v2.</summary>
public abstract class LimitsTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private static string File1Or2(string version1, string version2) =>
        $"/sys/fs/cgroup/{(Subject.IsCgroup2 ? version2 : version1)}";

    [Fact]
    public async Task Memory_is_limited() =>
        (await Run($"run --rm --memory 32m busybox cat {File1Or2("memory/memory.limit_in_bytes", "memory.max")}"))
            .Succeeds().Prints($"{32 << 20}");

    [Fact]
    public async Task A_container_out_of_memory_is_killed_and_says_so()
    {
        await using Container container = Cleaned(NewName());
        (await Run($"run --name {container} --memory 16m --memory-swap 16m busybox dd if=/dev/zero of=/dev/null bs=100M count=1")).Exits(137);
        Assert.Equal("true 137", await Inspect("{{.State.OOMKilled}} {{.State.ExitCode}}", container.Name));
    }

    [Fact]
    public async Task Processor_time_is_limited()
    {
        string expected = Subject.IsCgroup2 ? "50000 100000" : "50000";
        (await Run($"run --rm --cpus 0.5 busybox cat {File1Or2("cpu/cpu.cfs_quota_us", "cpu.max")}")).Succeeds().Prints(expected);
    }

    [Fact]
    public async Task Processes_are_limited()
    {
        (await Run($"run --rm --pids-limit 20 busybox cat {File1Or2("pids/pids.max", "pids.max")}")).Succeeds().Prints("20");
        (await Run("run --rm --pids-limit 6 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; wait'")).Complains("fork");
    }

    [Fact]
    public async Task Limits_are_told_by_inspect()
    {
        await using Container container = await Idle("--memory 64m --cpus 1.5 --pids-limit 50");
        Assert.Equal($"{64 << 20} 1500000000 50",
            await Inspect("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}", container.Name));
    }

    [Fact]
    public async Task Containers_do_not_share_limits()
    {
        await using Container small = await Idle("--memory 32m");
        await using Container large = await Idle("--memory 64m");
        string file = File1Or2("memory/memory.limit_in_bytes", "memory.max");
        (await Run($"exec {small} cat {file}")).Succeeds().Prints($"{32 << 20}");
        (await Run($"exec {large} cat {file}")).Succeeds().Prints($"{64 << 20}");
    }
}

/// <summary>The group through Docker's command line.</summary>
[Trait("vm", "yes")]
public sealed class LimitsWithDockerTests(SharedDaemon shared) : LimitsTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
[Trait("vm", "yes")]
public sealed class LimitsWithSampanTests(SharedDaemon shared) : LimitsTests(shared, CommandLine.Sampan);
