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
        }

        foreach (var value in CpuV1(r.Cpu))
        {
            yield return value;
        }

        if (r.Pids is { Limit: not 0 } pids)
        {
            yield return ("pids", "pids.max", Max(pids.Limit));
        }

        if (r.BlockIo?.Weight is { } weight and not 0)
        {
            yield return ("blkio", CgroupLayout.Current.Root("blkio") is { } root && File.Exists(Path.Combine(root, "blkio.weight")) ? "blkio.weight" : "blkio.bfq.weight", Text(weight));
        }
    }

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

        if (cpu?.Cpus is { Length: > 0 } cpus)
        {
            yield return ("cpuset", "cpuset.cpus", cpus);
        }

        if (cpu?.Mems is { Length: > 0 } mems)
        {
            yield return ("cpuset", "cpuset.mems", mems);
        }
    }

    public static IEnumerable<(string Controller, string File, string Value)> V2(Resources r)
    {
        if (r.Memory is { } m)
        {
            if (m.Limit is { } limit and not 0)
            {
                yield return ("memory", "memory.max", Max(limit));
            }

            if (m.Swap is { } swap and not 0)
            {
                // The spec counts memory and swap together, the kernel swap alone.
                yield return ("memory", "memory.swap.max", swap < 0 ? "max" : Text(swap - Math.Max(0, m.Limit ?? 0)));
            }

            if (m.Reservation is { } reservation and not 0)
            {
                yield return ("memory", "memory.low", Text(reservation));
            }
        }

        if (r.Cpu is { } cpu)
        {
            if (cpu.Shares is { } shares and not 0)
            {
                yield return ("cpu", "cpu.weight", Text(Weight((long)shares)));
            }

            if (cpu.Quota is { } quota and not 0)
            {
                yield return ("cpu", "cpu.max", $"{Max(quota)} {Text((long)(cpu.Period is { } p and not 0 ? p : 100_000))}");
            }

            if (cpu.Cpus is { Length: > 0 } cpus)
            {
                yield return ("cpuset", "cpuset.cpus", cpus);
            }

            if (cpu.Mems is { Length: > 0 } mems)
            {
                yield return ("cpuset", "cpuset.mems", mems);
            }
        }

        if (r.Pids is { Limit: not 0 } pids)
        {
            yield return ("pids", "pids.max", Max(pids.Limit));
        }

        if (r.BlockIo?.Weight is { } weight and not 0)
        {
            yield return ("io", "io.weight", $"default {Text(1 + (weight - 10) * 9999L / 990)}");
        }
    }

    /// <summary>Shares 2..262144 onto weight 1..10000, as the OCI runtimes agreed.</summary>
    private static long Weight(long shares) => 1 + (Math.Clamp(shares, 2, 262144) - 2) * 9999 / 262142;

    private static string Max(long value) => value < 0 ? "max" : Text(value);

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
