using System.Globalization;
using System.Runtime.CompilerServices;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>What containers use, changing their limits, and what everything takes on the disk.</summary>
public sealed partial class EngineService
{
    private static readonly TimeSpan StatsInterval = TimeSpan.FromSeconds(1);

    public Task<IAsyncEnumerable<ContainerStats>> StatsAsync(string name, bool stream, bool oneShot, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        return Task.FromResult(SamplesAsync(container, stream, oneShot, cancel));
    }

    public Task<ContainerUpdateResponse> UpdateAsync(string name, ContainerUpdateRequest request, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        return GatedAsync(container, cancel, () =>
        {
            var host = container.Record.HostConfig;
            if (request.RestartPolicy is { } policy)
            {
                ValidateRestartPolicy(policy);
                if (host.AutoRemove && policy.Name is not ("" or "no"))
                {
                    throw EngineException.Invalid("Restart policy cannot be updated because AutoRemove is enabled for the container");
                }
            }

            Set(request.CpuShares, v => host.CpuShares = v);
            Set(request.Memory, v => host.Memory = v);
            Set(request.MemorySwap, v => host.MemorySwap = v);
            Set(request.MemoryReservation, v => host.MemoryReservation = v);
            Set(request.NanoCpus, v => host.NanoCpus = v);
            Set(request.CpuPeriod, v => host.CpuPeriod = v);
            Set(request.CpuQuota, v => host.CpuQuota = v);
            Set(request.BlkioWeight, v => host.BlkioWeight = (int)v);
            Set(request.PidsLimit ?? 0, v => host.PidsLimit = v);
            host.CpusetCpus = request.CpusetCpus.Length > 0 ? request.CpusetCpus : host.CpusetCpus;
            host.CpusetMems = request.CpusetMems.Length > 0 ? request.CpusetMems : host.CpusetMems;
            host.RestartPolicy = request.RestartPolicy ?? host.RestartPolicy;
            if (container.Record.IsRunning)
            {
                Cgroup.Open(CgroupPath(container.Record)).Apply(SpecBuilder.Resources(host) with { Devices = null });
            }

            _containers.Save(container);
            Publish(container, "update");
            return Task.FromResult(new ContainerUpdateResponse());
        });

        static void Set(long value, Action<long> set)
        {
            if (value != 0)
            {
                set(value);
            }
        }
    }

    public async Task<DiskUsage> DiskUsageAsync(DiskUsageOptions options, CancellationToken cancel)
    {
        var images = await ListImagesAsync(true, [], sharedSize: true, false, cancel);
        var used = _containers.List().Select(c => c.Record.ImageId).ToHashSet();
        foreach (var image in images)
        {
            image.Containers = _containers.List().Count(c => c.Record.ImageId == image.Id);
        }

        var containers = await ListAsync(true, 0, true, [], cancel);
        var volumes = _volumes.List().Select(v =>
        {
            var volume = _volumes.Describe(v);
            volume.UsageData = new VolumeUsageData { RefCount = _volumes.Users(v.Name).Count, Size = DirectorySize.Of(_volumes.DataPath(v.Name)) };
            return volume;
        }).ToList();
        var cache = CacheRecords().Select(record => record.Describe()).ToList();

        // Layers are shared, and what they take is what the disk has: many small files take more than their sizes.
        var layers = options.Images ? _store.Layers.DiskUsage() : 0;
        return new DiskUsage
        {
            ImageUsage = options.Images ? new DiskUsageOf<ImageSummary> { Items = images, TotalCount = images.Count, ActiveCount = images.Count(i => used.Contains(i.Id)), TotalSize = layers, Reclaimable = layers - images.Where(i => used.Contains(i.Id)).Sum(i => i.Size - i.SharedSize) } : null,
            ContainerUsage = options.Containers ? new DiskUsageOf<ContainerSummary> { Items = containers, TotalCount = containers.Count, ActiveCount = containers.Count(c => c.State == "running"), TotalSize = containers.Sum(c => c.SizeRw), Reclaimable = containers.Where(c => c.State != "running").Sum(c => c.SizeRw) } : null,
            VolumeUsage = options.Volumes ? new DiskUsageOf<Volume> { Items = volumes, TotalCount = volumes.Count, ActiveCount = volumes.Count(v => v.UsageData!.RefCount > 0), TotalSize = volumes.Sum(v => v.UsageData!.Size), Reclaimable = volumes.Where(v => v.UsageData!.RefCount == 0).Sum(v => v.UsageData!.Size) } : null,
            BuildCacheUsage = options.BuildCache ? new DiskUsageOf<Api.BuildCache> { Items = cache, TotalCount = cache.Count, TotalSize = cache.Where(c => !c.Shared).Sum(c => c.Size), ActiveCount = cache.Count(c => c.InUse), Reclaimable = cache.Where(c => c is { Shared: false, InUse: false }).Sum(c => c.Size) } : null,
        };
    }

