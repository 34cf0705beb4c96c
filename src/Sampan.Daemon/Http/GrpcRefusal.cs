using System.Buffers.Binary;
using System.Text;

namespace Sampan.Daemon.Http;

/// <summary>
/// Refuses every call of a gRPC client in its own language (HTTP/2 over a taken connection), so that the user sees why. buildx asks for
/// BuildKit's API that way; were its connection refused, it would start a BuildKit of its own in a container instead, and what that builds
/// is none of the daemon's images.
/// </summary>
internal static class GrpcRefusal
{
    private const int HeaderBytes = 9;
    private const int MaxPayload = 16 * 1024; // HTTP/2's least, which nobody may exceed unasked

    private const byte Headers = 1, Settings = 4, Ping = 6, GoAway = 7;
    private const byte Ack = 1, EndStream = 1, EndHeaders = 4;

    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    /// <summary>Answers until the client goes.</summary>
    /// <exception cref="IOException">The client has gone in the middle of something, or does not speak HTTP/2.</exception>
    public static async Task RunAsync(Stream input, Stream output, string message, CancellationToken cancel)
    {
        var refusal = Refusal(message);
        var preface = new byte[Preface.Length];
        await input.ReadExactlyAsync(preface, cancel);
        if (!preface.AsSpan().SequenceEqual(Preface))
        {
            throw new IOException("the client does not speak HTTP/2");
        }

        await SendAsync(output, Settings, 0, 0, [], cancel);
        var header = new byte[HeaderBytes];
        while (await input.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, cancel) == HeaderBytes && header[3] != GoAway)
        {
            var length = (header[0] << 16) | (header[1] << 8) | header[2];
            if (length > MaxPayload)
            {
                throw new IOException($"a frame of {length} bytes: HTTP/2 allows {MaxPayload}");
            }

            var payload = new byte[length];
            await input.ReadExactlyAsync(payload, cancel);
            switch (header[3])
            {
                case Settings when (header[4] & Ack) == 0:
                    await SendAsync(output, Settings, Ack, 0, [], cancel);
                    break;
                case Ping when (header[4] & Ack) == 0:
                    await SendAsync(output, Ping, Ack, 0, payload, cancel);
                    break;
                case Headers:
                    await SendAsync(output, Headers, EndStream | EndHeaders, BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(5)), refusal, cancel);
                    break;
            }
        }
    }

    private static async Task SendAsync(Stream output, byte type, byte flags, int stream, byte[] payload, CancellationToken cancel)
    {
        var frame = new byte[HeaderBytes + payload.Length];
        (frame[1], frame[2], frame[3], frame[4]) = ((byte)(payload.Length >> 8), (byte)payload.Length, type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, HeaderBytes);
        await output.WriteAsync(frame, cancel);
    }

    /// <summary>The header fields of an answer without a body (gRPC's "trailers only"), in HPACK's plainest form.</summary>
    private static byte[] Refusal(string message)
    {
        using var block = new MemoryStream();
        block.WriteByte(0x88); // :status 200, of the static table
        Field(block, "content-type", "application/grpc");
        Field(block, "grpc-status", "12"); // UNIMPLEMENTED
        Field(block, "grpc-message", message.Replace("%", "%25", StringComparison.Ordinal));
        return block.ToArray();
    }

    private static void Field(MemoryStream block, string name, string value)
    {
        block.WriteByte(0); // a literal with a new name, not to be indexed
        foreach (var text in (string[])[name, value])
        {
            var bytes = Encoding.ASCII.GetBytes(text);
            var rest = bytes.Length;
            block.WriteByte((byte)Math.Min(rest, 127));
            for (rest -= 127; rest >= 0; rest = rest >= 128 ? rest >> 7 : -1)
            {
                block.WriteByte((byte)(rest >= 128 ? 128 | (rest & 127) : rest));
            }

            block.Write(bytes);
        }
    }
}
