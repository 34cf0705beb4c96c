using Sampan.Api;
using Sampan.Engine;
using Sampan.Engine.Builds;
using Xunit;

namespace Sampan.Tests.Unit.Engine;

/// <summary>Which records of the build cache go, by request and by rule.</summary>
public sealed class PruneChoiceTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 31, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Records of 10 bytes, used so many days ago as their place says; one that an image shares, one cache mount, one in use.</summary>
    private static readonly CacheRecord[] Records =
    [
        Record("a", 1), Record("b", 2) with { IsShared = true }, Record("c", 3), Record("mount", 4) with { Type = CacheRecord.Mount },
        Record("busy", 5) with { Type = CacheRecord.Mount, IsInUse = true }, Record("old", 70),
    ];

    [Fact]
    public void Without_all_what_images_share_stays()
    {
        Assert.Equal("a c mount old", Gone(new()));
        Assert.Equal("a b c mount old", Gone(new() { All = true }));
    }

    [Theory]
    [InlineData("until", "48h", "c mount old")]
    [InlineData("unused-for", "1440h", "old")]
    [InlineData("until", "2025-12-31T00:00:00Z", "old")]
    [InlineData("id", "ol", "old")]
    [InlineData("type", "exec.cachemount", "mount")]
    [InlineData("type", "regular", "a c old")]
    [InlineData("description", "RUN c", "c")]
    [InlineData("inuse", "true", "")]
    [InlineData("private", "false", "")]
    public void Filters(string name, string value, string gone) => Assert.Equal(gone, Gone(new() { Filters = new() { [name] = [value] } }));

    [Theory]
    [InlineData(20, 0, 0, "mount old")]
    [InlineData(0, 30, 0, "old")]
    [InlineData(40, 10, 0, "old")]
    [InlineData(0, 0, 1000, "")]
    [InlineData(0, 0, 1015, "old")]
    [InlineData(0, 0, 5000, "a c mount old")]
    [InlineData(20, 0, 5000, "mount old")]
    public void Room_is_kept_for_what_was_used_last(long reserved, long most, long free, string gone) =>
        Assert.Equal(gone, Gone(new() { ReservedSpace = reserved, MaxUsedSpace = most, MinFreeSpace = free }));

    [Theory]
    [InlineData("until", "soon", "invalid filter 'until=soon': neither a duration, as 24h, nor a time")]
    [InlineData("colour", "red", "invalid filter 'colour'")]
    [InlineData("inuse", "maybe", "invalid filter 'inuse=maybe'")]
    public void Mistakes_are_told(string name, string value, string message) =>
        Assert.Equal(message, Assert.Throws<EngineException>(() => Gone(new() { Filters = new() { [name] = [value] } })).Message);

    [Fact]
    public void The_usual_rules_begin_with_old_cache_mounts_and_end_with_anything()
    {
        var rules = new BuildGcOptions().RulesFor(1000);
        Assert.Equal([512L << 20, 100, 100, 100], rules.Select(rule => rule.ReservedSpace));
        Assert.Equal(["exec.cachemount"], rules[0].Filters["type"]);
        Assert.Equal("old", Gone(rules[1] with { ReservedSpace = 10 }));
        Assert.Equal([false, false, false, true], rules.Select(rule => rule.All));
        Assert.Equal(7, new BuildGcOptions { DefaultReservedSpace = 7 }.RulesFor(1000)[2].ReservedSpace);
    }

    private static CacheRecord Record(string id, int days) =>
        new(id, CacheRecord.Step, $"RUN {id}", 10, Now, Now - TimeSpan.FromDays(days));

    private static string Gone(BuildPruneOptions options) => string.Join(' ', PruneChoice.Of(Records.Reverse(), options, freeBytes: 1000, Now).Select(r => r.Id));
}
