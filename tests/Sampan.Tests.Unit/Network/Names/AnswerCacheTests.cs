using System.Buffers.Binary;
using Sampan.Network.Names;

namespace Sampan.Tests.Unit.Network.Names;

/// <summary>What is kept of servers' answers, and for how long.</summary>
public sealed class AnswerCacheTests
{
    private static readonly byte[] Address = [192, 0, 2, 1], Key = [1, 2, 3];
    private readonly byte[] _buffer = new byte[65535];

    [Theory]
    [InlineData(0, new uint[] { 60, 30 }, 30)]
    [InlineData(0, new uint[] { 100_000 }, 3600)]
    [InlineData(0, new uint[] { 0 }, 0)]
    [InlineData(2, new uint[] { 60 }, 0)]
    public void An_answer_holds_as_long_as_its_shortest_record(int code, uint[] ttls, int seconds) =>
        Assert.Equal(seconds, AnswerCache.LifetimeSeconds(Wire.Answer(Wire.Query("x.y"), code, [.. ttls.Select(t => (Dns.A, t, Address))])));

    [Theory]
    [InlineData(600, 20, 20)]
    [InlineData(10, 20, 10)]
    [InlineData(9000, 9000, 300)]
    public void The_lack_of_a_name_holds_as_long_as_its_zone_says(uint ttl, uint minimum, int seconds)
    {
        byte[] zone = [0, 0, .. new byte[16], .. Wire.Words((ushort)(minimum >> 16), (ushort)minimum)];
        Assert.Equal(seconds, AnswerCache.LifetimeSeconds(Wire.Answer(Wire.Query("x.y"), Dns.NXDomain, (Dns.SOA, ttl, zone))));
        Assert.Equal(0, AnswerCache.LifetimeSeconds(Wire.Answer(Wire.Query("x.y"), Dns.NXDomain)));
    }

    [Fact]
    public void What_was_cut_or_is_broken_is_not_kept()
    {
        var answer = Wire.Answer(Wire.Query("x.y"), 0, (Dns.A, 60, Address));
        Assert.Equal(-1, AnswerCache.LifetimeSeconds(answer.AsSpan(..^1)));
        answer[2] |= 2;
        Assert.Equal(0, AnswerCache.LifetimeSeconds(answer));
    }

    [Fact]
    public void An_answer_grows_old_and_is_forgotten()
    {
        var cache = new AnswerCache();
        var answer = Wire.Answer(Wire.Query("x.y"), 0, (Dns.A, 60, Address));
        cache.Put(Key, answer, 1000);
        Assert.True(cache.TryGet(Key, 1000 + 20_000, _buffer, out var length));
        Assert.Equal(answer.Length, length);
        Assert.Equal(40u, BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(length - 10)));
        Assert.False(cache.TryGet(Key, 1000 + 60_000, _buffer, out _));
        Assert.False(cache.TryGet([9], 1000, _buffer, out _));
    }

    [Fact]
    public void It_never_holds_more_than_its_limit_and_keeps_what_is_asked_for()
    {
        var cache = new AnswerCache(halfBytes: 10_000);
        var answer = Wire.Answer(Wire.Query("x.y"), 0, (Dns.A, 60, Address));
        cache.Put(Key, answer, 0);
        for (var i = 0; i < 10_000; i++)
        {
            cache.Put(BitConverter.GetBytes(i), answer, 0);
            Assert.True(cache.TryGet(Key, 0, _buffer, out _), $"lost after {i}");
        }

        var kept = Enumerable.Range(0, 10_000).Count(i => cache.TryGet(BitConverter.GetBytes(i), 0, _buffer, out _));
        Assert.InRange(kept, 1, 2 * 10_000 / answer.Length);
    }
}
