using System.Buffers.Binary;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Streams;

/// <summary>Carries a container's output to our standard streams.</summary>
internal static class OutputPump
{
    private const int HeaderBytes = 8;
    private const int BufferBytes = 64 * 1024;

    /// <summary>A way to read: fills what it can, 0 at the end.</summary>
    internal delegate int Reader(Span<byte> buffer);

    /// <summary>Copies bytes as they are (a terminal's output).</summary>
    public static void Raw(Reader read, Stream output)
    {
        var buffer = new byte[BufferBytes];
        for (int count; (count = read(buffer)) > 0;) output.Write(buffer.AsSpan(0, count));
    }

    /// <summary>Takes Docker's frames apart: 1 is output, 2 is errors, 3 is a failure of the daemon.</summary>
    /// <exception cref="CliException">The daemon reported an error in the stream, or the stream is broken.</exception>
    public static void Multiplexed(Reader read, Stream output, Stream error)
    {
        var buffer = new byte[BufferBytes];
        var header = new byte[HeaderBytes];
        while (ReadHeader(read, header))
        {
            var left = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
            using var failure = new MemoryStream();
            var target = header[0] switch
            {
                0 or 1 => output,
                2 => error,
                3 => failure,
                var other => throw new CliException($"unrecognized stream {other} in the daemon's output"),
            };
            while (left > 0)
            {
                var count = read(buffer.AsSpan(0, (int)Math.Min(left, BufferBytes)));
                if (count == 0) throw new CliException("the daemon's output ended inside a frame");
                target.Write(buffer.AsSpan(0, count));
                left -= (uint)count;
            }

            if (target == failure)
            {
                throw new CliException($"error from daemon in stream: {System.Text.Encoding.UTF8.GetString(failure.ToArray())}");
            }
        }
    }

    private static bool ReadHeader(Reader read, byte[] header)
    {
        for (var filled = 0; filled < HeaderBytes;)
        {
            var count = read(header.AsSpan(filled));
            if (count == 0) return filled == 0 ? false : throw new CliException("the daemon's output ended inside a frame");
            filled += count;
        }

        return true;
    }
}
