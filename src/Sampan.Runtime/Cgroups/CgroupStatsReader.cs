using System.Globalization;

namespace Sampan.Runtime;

/// <summary>Reads the accounting files of either layout; a file that is not there counts as empty.</summary>
/// <param name="read">The text of a controller's file, or null.</param>
internal sealed class CgroupStatsReader(Func<string, string, string?> read)
{
    private const ulong NanosecondsPerTick = 10_000_000; // USER_HZ is 100 on every Linux (time(7))

    /// <summary>A v1 memory limit from here on means none: the kernel rounds the largest number down to a page.</summary>
    private const ulong V1Unlimited = 0x7fff_ffff_ffff_0000;

    public CgroupStats V1()
    {
        var ticks = Table("cpuacct", "cpuacct.stat");
        var cpu = Table("cpu", "cpu.stat");
        var limit = Number("memory", "memory.limit_in_bytes");
        return new CgroupStats
        {
            CpuUsage = Number("cpuacct", "cpuacct.usage"),
            CpuUser = ticks.GetValueOrDefault("user") * NanosecondsPerTick,
            CpuSystem = ticks.GetValueOrDefault("system") * NanosecondsPerTick,
            CpuUsagePerCpu = [.. Words(read("cpuacct", "cpuacct.usage_percpu")).Select(Parse)],
            ThrottlingPeriods = cpu.GetValueOrDefault("nr_periods"),
            ThrottledPeriods = cpu.GetValueOrDefault("nr_throttled"),
            ThrottledTime = cpu.GetValueOrDefault("throttled_time"),
            MemoryUsage = Number("memory", "memory.usage_in_bytes"),
            MemoryMaxUsage = Number("memory", "memory.max_usage_in_bytes"),
            MemoryLimit = limit is 0 or >= V1Unlimited ? ulong.MaxValue : limit,
            MemoryFailures = Number("memory", "memory.failcnt"),
            Memory = Table("memory", "memory.stat"),
            Pids = Number("pids", "pids.current"),
            PidsLimit = Limit("pids", "pids.max"),
            IoBytes = BlkioV1(read("blkio", "blkio.throttle.io_service_bytes_recursive") ?? read("blkio", "blkio.throttle.io_service_bytes")),
            IoOperations = BlkioV1(read("blkio", "blkio.throttle.io_serviced_recursive") ?? read("blkio", "blkio.throttle.io_serviced")),
        };
    }

    public CgroupStats V2()
    {
        var cpu = Table("cpu", "cpu.stat");
        return new CgroupStats
        {
            CpuUsage = cpu.GetValueOrDefault("usage_usec") * 1000,
            CpuUser = cpu.GetValueOrDefault("user_usec") * 1000,
            CpuSystem = cpu.GetValueOrDefault("system_usec") * 1000,
            ThrottlingPeriods = cpu.GetValueOrDefault("nr_periods"),
            ThrottledPeriods = cpu.GetValueOrDefault("nr_throttled"),
            ThrottledTime = cpu.GetValueOrDefault("throttled_usec") * 1000,
            MemoryUsage = Number("memory", "memory.current"),
            MemoryMaxUsage = Number("memory", "memory.peak"),
            MemoryLimit = Limit("memory", "memory.max"),
            MemoryFailures = Table("memory", "memory.events").GetValueOrDefault("max"),
            Memory = Table("memory", "memory.stat"),
            Pids = Number("pids", "pids.current"),
            PidsLimit = Limit("pids", "pids.max"),
            IoBytes = IoV2("rbytes", "wbytes", "dbytes"),
            IoOperations = IoV2("rios", "wios", "dios"),
        };
    }

    /// <summary>Lines of "8:0 Read 4096"; the sum over all devices, "Total 4096", is left out.</summary>
    private static List<BlockIoEntry> BlkioV1(string? text)
    {
        var entries = new List<BlockIoEntry>();
        foreach (var line in (text ?? "").Split('\n'))
        {
            if (line.Split(' ') is [var device, var operation, var value] && Device(device) is var (major, minor))
            {
                entries.Add(new BlockIoEntry(major, minor, operation, Parse(value)));
            }
        }

        return entries;
    }

    /// <summary>Lines of "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6".</summary>
    private List<BlockIoEntry> IoV2(string readKey, string writeKey, string discardKey)
    {
        var entries = new List<BlockIoEntry>();
        foreach (var line in (read("io", "io.stat") ?? "").Split('\n'))
        {
            var words = line.Split(' ');
            if (Device(words[0]) is not var (major, minor))
            {
                continue;
            }

            foreach (var pair in words.Skip(1).Select(w => w.Split('=')).Where(p => p.Length == 2))
            {
                var operation = pair[0] == readKey ? "Read" : pair[0] == writeKey ? "Write" : pair[0] == discardKey ? "Discard" : null;
                if (operation is not null)
                {
                    entries.Add(new BlockIoEntry(major, minor, operation, Parse(pair[1])));
                }
            }
        }

        return entries;
    }

    private static (ulong, ulong)? Device(string text)
    {
        var colon = text.IndexOf(':');
        return colon > 0 ? (Parse(text[..colon]), Parse(text[(colon + 1)..])) : null;
    }

    private ulong Number(string controller, string file) => Parse(read(controller, file));

    private ulong Limit(string controller, string file) => read(controller, file) is { } text && text != "max" ? Parse(text) : ulong.MaxValue;

    private Dictionary<string, ulong> Table(string controller, string file)
    {
        var table = new Dictionary<string, ulong>();
        foreach (var line in (read(controller, file) ?? "").Split('\n'))
        {
            var space = line.IndexOf(' ');
            if (space > 0)
            {
                table[line[..space]] = Parse(line[(space + 1)..]);
            }
        }

        return table;
    }

    private static string[] Words(string? text) => (text ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static ulong Parse(string? text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
