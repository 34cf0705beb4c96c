using System.Text;
using Sampan.Daemon.Buildkit.Wire;
using Xunit;

namespace Sampan.Tests.Unit.Daemon.Buildkit;

/// <summary>Protobuf, by the examples of its own documentation ("Encoding") and by messages that lie.</summary>
public sealed class ProtoTests
{
    [Fact]
    public void Numbers_and_strings_are_written_as_documented()
    {
        Assert.Equal("089601", Hex(new ProtoWriter().UInt64(1, 150)));
        Assert.Equal("120774657374696E67", Hex(new ProtoWriter().String(2, "testing")));
        Assert.Equal("1A03089601", Hex(new ProtoWriter().Message(3, inner => inner.UInt64(1, 150))));
        Assert.Equal("08FEFFFFFFFFFFFFFFFF01", Hex(new ProtoWriter().Int64(1, -2)));
    }

    [Fact]
    public void Zeros_are_left_out_and_messages_are_not()
    {
        Assert.Equal("", Hex(new ProtoWriter().UInt64(1, 0).String(2, "").Bool(3, false).Bytes(4, []).Time(5, null)));
        Assert.Equal("0A00", Hex(new ProtoWriter().Message(1, _ => { })));
    }

    [Fact]
    public void Fields_that_nobody_reads_are_skipped()
    {
        // Fields 1 (varint), 2 (64 bits), 3 (32 bits), 4 (bytes), 5 (varint 7).
        var reader = new ProtoReader(Convert.FromHexString("0896011100000000000000001D000000002203AABBCC2807"));
        var seen = new List<int>();
        var last = 0UL;
        while (reader.Next())
        {
            seen.Add(reader.Field);
            last = reader.Field == 5 ? reader.UInt64() : last;
        }

        Assert.Equal([1, 2, 3, 4, 5], seen);
        Assert.Equal(7UL, last);
    }

    [Fact]
    public void Maps_and_times_come_back()
    {
        var at = new DateTimeOffset(2026, 11, 24, 20, 0, 0, 5, TimeSpan.Zero);
        var reader = new ProtoReader(new ProtoWriter().Map(1, [new("a", "1"), new("b", ""), new("a", "2")]).Time(2, at).Written.Span);
        var map = new Dictionary<string, string>();
        var time = (Seconds: 0L, Nanoseconds: 0L);
        while (reader.Next())
        {
            if (reader.Field == 1)
            {
                reader.Entry(map);
                continue;
            }

            var stamp = new ProtoReader(reader.Bytes());
            while (stamp.Next())
            {
                time = stamp.Field == 1 ? (stamp.Int64(), time.Nanoseconds) : (time.Seconds, stamp.Int64());
            }
        }

        Assert.Equal(new Dictionary<string, string> { ["a"] = "2", ["b"] = "" }, map);
        Assert.Equal((at.ToUnixTimeSeconds(), 5_000_000), time);
    }

    [Fact]
    public void A_string_of_bytes_is_no_UTF8()
    {
        var bytes = new ProtoWriter().ByteString(1, "\u00ff\u0080x").Written.ToArray();
        Assert.Equal("0A03FF8078", Convert.ToHexString(bytes));
        var reader = new ProtoReader(bytes);
        Assert.True(reader.Next());
        Assert.Equal("\u00ff\u0080x", reader.ByteString());
    }

    [Theory]
    [InlineData("08", "ends too early")] // no value
    [InlineData("0A05AABB", "ends too early")] // 5 bytes are promised, 2 are there
    [InlineData("0AFFFFFFFFFFFFFFFFFF01", "ends too early")] // a length beyond any memory
    [InlineData("0D0000", "ends too early")] // 4 bytes are promised
    [InlineData("08FFFFFFFFFFFFFFFFFFFF01", "more than 10 bytes")]
    [InlineData("00", "invalid tag")] // field 0
    [InlineData("0B", "invalid tag")] // a group
    public void Malformed_messages_are_refused(string hex, string error)
    {
        var exception = Assert.Throws<FormatException>(() =>
        {
            var reader = new ProtoReader(Convert.FromHexString(hex));
            while (reader.Next())
            {
            }
        });
        Assert.Contains(error, exception.Message);
    }

    [Fact]
    public void A_field_of_another_type_is_refused() => Assert.Throws<FormatException>(() =>
    {
        var reader = new ProtoReader(Encoding.ASCII.GetBytes("\x08\x01"));
        reader.Next();
        _ = reader.String();
    });

    private static string Hex(ProtoWriter writer) => Convert.ToHexString(writer.Written.Span);
}
