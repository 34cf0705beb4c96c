using System.Text;
using Sampan.Daemon.Buildkit.Session;
using Xunit;

namespace Sampan.Tests.Unit.Daemon.Buildkit;

/// <summary>Joined header values come apart on their way out, and nothing else changes.</summary>
public sealed class RepeatedFieldsTests
{
    private const string Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    private const byte Data = 0, Headers = 1, Settings = 4, Continuation = 9, EndStream = 1, EndHeaders = 4;

    [Fact]
    public void A_field_is_split_and_others_are_kept()
    {
        byte[] method = [0x83]; // indexed: POST
        byte[] path = [0x04, 0x02, (byte)'/', (byte)'x']; // literal with an indexed name
        byte[] block = [.. method, .. path, .. Literal("a", "1\u001f22\u001f333"), .. Literal("b", "plain")];
        Assert.Equal([.. method, .. path, .. Literal("a", "1"), .. Literal("a", "22"), .. Literal("a", "333"), .. Literal("b", "plain")], RepeatedFields.Split(block));
    }

    [Fact]
    public void Long_values_keep_their_length()
    {
        string first = new('x', 300), second = new('y', 127);
        Assert.Equal([.. Literal("name", first), .. Literal("name", second)], RepeatedFields.Split(Literal("name", $"{first}\u001f{second}")));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(10_000)]
    public void Frames_may_come_in_any_pieces(int piece)
    {
        byte[] sent =
        [
            .. Encoding.ASCII.GetBytes(Preface), .. Frame(Settings, 0, 0, [0, 3, 0, 0, 0, 9]), .. Frame(Headers, EndHeaders, 1, Literal("a", "1\u001f2")),
            .. Frame(Data, EndStream, 1, [.. Enumerable.Repeat((byte)0x1f, 100)]), .. Frame(Headers, EndStream, 3, Literal("a", "1")[..2]),
            .. Frame(Continuation, EndHeaders, 3, Literal("a", "1")[2..]),
        ];
        byte[] expected =
        [
            .. Encoding.ASCII.GetBytes(Preface), .. Frame(Settings, 0, 0, [0, 3, 0, 0, 0, 9]), .. Frame(Headers, EndHeaders, 1, [.. Literal("a", "1"), .. Literal("a", "2")]),
            .. Frame(Data, EndStream, 1, [.. Enumerable.Repeat((byte)0x1f, 100)]), .. Frame(Headers, EndStream | EndHeaders, 3, Literal("a", "1")),
        ];
        var fields = new RepeatedFields();
        Assert.Equal(expected, sent.Chunk(piece).SelectMany(part => fields.Next(part).ToArray()));
    }

    [Fact]
    public void A_block_that_grows_beyond_a_frame_goes_on_in_another()
    {
        var values = string.Join('\u001f', Enumerable.Repeat("v", 4000));
        var fields = new RepeatedFields();
        fields.Next(Encoding.ASCII.GetBytes(Preface));
        var output = fields.Next(Frame(Headers, EndHeaders, 1, Literal("name", values))).ToArray();
        var blocks = new List<byte>();
        var types = new List<byte>();
        for (var at = 0; at < output.Length;)
        {
            var length = (output[at] << 16) | (output[at + 1] << 8) | output[at + 2];
            Assert.True(length <= 16384);
            types.Add(output[at + 3]);
            Assert.Equal(at + 9 + length == output.Length, (output[at + 4] & EndHeaders) != 0);
            blocks.AddRange(output[(at + 9)..(at + 9 + length)]);
            at += 9 + length;
        }

        Assert.Equal([Headers, Continuation], types.Distinct());
        Assert.Equal(Enumerable.Repeat(Literal("name", "v"), 4000).SelectMany(field => field), blocks);
    }

    private static byte[] Frame(byte type, byte flags, byte stream, byte[] payload) =>
        [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, 0, stream, .. payload];

    /// <summary>RFC 7541, 6.2.2: a literal without indexing, with a new name.</summary>
    private static byte[] Literal(string name, string value) => [0, .. Text(name), .. Text(value)];

    private static byte[] Text(string text)
    {
        var rest = text.Length - 127;
        byte[] length = rest < 0 ? [(byte)text.Length] : rest < 128 ? [127, (byte)rest] : [127, (byte)(rest | 128), (byte)(rest >> 7)];
        return [.. length, .. Encoding.ASCII.GetBytes(text)];
    }
}
