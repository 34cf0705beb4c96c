using System.Buffers.Binary;
using System.Net.Sockets;

namespace Sampan.Runtime;

/// <summary>The streams of a container or an exec as the daemon sees them.</summary>
public sealed class MonitorStream(Socket socket) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);

    /// <summary>The program's exit code, once <see cref="CopyToAsync"/> has seen the end; null when the monitor went away before.</summary>
    public int? ExitCode { get; private set; }

    public ValueTask WriteStdinAsync(ReadOnlyMemory<byte> data, CancellationToken cancel) => _stream.WriteAsync(data, cancel);

    /// <summary>Ends the input; output goes on.</summary>
    public void CloseStdin() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Copies output until the end: as Docker's frames, or the bare bytes (of a terminal).</summary>
    public async Task CopyToAsync(Stream output, bool frames, CancellationToken cancel)
    {
        var buffer = new byte[8 + 64 * 1024];
        while (true)
        {
            if (await _stream.ReadAtLeastAsync(buffer.AsMemory(0, 8), 8, throwOnEndOfStream: false, cancel) < 8)
            {
                return;
            }

            var length = BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(4));
            await _stream.ReadExactlyAsync(buffer.AsMemory(8, length), cancel);
            if (buffer[0] == 3)
            {
                ExitCode = BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(8));
                return;
            }

            await output.WriteAsync(frames ? buffer.AsMemory(0, 8 + length) : buffer.AsMemory(8, length), cancel);
            await output.FlushAsync(cancel);
        }
    }

    public void Dispose() => _stream.Dispose();
}