    private async IAsyncEnumerable<ContainerStats> SamplesAsync(Container container, bool stream, bool oneShot, [EnumeratorCancellation] CancellationToken cancel)
    {
        var before = new ContainerStats();
        if (!oneShot && !stream && container.Record.IsRunning)
        {
            before = Sample(container, before);
            await Task.Delay(StatsInterval, cancel);
        }

        while (true)
        {
            var now = Sample(container, before);
            yield return now;
            if (!stream || _containers.Find(container.Id) is null)
            {
                yield break;
            }

            before = now;
            await Task.Delay(StatsInterval, cancel);
        }
    }

    private ContainerStats Sample(Container container, ContainerStats before)
    {
        var sample = new ContainerStats { Id = container.Id, Name = "/" + container.Record.Name, Preread = before.Read, PreCPUStats = before.CPUStats };
        if (!container.Record.IsRunning)
        {
            return sample;
        }

        var stats = Cgroup.Open(CgroupPath(container.Record)).Stats();
        sample.Read = GoTime.Format(_time.GetUtcNow());
        sample.PidsStats = new PidsStats { Current = stats.Pids, Limit = stats.PidsLimit == ulong.MaxValue ? 0 : stats.PidsLimit };
        sample.CPUStats = new CPUStats
        {
            CPUUsage = new CPUUsage { TotalUsage = stats.CpuUsage, UsageInUsermode = stats.CpuUser, UsageInKernelmode = stats.CpuSystem, PercpuUsage = stats.CpuUsagePerCpu.Count > 0 ? [.. stats.CpuUsagePerCpu] : null },
            SystemUsage = SystemCpu(),
            OnlineCPUs = (uint)Environment.ProcessorCount,
            ThrottlingData = new ThrottlingData { Periods = stats.ThrottlingPeriods, ThrottledPeriods = stats.ThrottledPeriods, ThrottledTime = stats.ThrottledTime },
        };
        sample.MemoryStats = new MemoryStats
        {
            Usage = stats.MemoryUsage,
            MaxUsage = stats.MemoryMaxUsage,
            Stats = new Dictionary<string, ulong>(stats.Memory),
            Failcnt = stats.MemoryFailures,
            Limit = Math.Min(stats.MemoryLimit, (ulong)MemoryTotal()),
        };
        sample.BlkioStats = new BlkioStats { IoServiceBytesRecursive = [.. stats.IoBytes.Select(Entry)], IoServicedRecursive = [.. stats.IoOperations.Select(Entry)] };
        sample.Networks = container.Record.HostConfig.NetworkMode == "bridge" ? Interfaces(container.Record.Pid) : null;
        return sample;
    }

    private static BlkioStatEntry Entry(BlockIoEntry entry) => new() { Major = entry.Major, Minor = entry.Minor, Op = entry.Operation.ToLowerInvariant(), Value = entry.Value };

    /// <summary>All processors' time since the start of the machine in nanoseconds (proc_stat(5), 100 ticks a second).</summary>
    private static ulong SystemCpu() => (ulong)File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Skip(1).Take(7).Sum(t => long.Parse(t, CultureInfo.InvariantCulture)) * 10_000_000;

    /// <summary>The counters of a network namespace's interfaces but loopback (proc_pid_net(5)).</summary>
    private static Dictionary<string, NetworkStats> Interfaces(int pid)
    {
        var networks = new Dictionary<string, NetworkStats>();
        foreach (var line in File.ReadLines($"/proc/{pid}/net/dev").Skip(2))
        {
            var parts = line.Split([' ', ':'], StringSplitOptions.RemoveEmptyEntries);
            ulong Number(int i) => ulong.Parse(parts[i], CultureInfo.InvariantCulture);
            if (parts[0] != "lo")
            {
                networks[parts[0]] = new NetworkStats
                {
                    RxBytes = Number(1),
                    RxPackets = Number(2),
                    RxErrors = Number(3),
                    RxDropped = Number(4),
                    TxBytes = Number(9),
                    TxPackets = Number(10),
                    TxErrors = Number(11),
                    TxDropped = Number(12),
                };
            }
        }

        return networks;
    }
}
