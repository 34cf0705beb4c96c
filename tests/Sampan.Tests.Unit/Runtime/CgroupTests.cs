using System.Buffers.Binary;
using Sampan.Oci;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>Limits as files of either layout, on a directory tree that stands for the kernel's.</summary>
public sealed class CgroupTests : IDisposable
{
    private static readonly Resources Limits = new()
    {
        Memory = new MemoryLimits { Limit = 64 << 20, Swap = 128 << 20, Reservation = 32 << 20 },
        Cpu = new CpuLimits { Shares = 1024, Quota = 150_000, Period = 100_000, Cpus = "0-1" },
        Pids = new PidsLimit(100),
    };

    private readonly string _root = Directory.CreateTempSubdirectory("sampan-cgroup").FullName;

    public void Dispose() => Directory.Delete(_root, true);

    [Fact]
    public void Limits_become_the_files_of_v1() => Assert.Equal(
        [
            ("memory", "memory.limit_in_bytes", "67108864"), ("memory", "memory.memsw.limit_in_bytes", "134217728"),
            ("memory", "memory.soft_limit_in_bytes", "33554432"), ("cpu", "cpu.shares", "1024"), ("cpu", "cpu.cfs_period_us", "100000"),
            ("cpu", "cpu.cfs_quota_us", "150000"), ("cpuset", "cpuset.cpus", "0-1"), ("pids", "pids.max", "100"),
        ],
        CgroupValues.V1(Limits));

    [Fact]
    public void Limits_become_the_files_of_v2_with_swap_counted_alone_and_shares_as_weight() => Assert.Equal(
        [
            ("memory", "memory.max", "67108864"), ("memory", "memory.swap.max", "67108864"), ("memory", "memory.low", "33554432"),
            ("cpu", "cpu.weight", "39"), ("cpu", "cpu.max", "150000 100000"), ("cpuset", "cpuset.cpus", "0-1"), ("pids", "pids.max", "100"),
        ],
        CgroupValues.V2(Limits));

    [Fact]
    public void Minus_one_is_no_limit()
    {
        var none = new Resources { Memory = new MemoryLimits { Limit = -1, Swap = -1 }, Pids = new PidsLimit(-1), Cpu = new CpuLimits { Quota = -1 } };
        Assert.All(CgroupValues.V2(none), v => Assert.StartsWith("max", v.Value));
        Assert.Equal(["-1", "-1", "-1", "max"], CgroupValues.V1(none).Select(v => v.Value));
    }

    [Fact]
    public void A_limit_without_its_controller_is_an_error_that_names_it_and_no_limit_is_none()
    {
        var cgroup = new Cgroup(new CgroupLayout([$"cgroup {MakeHierarchy("pids")} cgroup rw,pids 0 0"], _root), "/sampan/x");
        cgroup.Create(new Resources());
        var error = Assert.Throws<CgroupException>(() => cgroup.Apply(Limits));
        Assert.Contains("\"memory\"", error.Message);
    }

    [Fact]
    public void A_hierarchy_may_hold_several_controllers()
    {
        var layout = new CgroupLayout([$"cgroup {MakeHierarchy("cpu,cpuacct")} cgroup rw,cpu,cpuacct 0 0", $"cgroup2 {_root}/unified cgroup2 rw 0 0"], _root);
        Assert.False(layout.IsV2);
        Assert.Equal(layout.Root("cpu"), layout.Root("cpuacct"));
        Assert.Equal([$"{_root}/cpu,cpuacct"], layout.Roots);
        Assert.Equal([("cpu,cpuacct", "/sys/fs/cgroup/cpu"), ("cpu,cpuacct", "/sys/fs/cgroup/cpuacct")],
            CgroupMounts.Links(new Mount { Destination = "/sys/fs/cgroup", Type = "cgroup" }, layout));
    }

