using Sampan.Api;
using Sampan.Store;

namespace Sampan.Engine.Builds;

/// <summary>One thing that the build cache keeps: what a step gave, the directory of a cache mount, or a client's directory.</summary>
/// <param name="Type">As BuildKit calls it.</param>
internal sealed record CacheRecord(string Id, string Type, string Description, long Size, DateTimeOffset Created, DateTimeOffset LastUsed)
{
    public const string Step = "regular", Mount = "exec.cachemount", Context = "source.local";

    /// <summary>An image has its layer too: removing the record frees nothing.</summary>
    public bool IsShared { get; init; }

    public bool IsInUse { get; init; }

    public long Uses { get; init; }

    public static CacheRecord Of(CacheEntry entry, bool isShared) =>
        new(entry.Key.ToString(), Step, entry.Description, entry.Size, entry.Created, entry.LastUsed) { IsShared = isShared, Uses = entry.Uses };

    public static CacheRecord Of(CacheMount mount) =>
        new(mount.Name, Mount, mount.Description, mount.Size, mount.Created, mount.LastUsed) { IsInUse = mount.InUse };

    public static CacheRecord Of(ContextCopyInfo copy) =>
        new(copy.Name, Context, copy.Description, copy.Size, copy.Created, copy.LastUsed) { IsInUse = copy.InUse };

    public Api.BuildCache Describe() => new()
    {
        ID = Id,
        Type = Type,
        Description = Description,
        Size = Size,
        Shared = IsShared,
        InUse = IsInUse,
        CreatedAt = GoTime.Format(Created),
        LastUsedAt = GoTime.Format(LastUsed),
        UsageCount = (int)Uses,
    };
}
