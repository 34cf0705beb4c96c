using System.Net.Sockets;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>The daemon's side of the frames: whole frames over an asynchronous socket. Reads and writes may overlap; neither twice.</summary>
internal sealed class MonitorSocket(Socket socket) : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    /// <summary>sun_path of unix(7), less its NUL.</summary>
    private const int PathLimit = 107;

    private readonly SemaphoreSlim _writing = new(1, 1);
    private byte[] _received = new byte[16 * 1024];
    private int _start, _end;

    /// <summary>A connection to the monitor of a run directory; null when none listens there.</summary>
    public static async Task<MonitorSocket?> ConnectAsync(string runDir, CancellationToken ct)
    {
        var path = Path.Combine(runDir, MonitorConfig.SocketName);
        if (!File.Exists(path))
        {
            return null;
        }

        var directory = path.Length > PathLimit ? FileDescriptor.OpenDirectory(runDir) : -1;
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(ConnectTimeout);
        try
        {
            var address = directory < 0 ? path : $"/proc/self/fd/{directory}/{MonitorConfig.SocketName}";
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(address), timeout.Token);
            return new MonitorSocket(socket);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable || e.NativeErrorCode == Errno.ENOENT)
        {
            socket.Dispose();
            return null;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            socket.Dispose();
            throw new MonitorException(MonitorErrorKind.Unreachable, $"monitor at '{path}' did not take a connection within {ConnectTimeout.TotalSeconds} s");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            if (directory >= 0)
            {
                FileDescriptor.Close(directory);
            }
        }
    }

    /// <summary>The next frame; its payload is valid until the next call. Null at the connection's end.</summary>
    public async ValueTask<(FrameHeader Header, ReadOnlyMemory<byte> Whole)?> ReadAsync(CancellationToken ct)
    {
        if (!await FillAsync(MonitorProtocol.HeaderLength, ct))
        {
            return null;
        }

        var header = MonitorProtocol.ReadHeader(_received.AsSpan(_start));
        var length = MonitorProtocol.HeaderLength + header.Length;
        if (!await FillAsync(length, ct))
        {
            return null;
        }

        var frame = _received.AsMemory(_start, length);
        _start += length;
        return (header, frame);
    }

    /// <summary>True when the next frame has been received as a whole, so that <see cref="ReadAsync"/> would not wait.</summary>
    public bool HasFrame => _end - _start >= MonitorProtocol.HeaderLength
        && _end - _start >= MonitorProtocol.HeaderLength + MonitorProtocol.ReadHeader(_received.AsSpan(_start)).Length;

    /// <summary>Sends a whole frame.</summary>
    /// <exception cref="SocketException">The monitor is gone.</exception>
    public async ValueTask WriteAsync(FrameType type, ushort tag, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        var length = MonitorProtocol.HeaderLength + payload.Length;
        var frame = System.Buffers.ArrayPool<byte>.Shared.Rent(length);
        MonitorProtocol.WriteHeader(frame, type, tag, payload.Length);
        payload.CopyTo(frame.AsMemory(MonitorProtocol.HeaderLength));
        await _writing.WaitAsync(ct);
        try
        {
            // Once begun a frame is finished: half of one would make nonsense of all that follow.
            var sent = await socket.SendAsync(frame.AsMemory(0, length), SocketFlags.None, ct);
            while (sent < length)
            {
                sent += await socket.SendAsync(frame.AsMemory(sent, length - sent), SocketFlags.None, CancellationToken.None);
            }
        }
        finally
        {
            _writing.Release();
            System.Buffers.ArrayPool<byte>.Shared.Return(frame);
        }
    }

    public void Dispose() => socket.Dispose();

    private async ValueTask<bool> FillAsync(int wanted, CancellationToken ct)
    {
        while (_end - _start < wanted)
        {
            MakeRoom(wanted);
            int read;
            try
            {
                read = await socket.ReceiveAsync(_received.AsMemory(_end), SocketFlags.None, ct);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset)
            {
                // The monitor closed with input of ours unread; everything it had sent was received before this.
                read = 0;
            }

            if (read == 0)
            {
                return false;
            }

            _end += read;
        }

        return true;
    }

    private void MakeRoom(int wanted)
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }

        if (_start + wanted <= _received.Length && _end < _received.Length)
        {
            return;
        }

        var from = _received;
        if (wanted > _received.Length || _end - _start == _received.Length)
        {
            _received = new byte[Math.Max(wanted, Math.Min(_received.Length * 4, MonitorProtocol.StreamFrameLimit * 2))];
        }

        from.AsSpan(_start, _end - _start).CopyTo(_received);
        (_start, _end) = (0, _end - _start);
    }
}
