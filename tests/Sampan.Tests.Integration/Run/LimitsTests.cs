using System.Globalization;
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

    [Theory]
    [InlineData("/{0}/deep")]
    [InlineData("{0}/deep/")]
    public async Task A_container_s_group_is_made_in_the_parent_it_asks_for(string written)
    {
        string parent = NewName();
        try
        {
            await using Container container = await Idle($"--cgroup-parent {string.Format(CultureInfo.InvariantCulture, written, parent)} --memory 32m");
            Assert.Equal(string.Format(CultureInfo.InvariantCulture, written, parent), await Inspect("{{.HostConfig.CgroupParent}}", container.Name));
            string id = await Inspect("{{.Id}}", container.Name);
            string top = Path.GetDirectoryName(File1Or2("memory/memory", "memory"))!, group = $"{top}/{parent}/deep/{id}";
            Assert.Equal($"{32 << 20}\n", File.ReadAllText($"{group}/memory.{(Subject.IsCgroup2 ? "max" : "limit_in_bytes")}"));
            Assert.Single(File.ReadAllLines($"{group}/cgroup.procs"));
            (await Run($"stats --no-stream --format {{{{.MemUsage}}}} {container}")).Succeeds().Shows("/ 32MiB");
            (await Run($"update --memory 64m --memory-swap 128m {container}")).Succeeds();
            Assert.Equal($"{64 << 20}\n", File.ReadAllText($"{group}/memory.{(Subject.IsCgroup2 ? "max" : "limit_in_bytes")}"));
            (await Run($"pause {container}")).Succeeds();
            (await Run($"unpause {container}")).Succeeds();
            Assert.All(Cgroups.Of(id), path => Assert.Contains($"/{parent}/deep/", path));
            (await Run($"rm -f {container}")).Succeeds();
            Assert.Empty(Cgroups.Of(id));
        }
        finally
        {
            foreach (string left in Cgroups.Of(parent))
                Cgroups.Remove(left);
        }
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
