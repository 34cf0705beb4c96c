namespace Sampan.Api;

/// <summary>daemon.json's <c>builder.gc</c>: how the build cache is kept small without anyone asking.</summary>
public sealed record BuildGcOptions
{
    private const long CacheMountBytes = 512L << 20;
    private const int DiskParts = 10;

    public bool Enabled { get; init; } = true;

    /// <summary>Bytes that the cache may take when there are no rules; 0 is a tenth of the disk.</summary>
    public long DefaultReservedSpace { get; init; }

    public long DefaultMaxUsedSpace { get; init; }

    public long DefaultMinFreeSpace { get; init; }

    /// <summary>Applied in order; none takes those of <see cref="RulesFor"/>.</summary>
    public IReadOnlyList<BuildPruneOptions> Policy { get; init; } = [];

    /// <summary>
    /// The rules: those given, or BuildKit's usual ones — cache mounts that nobody used for two days beyond 512 MiB, what nobody used for
    /// 60 days, what images do not share, and at last anything, beyond the room that the cache may take.
    /// </summary>
    /// <param name="diskBytes">Size of the disk that the cache is on.</param>
    public IReadOnlyList<BuildPruneOptions> RulesFor(long diskBytes)
    {
        if (Policy.Count > 0)
        {
            return Policy;
        }

        var room = new BuildPruneOptions
        {
            ReservedSpace = DefaultReservedSpace > 0 ? DefaultReservedSpace : diskBytes / DiskParts,
            MaxUsedSpace = DefaultMaxUsedSpace,
            MinFreeSpace = DefaultMinFreeSpace,
        };
        return
        [
            new() { ReservedSpace = CacheMountBytes, Filters = new() { ["type"] = ["exec.cachemount"], ["unused-for"] = ["48h"] } },
            room with { Filters = new() { ["unused-for"] = ["1440h"] } },
            room,
            room with { All = true },
        ];
    }
}
