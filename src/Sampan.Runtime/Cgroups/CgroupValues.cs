using System.Globalization;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>The spec's limits as the files of either layout: controller, file, value, in the order in which the kernel accepts them.</summary>
public static class CgroupValues
{
    public static IEnumerable<(string Controller, string File, string Value)> V1(Resources r)
    {
        if (r.Memory is { } m)
        {
            if (m.Limit is { } limit and not 0)
            {
                yield return ("memory", "memory.limit_in_bytes", Text(limit));
            }

            if (m.Swap is { } swap and not 0)
            {
                yield return ("memory", "memory.memsw.limit_in_bytes", Text(swap));
            }

            if (m.Reservation is { } reservation and not 0)
            {
                yield return ("memory", "memory.soft_limit_in_bytes", Text(reservation));
            }

            if (m.Swappiness is { } swappiness)
            {
                yield return ("memory", "memory.swappiness", Text((long)swappiness));
            }

            if (m.DisableOOMKiller == true)
            {
                yield return ("memory", "memory.oom_control", "1");
            }

            if (m.KernelTcp is { } tcp and not 0)
            {
                yield return ("memory", "memory.kmem.tcp.limit_in_bytes", Text(tcp));
            }
        }

        foreach (var value in CpuV1(r.Cpu))
        {
            yield return value;
        }

        if (r.Pids is { Limit: not 0 } pids)
        {
            yield return ("pids", "pids.max", Max(pids.Limit));
        }

        foreach (var value in BlkioV1(r.BlockIo))
        {
            yield return value;
        }

        foreach (var huge in r.HugepageLimits ?? [])
        {
            yield return ("hugetlb", $"hugetlb.{huge.PageSize}.limit_in_bytes", huge.Limit.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static IEnumerable<(string, string, string)> BlkioV1(BlockIo? io)
    {
        // The scheduler that keeps to weights is bfq since Linux 5.0; its files have their own names.
        var bfq = CgroupLayout.Current.Root("blkio") is not { } root || !File.Exists(Path.Combine(root, "blkio.weight"));
        var weights = bfq ? "blkio.bfq.weight" : "blkio.weight";
        if (io?.Weight is { } weight and not 0)
        {
            yield return ("blkio", weights, Text(weight));
        }

        foreach (var device in io?.WeightDevice ?? [])
        {
            yield return ("blkio", weights + "_device", $"{device.Major}:{device.Minor} {device.Weight ?? 0}");
        }

        foreach (var (file, limits) in Throttles(io))
        {
            foreach (var limit in limits)
            {
                yield return ("blkio", $"blkio.throttle.{file.V1}_device", $"{limit.Major}:{limit.Minor} {limit.Rate}");
            }
        }
    }

    private static IEnumerable<((string V1, string V2) File, List<BlockIoThrottle> Limits)> Throttles(BlockIo? io) =>
    [
        (("read_bps", "rbps"), io?.ThrottleReadBpsDevice ?? []), (("write_bps", "wbps"), io?.ThrottleWriteBpsDevice ?? []),
        (("read_iops", "riops"), io?.ThrottleReadIopsDevice ?? []), (("write_iops", "wiops"), io?.ThrottleWriteIopsDevice ?? []),
    ];

    private static IEnumerable<(string, string, string)> CpuV1(CpuLimits? cpu)
    {
        if (cpu?.Shares is { } shares and not 0)
        {
            yield return ("cpu", "cpu.shares", Text((long)shares));
        }

        if (cpu?.Period is { } period and not 0)
        {
            yield return ("cpu", "cpu.cfs_period_us", Text((long)period));
        }

        if (cpu?.Quota is { } quota and not 0)
        {
            yield return ("cpu", "cpu.cfs_quota_us", Text(quota));
        }

        if (cpu?.Burst is { } burst)
        {
            yield return ("cpu", "cpu.cfs_burst_us", Text((long)burst));
        }

        if (cpu?.RealtimePeriod is { } realtimePeriod and not 0)
        {
            yield return ("cpu", "cpu.rt_period_us", Text((long)realtimePeriod));
        }

        if (cpu?.RealtimeRuntime is { } realtimeRuntime and not 0)
        {
            yield return ("cpu", "cpu.rt_runtime_us", Text(realtimeRuntime));
        }

        if (cpu?.Idle is { } idle)
        {
            yield return ("cpu", "cpu.idle", Text(idle));
        }

        if (cpu?.Cpus is { Length: > 0 } cpus)
        {
            yield return ("cpuset", "cpuset.cpus", cpus);
        }

        if (cpu?.Mems is { Length: > 0 } mems)
        {
            yield return ("cpuset", "cpuset.mems", mems);
        }
    }

    public static IEnumerable<(string Controller, string File, string Value)> V2(Resources r) =>
        [.. MemoryV2(r.Memory), .. CpuV2(r.Cpu), .. RestV2(r), .. (r.Unified ?? []).Select(u => (u.Key[..Math.Max(0, u.Key.IndexOf('.'))], u.Key, u.Value))];

    private static IEnumerable<(string, string, string)> MemoryV2(MemoryLimits? memory)
    {
        if (memory?.Limit is { } limit and not 0)
        {
            yield return ("memory", "memory.max", Max(limit));
        }

        // The spec counts memory and swap together, the kernel swap alone.
        if (memory?.Swap is { } swap and not 0)
        {
            yield return ("memory", "memory.swap.max", swap < 0 ? "max" : Text(Math.Max(0, swap - Math.Max(0, memory.Limit ?? 0))));
        }

        if (memory?.Reservation is { } reservation and not 0)
        {
            yield return ("memory", "memory.low", Max(reservation));
        }
    }

    private static IEnumerable<(string, string, string)> CpuV2(CpuLimits? cpu)
    {
        if (cpu?.Shares is { } shares and not 0)
        {
            yield return ("cpu", "cpu.weight", Text(Weight((long)shares)));
        }

        if (cpu?.Quota is not null and not 0 || cpu?.Period is not null and not 0)
        {
            yield return ("cpu", "cpu.max", $"{Max(cpu!.Quota is { } q and not 0 ? q : -1)} {Text((long)(cpu.Period is { } p and not 0 ? p : 100_000))}");
        }

        if (cpu?.Burst is { } burst)
        {
            yield return ("cpu", "cpu.max.burst", Text((long)burst));
        }

        if (cpu?.Idle is { } idle)
        {
            yield return ("cpu", "cpu.idle", Text(idle));
        }

        if (cpu?.Cpus is { Length: > 0 } cpus)
        {
            yield return ("cpuset", "cpuset.cpus", cpus);
        }

        if (cpu?.Mems is { Length: > 0 } mems)
        {
            yield return ("cpuset", "cpuset.mems", mems);
        }
    }

    private static IEnumerable<(string, string, string)> RestV2(Resources r)
    {
        if (r.Pids is { Limit: not 0 } pids)
        {
            yield return ("pids", "pids.max", Max(pids.Limit));
        }

        if (r.BlockIo?.Weight is { } weight and not 0)
        {
            yield return ("io", "io.weight", $"default {Text(IoWeight(weight))}");
        }

        foreach (var device in r.BlockIo?.WeightDevice ?? [])
        {
            yield return ("io", "io.weight", $"{device.Major}:{device.Minor} {Text(IoWeight(device.Weight ?? 500))}");
        }

        foreach (var (file, limits) in Throttles(r.BlockIo))
        {
            foreach (var limit in limits)
            {
                yield return ("io", "io.max", $"{limit.Major}:{limit.Minor} {file.V2}={limit.Rate}");
            }
        }

        foreach (var huge in r.HugepageLimits ?? [])
        {
            yield return ("hugetlb", $"hugetlb.{huge.PageSize}.max", huge.Limit.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Weights 10..1000 onto 1..10000, as the OCI runtimes agreed.</summary>
    private static long IoWeight(long weight) => 1 + (weight - 10) * 9999 / 990;

    /// <summary>Shares 2..262144 onto weight 1..10000, as the OCI runtimes agreed.</summary>
    private static long Weight(long shares) => 1 + (Math.Clamp(shares, 2, 262144) - 2) * 9999 / 262142;

    private static string Max(long value) => value < 0 ? "max" : Text(value);

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
