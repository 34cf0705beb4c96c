using System.Buffers.Binary;

namespace Sampan.Api;

/// <summary>
/// Docker's frames for standard output and error on one stream: <c>[stream, 0, 0, 0, length big-endian]</c>, then the bytes. Used by
/// attach, exec and logs when there is no terminal (<c>application/vnd.docker.multiplexed-stream</c>).
/// </summary>
public static class StdCopy
{
    public const int HeaderLength = 8;
    public const byte Stdin = 0, Stdout = 1, Stderr = 2, SystemError = 3;

    /// <summary>The exit code in decimal digits, last of all; only for a client that asked for it (<see cref="ExecRun"/>).</summary>
    public const byte ExitCode = 4;

    /// <summary>A frame longer than this is refused: no server sends it, so the stream is something else.</summary>
    public const int FrameLimit = 64 * 1024 * 1024;

    /// <summary>Writes a frame's header into the first <see cref="HeaderLength"/> bytes of <paramref name="destination"/>.</summary>
    public static void WriteHeader(Span<byte> destination, byte stream, int length)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)stream << 24);
        BinaryPrimitives.WriteInt32BigEndian(destination[4..], length);
    }

    /// <summary>Writes one frame.</summary>
    public static async ValueTask WriteFrameAsync(Stream destination, byte stream, ReadOnlyMemory<byte> payload, CancellationToken cancel)
    {
        var frame = new byte[HeaderLength + payload.Length];
        WriteHeader(frame, stream, payload.Length);
        payload.CopyTo(frame.AsMemory(HeaderLength));
        await destination.WriteAsync(frame, cancel);
    }

    /// <summary>
    /// Takes frames apart until the end of <paramref name="source"/>. A frame that the server marks as its own error is thrown.
    /// </summary>
    /// <exception cref="InvalidDataException">The bytes are no frames.</exception>
    /// <exception cref="EndOfStreamException">The stream ends within a frame.</exception>
    public static async Task DemultiplexAsync(Stream source, Stream stdout, Stream stderr, CancellationToken cancel)
    {
        var header = new byte[HeaderLength];
        var buffer = new byte[32 * 1024];
        while (true)
        {
            var got = await source.ReadAtLeastAsync(header, HeaderLength, throwOnEndOfStream: false, cancel);
            if (got == 0)
            {
                return;
            }

            if (got < HeaderLength)
            {
                throw new EndOfStreamException("the stream ends within a frame's header");
            }

            var left = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
            if (header[0] > SystemError || left > FrameLimit)
            {
                throw new InvalidDataException($"not a multiplexed stream: frame of stream {header[0]} with {left} bytes");
            }

            if (header[0] == SystemError)
            {
                var text = new byte[left];
                await source.ReadExactlyAsync(text, cancel);
                throw new IOException($"error from daemon in stream: {System.Text.Encoding.UTF8.GetString(text)}");
            }

            var destination = header[0] == Stderr ? stderr : stdout;
            while (left > 0)
            {
                var n = await source.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, (uint)buffer.Length)), cancel);
                if (n == 0)
                {
                    throw new EndOfStreamException($"the stream ends {left} bytes before the end of a frame");
                }

                await destination.WriteAsync(buffer.AsMemory(0, n), cancel);
                left -= (uint)n;
            }

            await destination.FlushAsync(cancel);
        }
    }
}
