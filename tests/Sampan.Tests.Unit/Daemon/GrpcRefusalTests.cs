using System.Text;
using Sampan.Daemon.Http;
using Xunit;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>What a client of BuildKit's API is told, byte by byte (RFC 9113).</summary>
public sealed class GrpcRefusalTests
{
    private const byte Headers = 1, Settings = 4, Ping = 6, GoAway = 7;

    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    private static byte[] Frame(byte type, byte stream, params byte[] payload) => [0, 0, (byte)payload.Length, type, 0, 0, 0, 0, stream, .. payload];

    private static async Task<List<(byte Type, byte Flags, byte Stream, byte[] Payload)>> Answers(params byte[] sent)
    {
        using var output = new MemoryStream();
        await GrpcRefusal.RunAsync(new MemoryStream(sent), output, "no: 100%", TestContext.Current.CancellationToken);
        var bytes = output.ToArray();
        var frames = new List<(byte, byte, byte, byte[])>();
        for (var at = 0; at < bytes.Length;)
        {
            var length = (bytes[at + 1] << 8) | bytes[at + 2];
            frames.Add((bytes[at + 3], bytes[at + 4], bytes[at + 8], bytes[(at + 9)..(at + 9 + length)]));
            at += 9 + length;
        }

        return frames;
    }

    [Fact]
    public async Task Every_call_is_unimplemented_and_says_why()
    {
        var frames = await Answers([.. Preface, .. Frame(Settings, 0), .. Frame(Ping, 0, 1, 2, 3, 4, 5, 6, 7, 8), .. Frame(Headers, 1, 0x88), .. Frame(Headers, 3, 0x88)]);
        Assert.Equal([(Settings, 0, 0), (Settings, 1, 0), (Ping, 1, 0), (Headers, 5, 1), (Headers, 5, 3)], frames.Select(f => ((int)f.Type, (int)f.Flags, (int)f.Stream)));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], frames[2].Payload);
        var fields = Encoding.Latin1.GetString(frames[3].Payload);
        Assert.Equal("\u0088\0\u000ccontent-type\u0010application/grpc\0\u000bgrpc-status\u000212\0\u000cgrpc-message\u000ano: 100%25", fields);
    }

    [Fact]
    public async Task It_ends_with_the_client() =>
        Assert.Equal(2, (await Answers([.. Preface, .. Frame(Settings, 0), .. Frame(GoAway, 0, 0, 0, 0, 0, 0, 0, 0, 0), .. Frame(Headers, 1)])).Count);

    [Fact]
    public async Task Who_does_not_speak_HTTP2_or_sends_more_than_it_allows_is_dropped()
    {
        await Assert.ThrowsAsync<IOException>(() => Answers([.. "GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8]));
        await Assert.ThrowsAsync<IOException>(() => Answers([.. Preface, 0, 0x40, 1, 0, 0, 0, 0, 0, 1]));
    }
}
