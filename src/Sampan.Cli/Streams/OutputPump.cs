using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Sampan.Api;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Streams;

/// <summary>Carries a container's output to our standard streams.</summary>
internal static class OutputPump
{
    private const int BufferBytes = 64 * 1024;

    /// <summary>A way to read: fills what it can, 0 at the end.</summary>
    internal delegate int Reader(Span<byte> buffer);

    /// <summary>Copies bytes as they are (a terminal's output).</summary>
    public static void Raw(Reader read, Stream output)
    {
        var buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
        for (int count; (count = read(buffer)) > 0;) output.Write(buffer.AsSpan(0, count));
    }

    /// <summary>Takes Docker's frames apart.</summary>
    /// <returns>The exit code, from a daemon that was asked for it (<see cref="ExecRun"/>).</returns>
    /// <exception cref="CliException">The daemon reported an error in the stream, or the stream is broken.</exception>
    public static int? Multiplexed(Reader read, Stream output, Stream error)
    {
        var buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
        var header = new byte[StdCopy.HeaderLength];
        int? exitCode = null;
        while (ReadHeader(read, header))
        {
            var left = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
            using var message = new MemoryStream();
            var target = header[0] switch
            {
                StdCopy.Stdin or StdCopy.Stdout => output,
                StdCopy.Stderr => error,
                StdCopy.SystemError or StdCopy.ExitCode => message,
                var other => throw new CliException($"unrecognized stream {other} in the daemon's output"),
            };
            while (left > 0)
            {
                var count = read(buffer.AsSpan(0, (int)Math.Min(left, BufferBytes)));
                if (count == 0) throw new CliException("the daemon's output ended inside a frame");
                target.Write(buffer.AsSpan(0, count));
                left -= (uint)count;
            }

            if (target != message) continue;
            var text = Encoding.UTF8.GetString(message.GetBuffer(), 0, (int)message.Length);
            if (header[0] == StdCopy.SystemError) throw new CliException($"error from daemon in stream: {text}");
            exitCode = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var code)
                ? code
                : throw new CliException($"the daemon's exit code is no number: '{text}'");
        }

        return exitCode;
    }

    private static bool ReadHeader(Reader read, byte[] header)
    {
        for (var filled = 0; filled < StdCopy.HeaderLength;)
        {
            var count = read(header.AsSpan(filled));
            if (count == 0) return filled == 0 ? false : throw new CliException("the daemon's output ended inside a frame");
            filled += count;
        }

        return true;
    }
}