    [Fact]
    public void Controllers_are_passed_down_from_the_root_of_v2()
    {
        File.WriteAllText($"{_root}/cgroup.controllers", "cpu memory pids");
        File.WriteAllText($"{_root}/cgroup.subtree_control", "cpu memory");
        Directory.CreateDirectory($"{_root}/sampan");
        File.WriteAllText($"{_root}/sampan/cgroup.controllers", "");
        File.WriteAllText($"{_root}/sampan/cgroup.subtree_control", "");
        new Cgroup(new CgroupLayout([$"cgroup2 {_root} cgroup2 rw 0 0"], _root), "/sampan/x").Create(null);
        Assert.Equal("+pids", File.ReadAllText($"{_root}/cgroup.subtree_control"));
        Assert.True(Directory.Exists($"{_root}/sampan/x"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/sampan/../init.scope")]
    public void A_path_that_is_not_below_the_root_is_refused(string path) => Assert.Throws<ArgumentException>(() => Cgroup.Open(path));

    [Fact]
    public void Statistics_of_v1_are_read()
    {
        var files = new Dictionary<string, string>
        {
            ["cpuacct.usage"] = "123456789",
            ["cpuacct.stat"] = "user 7\nsystem 5",
            ["cpuacct.usage_percpu"] = "100 200",
            ["cpu.stat"] = "nr_periods 10\nnr_throttled 3\nthrottled_time 4000",
            ["memory.usage_in_bytes"] = "4096",
            ["memory.limit_in_bytes"] = "9223372036854771712",
            ["memory.stat"] = "cache 1\ntotal_inactive_file 2",
            ["pids.current"] = "4",
            ["pids.max"] = "max",
            ["blkio.throttle.io_service_bytes_recursive"] = "8:0 Read 4096\n8:0 Write 8192\nTotal 12288",
        };
        var stats = new CgroupStatsReader((_, f) => files.GetValueOrDefault(f)).V1();
        Assert.Equal((123456789UL, 70_000_000UL, 50_000_000UL), (stats.CpuUsage, stats.CpuUser, stats.CpuSystem));
        Assert.Equal([100UL, 200UL], stats.CpuUsagePerCpu);
        Assert.Equal((ulong.MaxValue, ulong.MaxValue, 2UL), (stats.MemoryLimit, stats.PidsLimit, stats.Memory["total_inactive_file"]));
        Assert.Equal([new BlockIoEntry(8, 0, "Read", 4096), new BlockIoEntry(8, 0, "Write", 8192)], stats.IoBytes);
        Assert.Equal(3UL, stats.ThrottledPeriods);
    }

    [Fact]
    public void Statistics_of_v2_are_read()
    {
        var files = new Dictionary<string, string>
        {
            ["cpu.stat"] = "usage_usec 1000\nuser_usec 600\nsystem_usec 400\nnr_periods 1\nnr_throttled 1\nthrottled_usec 5",
            ["memory.current"] = "8192",
            ["memory.max"] = "16384",
            ["memory.events"] = "low 0\nmax 2\noom_kill 1",
            ["pids.current"] = "1",
            ["pids.max"] = "50",
            ["io.stat"] = "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:0",
        };
        var stats = new CgroupStatsReader((_, f) => files.GetValueOrDefault(f)).V2();
        Assert.Equal((1_000_000UL, 600_000UL, 5_000UL), (stats.CpuUsage, stats.CpuUser, stats.ThrottledTime));
        Assert.Equal((8192UL, 16384UL, 2UL, 50UL), (stats.MemoryUsage, stats.MemoryLimit, stats.MemoryFailures, stats.PidsLimit));
        Assert.Equal([new BlockIoEntry(8, 16, "Read", 3), new BlockIoEntry(8, 16, "Write", 4), new BlockIoEntry(8, 16, "Discard", 6)], stats.IoOperations);
    }

    [Theory]
    [InlineData('c', 1, 3, "rw", true)] // null
    [InlineData('c', 136, 7, "rw", true)] // a terminal
    [InlineData('c', 10, 229, "m", true)] // making a node gives no access
    [InlineData('c', 10, 229, "r", false)]
    [InlineData('b', 8, 0, "r", false)]
    [InlineData('b', 8, 0, "m", true)]
    [InlineData('b', 1, 3, "rw", false)] // the numbers of null, but a block device
    [InlineData('c', 7, 7, "r", true)] // the container's own rule
    [InlineData('c', 7, 7, "rw", false)]
    public void The_device_program_decides_as_the_rules_of_v1_do(char type, int major, int minor, string access, bool allowed)
    {
        var resources = DeviceRules.WithEssentials(new Resources { Devices = [.. DockerDefaults.DeviceRules, new DeviceRule(true, "c", 7, 7, "r")] })!;
        Assert.Equal(allowed, RunDeviceProgram(DeviceProgram.Compile(resources.Devices!), type, major, minor, access));
    }

    [Fact]
    public void A_privileged_container_may_use_every_device()
    {
        var resources = DeviceRules.WithEssentials(new Resources { Devices = DockerDefaults.PrivilegedDeviceRules })!;
        Assert.True(RunDeviceProgram(DeviceProgram.Compile(resources.Devices!), 'b', 8, 0, "rw"));
    }

    [Fact]
    public void The_device_program_has_nothing_behind_a_rule_that_always_matches()
    {
        // The verifier refuses what cannot be reached.
        var all = DeviceProgram.Compile(DockerDefaults.PrivilegedDeviceRules);
        Assert.Equal(all.Length, DeviceProgram.Compile([new DeviceRule(false, "c", 1, 3, "rw"), .. DockerDefaults.PrivilegedDeviceRules]).Length);
        Assert.Equal(1, all.Count(i => (byte)i == 0x95));
    }

    /// <summary>The few eBPF instructions that the compiler uses, on a struct bpf_cgroup_dev_ctx.</summary>
    private static bool RunDeviceProgram(ulong[] program, char type, int major, int minor, string access)
    {
        var context = new byte[12];
        var wanted = (access.Contains('m') ? 1 : 0) | (access.Contains('r') ? 2 : 0) | (access.Contains('w') ? 4 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(context, wanted << 16 | (type == 'b' ? 1 : 2));
        BinaryPrimitives.WriteInt32LittleEndian(context.AsSpan(4), major);
        BinaryPrimitives.WriteInt32LittleEndian(context.AsSpan(8), minor);
        var r = new uint[11];
        for (var pc = 0; ; pc++)
        {
            var i = program[pc];
            var (code, dst, src, offset, imm) = ((byte)i, (int)(i >> 8 & 15), (int)(i >> 12 & 15), (short)(i >> 16), (uint)(i >> 32));
            switch (code)
            {
                case 0x61: r[dst] = BinaryPrimitives.ReadUInt32LittleEndian(context.AsSpan(offset)); break;
                case 0x54: r[dst] &= imm; break;
                case 0x74: r[dst] >>= (int)imm; break;
                case 0xbc: r[dst] = r[src]; break;
                case 0xb4: r[dst] = imm; break;
                case 0x56: pc += r[dst] != imm ? offset : 0; break;
                case 0x5e: pc += r[dst] != r[src] ? offset : 0; break;
                case 0x95: return r[0] == 1;
                default: throw new InvalidOperationException($"instruction {pc}: 0x{code:x}");
            }
        }
    }

    private string MakeHierarchy(string name) => Directory.CreateDirectory(Path.Combine(_root, name)).FullName;
}
