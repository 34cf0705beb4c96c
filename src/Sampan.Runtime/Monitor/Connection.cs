using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>One client of a monitor: its request, what is still to be sent to it, and the streams it is attached to.</summary>
internal sealed class Connection(int fd)
{
    /// <summary>A request may carry an exec's whole environment.</summary>
    private const int RequestLimit = 4 << 20;

    private readonly Queue<byte[]> _queue = new();
    private List<byte>? _request = [];
    private int _sent;

    public int Fd { get; } = fd;

    /// <summary>Bytes not yet taken by the socket.</summary>
    public int Pending { get; private set; }

    public bool IsReadingRequest => _request is not null;

    public StreamHub? Hub { get; set; }

    public bool WantsStdin { get; set; }

    public bool WantsStdout { get; set; }

    public bool WantsStderr { get; set; }

    /// <summary>The client has ended its input.</summary>
    public bool InputEnded { get; set; }

    public bool IsSubscriber { get; set; }

    /// <summary>Close when everything is sent.</summary>
    public bool CloseWhenSent { get; set; }

    public bool IsDead { get; set; }

    /// <summary>Takes bytes of the request line. When it is whole, gives it, and what came behind it.</summary>
    public MonitorRequest? Take(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> rest)
    {
        var newline = data.IndexOf((byte)'\n');
        rest = newline < 0 ? [] : data[(newline + 1)..];
        _request!.AddRange(newline < 0 ? data : data[..newline]);
        if (newline < 0)
        {
            IsDead = _request!.Count > RequestLimit;
            return null;
        }

        var line = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_request);
        _request = null;
        return JsonSerializer.Deserialize(line, MonitorJson.Default.MonitorRequest);
    }

    public void Send(byte[] data)
    {
        if (!IsDead)
        {
            _queue.Enqueue(data);
            Pending += data.Length;
            Flush();
        }
    }

    /// <summary>Sends a frame: the eight-byte head and the payload.</summary>
    public void SendFrame(byte stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[8 + payload.Length];
        frame[0] = stream;
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), payload.Length);
        payload.CopyTo(frame.AsSpan(8));
        Send(frame);
    }

    /// <summary>Gives the socket as much as it takes.</summary>
    public void Flush()
    {
        while (_queue.TryPeek(out var head))
        {
            var written = Raw.Write(Fd, head.AsSpan(_sent));
            if (written == -Errno.EAGAIN)
            {
                return;
            }

            if (written < 0)
            {
                IsDead = true;
                return;
            }

            _sent += written;
            Pending -= written;
            if (_sent == head.Length)
            {
                _queue.Dequeue();
                _sent = 0;
            }
        }

        if (CloseWhenSent)
        {
            IsDead = true;
        }
    }
}
