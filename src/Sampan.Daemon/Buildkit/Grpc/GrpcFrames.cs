using System.Buffers.Binary;

namespace Sampan.Daemon.Buildkit.Grpc;

/// <summary>Messages in the body of a call: a byte that says whether it is compressed, four of length, the message.</summary>
internal static class GrpcFrames
{
    /// <summary>A message may be this long; Go's servers and clients take as much of BuildKit.</summary>
    public const int MaxMessageBytes = 16 << 20;

    private const int HeaderBytes = 5;

    /// <summary>The next message; null at the end.</summary>
    /// <exception cref="GrpcException">It is too long, or compressed, which nobody has asked for.</exception>
    /// <exception cref="EndOfStreamException">The stream ends within it.</exception>
    public static async ValueTask<byte[]?> ReadAsync(Stream body, CancellationToken cancel)
    {
        var header = new byte[HeaderBytes];
        var got = await body.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, cancel);
        if (got == 0)
        {
            return null;
        }

        if (got < HeaderBytes)
        {
            throw new EndOfStreamException("the call ends within a message");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(1));
        if (header[0] != 0)
        {
            throw new GrpcException(GrpcCode.Unimplemented, "compressed messages are not supported");
        }

        if (length > MaxMessageBytes)
        {
            throw new GrpcException(GrpcCode.ResourceExhausted, $"a message of {length} bytes: {MaxMessageBytes} are allowed");
        }

        var message = new byte[length];
        await body.ReadExactlyAsync(message, cancel);
        return message;
    }

    public static async ValueTask WriteAsync(Stream body, ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        var frame = new byte[HeaderBytes + message.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)message.Length);
        message.CopyTo(frame.AsMemory(HeaderBytes));
        await body.WriteAsync(frame, cancel);
        await body.FlushAsync(cancel);
    }
}
