using System.Buffers.Binary;
using System.Net.Sockets;

namespace Sampan.Runtime;

/// <summary>Some output of a container or exec.</summary>
/// <param name="Stream">1 standard output (and terminals), 2 standard error.</param>
/// <param name="Data">Valid until the next read.</param>
public readonly record struct MonitorFrame(int Stream, ReadOnlyMemory<byte> Data);

/// <summary>
/// The streams of a container or an exec as the daemon sees them. Reading and writing may go on at the same time, each by one caller.
/// Who stops reading holds the program up once about 1 MiB waits, as with Docker. Disposing drops the streams and nothing else.
/// </summary>
public sealed class MonitorStream(Socket socket) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private byte[] _buffer = new byte[16 * 1024];
    private int _start, _end;
    private bool _ended;

    /// <summary>The program's exit code, once reading has come to the end; null when the monitor went away before.</summary>
    public int? ExitCode { get; private set; }

    /// <exception cref="IOException">The program, or its monitor, has ended.</exception>
    public ValueTask WriteStdinAsync(ReadOnlyMemory<byte> data, CancellationToken cancel) => _stream.WriteAsync(data, cancel);

    /// <summary>Ends the input; output goes on. May be called when the other side has gone.</summary>
    public void CloseStdin()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.NotConnected or SocketError.Shutdown)
        {
            // The stream's end crossed this; reading tells.
        }
    }

    /// <summary>The next output; null at the end.</summary>
    public async ValueTask<MonitorFrame?> ReadFrameAsync(CancellationToken cancel)
    {
        if (!await FillAsync(cancel))
        {
            return null;
        }

        var length = FrameLength();
        var frame = new MonitorFrame(_buffer[_start], _buffer.AsMemory(_start + MonitorFrames.HeadLength, length - MonitorFrames.HeadLength));
        _start += length;
        return frame;
    }

    /// <summary>Copies output until the end: as Docker's frames, or the bare bytes (of a terminal).</summary>
    public async Task CopyToAsync(Stream output, bool frames, CancellationToken cancel)
    {
        while (await FillAsync(cancel))
        {
            if (frames)
            {
                // All frames that are here go in one write: they are already as the client wants them.
                var from = _start;
                while (HasOutputFrame())
                {
                    _start += FrameLength();
                }

                await output.WriteAsync(_buffer.AsMemory(from, _start - from), cancel);
            }
            else
            {
                var length = FrameLength();
                await output.WriteAsync(_buffer.AsMemory(_start + MonitorFrames.HeadLength, length - MonitorFrames.HeadLength), cancel);
                _start += length;
            }

            if (!HasOutputFrame())
            {
                await output.FlushAsync(cancel);
            }
        }
    }

    public void Dispose() => _stream.Dispose();

    private bool HasFrame() => _end - _start >= MonitorFrames.HeadLength && _end - _start >= FrameLength();

    private bool HasOutputFrame() => HasFrame() && _buffer[_start] != MonitorFrames.Exit;

    private int FrameLength() => MonitorFrames.HeadLength + BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + 4));

    /// <summary>Waits for a whole output frame; false at the end, when the exit code is known.</summary>
    private async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        while (!_ended && !HasFrame())
        {
            MakeRoom();
            var read = await ReceiveAsync(cancel);
            _end += read;
            _ended = read == 0;
        }

        if (!_ended && _buffer[_start] == MonitorFrames.Exit)
        {
            ExitCode = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + MonitorFrames.HeadLength));
            _ended = true;
        }

        return !_ended;
    }

    private async ValueTask<int> ReceiveAsync(CancellationToken cancel)
    {
        try
        {
            return await socket.ReceiveAsync(_buffer.AsMemory(_end), SocketFlags.None, cancel);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // The monitor ended with input of ours unread; all that it had sent was received before this.
            return 0;
        }
    }

    private void MakeRoom()
    {
        var count = _end - _start;
        var wanted = count >= MonitorFrames.HeadLength ? FrameLength() : MonitorFrames.HeadLength;
        if (wanted > MonitorFrames.HeadLength + MonitorFrames.PayloadLimit)
        {
            throw new InvalidDataException($"the monitor sent a frame of {wanted} bytes");
        }

        // One that fills the buffer has more to say: it gets a larger one, and a quiet one keeps the small one.
        var length = count == _buffer.Length || wanted > _buffer.Length ? 2 * (MonitorFrames.HeadLength + MonitorFrames.PayloadLimit) : _buffer.Length;
        if (_start > 0 || length > _buffer.Length)
        {
            var bytes = length > _buffer.Length ? new byte[length] : _buffer;
            _buffer.AsSpan(_start, count).CopyTo(bytes);
            (_buffer, _start, _end) = (bytes, 0, count);
        }
    }
}
