using Sampan.Api;

namespace Sampan.Engine.Builds;

/// <summary>Which records of the build cache one request, or one rule of the garbage collection, removes.</summary>
internal static class PruneChoice
{
    /// <summary>
    /// What was used longest ago goes first, until so much is left as may stay. Without <c>all</c> records stay whose layers belong to an
    /// image, and count for nothing, as removing them frees nothing.
    /// </summary>
    /// <param name="freeBytes">Room on the disk.</param>
    /// <exception cref="EngineException">A filter is not known or malformed.</exception>
    public static IReadOnlyList<CacheRecord> Of(IEnumerable<CacheRecord> records, BuildPruneOptions options, long freeBytes, DateTimeOffset now)
    {
        var filters = new Filters(options.Filters, "until", "unused-for", "id", "type", "description", "inuse", "shared", "private");
        var before = filters.Time("until", now) ?? filters.Time("unused-for", now) ?? DateTimeOffset.MaxValue;
        var counted = records.Where(record => options.All || !record.IsShared).OrderByDescending(record => record.LastUsed).ToList();
        var room = Room(options, counted.Sum(record => record.Size), freeBytes);
        var kept = 0L;
        return [.. counted.Where(record =>
        {
            // The room is filled with the newest.
            var fits = (kept += record.Size) <= room;
            return !fits && !record.IsInUse && record.LastUsed < before && Matches(filters, record);
        })];
    }

    /// <summary>How many bytes may stay; less than nothing when nothing may.</summary>
    private static long Room(BuildPruneOptions options, long total, long freeBytes)
    {
        if (options is { ReservedSpace: <= 0, MaxUsedSpace: <= 0, MinFreeSpace: <= 0 })
        {
            return -1;
        }

        var room = options switch
        {
            { MaxUsedSpace: > 0 } => options.MaxUsedSpace,
            { MinFreeSpace: > 0 } => long.MaxValue,
            _ => options.ReservedSpace,
        };
        var missing = options.MinFreeSpace - freeBytes;
        room = options.MinFreeSpace > 0 && missing > 0 ? Math.Min(room, total - missing) : room;
        return Math.Max(room, options.ReservedSpace);
    }

    private static bool Matches(Filters filters, CacheRecord record) =>
        filters.Match("id", id => record.Id.Contains(id, StringComparison.Ordinal))
        && filters.Match("type", type => record.Type == type)
        && filters.Match("description", text => record.Description.Contains(text, StringComparison.Ordinal))
        && (filters.Bool("inuse") ?? record.IsInUse) == record.IsInUse
        && (filters.Bool("shared") ?? record.IsShared) == record.IsShared
        && (filters.Bool("private") ?? !record.IsShared) == !record.IsShared;
}
