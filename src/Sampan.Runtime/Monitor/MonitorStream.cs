using System.Net.Sockets;

namespace Sampan.Runtime;

/// <summary>Some output of a container or exec.</summary>
/// <param name="Stream">1 standard output (and terminals), 2 standard error.</param>
/// <param name="Data">Valid until the next read.</param>
public readonly record struct MonitorFrame(int Stream, ReadOnlyMemory<byte> Data);

/// <summary>
/// The streams of a container or exec. Reading and writing may go on at the same time, each by one caller. A reader that stops reading
/// holds the program up once about 1 MiB waits for it, as with Docker. Disposing drops the streams and nothing else.
/// </summary>
public sealed class MonitorStream : IAsyncDisposable
{
    private readonly MonitorSocket _socket;
    private readonly Action<int>? _exited;
    private bool _ended;
    private volatile bool _stdinGone;

    internal MonitorStream(MonitorSocket socket, Action<int>? exited = null) => (_socket, _exited) = (socket, exited);

    /// <summary>The next output; null at the end.</summary>
    /// <exception cref="MonitorException">The monitor went before the end of the stream.</exception>
    public async ValueTask<MonitorFrame?> ReadFrameAsync(CancellationToken ct)
    {
        var frame = await NextAsync(ct);
        return frame is var (header, whole) ? new MonitorFrame((int)header.Type, whole[MonitorProtocol.HeaderLength..]) : null;
    }

    /// <summary>Copies output until its end.</summary>
    /// <param name="destination">Flushed whenever nothing more has arrived.</param>
    /// <param name="multiplexed">With Docker's eight-byte headers; otherwise the bytes alone, as of a terminal.</param>
    public async Task CopyToAsync(Stream destination, bool multiplexed, CancellationToken ct)
    {
        while (await NextAsync(ct) is var (_, whole))
        {
            await destination.WriteAsync(multiplexed ? whole : whole[MonitorProtocol.HeaderLength..], ct);
            if (!_socket.HasFrame)
            {
                await destination.FlushAsync(ct);
            }
        }
    }

    /// <summary>Sends input; waits while the program does not read. False when nobody takes it any more: the program or its input ended.</summary>
    public async ValueTask<bool> WriteStdinAsync(ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        while (!data.IsEmpty)
        {
            var part = data[..Math.Min(data.Length, MonitorProtocol.StreamFrameLimit)];
            if (!await SendAsync(FrameType.Stdin, part, ct))
            {
                return false;
            }

            data = data[part.Length..];
        }

        return !_stdinGone;
    }

    /// <summary>Half-closes: the program reads end of file, its output still flows.</summary>
    public async ValueTask CloseStdinAsync(CancellationToken ct) => await SendAsync(FrameType.StdinEnd, default, ct);

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask<bool> SendAsync(FrameType type, ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        if (_stdinGone)
        {
            return false;
        }

        try
        {
            await _socket.WriteAsync(type, 0, data, ct);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The monitor closes a stream at its end whether or not input was on the way; what the output says is the reader's to see.
            _stdinGone = true;
        }

        return !_stdinGone;
    }

    private async ValueTask<(FrameHeader Header, ReadOnlyMemory<byte> Whole)?> NextAsync(CancellationToken ct)
    {
        while (!_ended)
        {
            var (header, whole) = await _socket.ReadAsync(ct)
                ?? throw new MonitorException(MonitorErrorKind.Unreachable, "the monitor went before the end of the stream");
            switch (header.Type)
            {
                case FrameType.Stdout or FrameType.Stderr:
                    return (header, whole);
                case FrameType.ExecExited:
                    _exited?.Invoke(ControlCodec.Read(whole[MonitorProtocol.HeaderLength..].Span, MonitorJson.Default.ExecExitedMessage).ExitCode);
                    break;
                case FrameType.End:
                    _ended = true;
                    _stdinGone = true;
                    break;
            }
        }

        return null;
    }
}
