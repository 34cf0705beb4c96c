using System.Buffers.Binary;
using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// One client of a monitor: its request, what is still to be sent to it, and the streams it is attached to. It is closed by the loop once
/// <see cref="IsDead"/>, never in the middle of a round.
/// </summary>
/// <param name="fd">Its socket, non-blocking; the loop closes it.</param>
/// <param name="serve">Called when there is something to read that may be read now.</param>
internal sealed class Connection(int fd, Action<Connection> serve) : IPollOwner
{
    /// <summary>A request may carry an exec's whole environment.</summary>
    private const int RequestLimit = 4 << 20;

    private const int ECONNRESET = 104;

    private readonly ByteQueue _output = new();
    private ByteQueue? _request = new();
    private long _progressAt = Environment.TickCount64;

    public int Fd { get; } = fd;

    /// <summary>Bytes not yet taken by the socket.</summary>
    public int Pending => _output.Count;

    public bool IsReadingRequest => _request is not null;

    public StreamHub? Hub { get; set; }

    public bool WantsStdin { get; set; }

    public bool WantsStdout { get; set; }

    public bool WantsStderr { get; set; }

    /// <summary>The client has ended its input.</summary>
    public bool InputEnded { get; set; }

    /// <summary>The client has closed its socket; input it sent before may still wait there.</summary>
    private bool HungUp { get; set; }

    public bool IsSubscriber { get; set; }

    /// <summary>Close when everything is sent.</summary>
    public bool CloseWhenSent { get; set; }

    public bool IsDead { get; private set; }

    /// <summary>When the client last took a byte; without meaning while nothing is pending (Environment.TickCount64).</summary>
    public long ProgressAt => _progressAt;

    /// <summary>A connection whose request is known: the launcher's.</summary>
    public static Connection Launcher(int fd, Action<Connection> serve) => new(fd, serve) { _request = null, IsSubscriber = true };

    public void Collect(PollSet set)
    {
        var reads = !InputEnded && (IsReadingRequest || !WantsStdin || Hub is not { MayTakeInput: false });

        // A hang-up is reported whether asked for or not: while its input has to wait, a client that has gone must not turn the loop.
        if (!HungUp || reads)
        {
            set.Add(Fd, (short)((reads ? Poll.POLLIN : 0) | (Pending > 0 ? Poll.POLLOUT : 0)), this);
        }
    }

    public void OnReady(int fd, short events)
    {
        if ((events & (Poll.POLLHUP | Poll.POLLERR)) != 0)
        {
            HungUp = true;
            IsDead |= InputEnded;
        }

        Flush();
        if (!IsDead && !InputEnded && (events & (Poll.POLLIN | Poll.POLLHUP)) != 0 && (IsReadingRequest || Hub is not { MayTakeInput: false }))
        {
            serve(this);
        }
    }

    /// <summary>The client sends no more. One that has also gone, or that nothing is to be told, is done with.</summary>
    public void EndInput()
    {
        InputEnded = true;
        IsDead |= HungUp || (Hub is null && !IsSubscriber && Pending == 0);
    }

    /// <summary>Drops the client.</summary>
    public void Kill() => IsDead = true;

    /// <summary>Takes bytes of the request line. When it is whole, gives it, and what came behind it.</summary>
    /// <exception cref="JsonException">The line is not a request.</exception>
    public MonitorRequest? Take(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> rest)
    {
        var newline = data.IndexOf((byte)'\n');
        rest = newline < 0 ? [] : data[(newline + 1)..];
        _request!.Append(newline < 0 ? data : data[..newline]);
        if (newline < 0)
        {
            IsDead |= _request.Count > RequestLimit;
            return null;
        }

        var line = _request.Head;
        _request = null;
        return JsonSerializer.Deserialize(line, MonitorJson.Default.MonitorRequest);
    }

    /// <summary>Sends, or keeps what the socket does not take now.</summary>
    public void Send(ReadOnlySpan<byte> data)
    {
        if (HungUp)
        {
            // Nobody reads it; the connection lives only for the input that is still in it.
            return;
        }

        if (_output.Count == 0)
        {
            data = data[Take(data)..];
            _progressAt = Environment.TickCount64;
        }

        if (!data.IsEmpty && !IsDead && !HungUp)
        {
            _output.Append(data);
        }

        FinishWhenSent();
    }

    /// <summary>The exit code as the last frame of a stream, after which the connection closes.</summary>
    public void SendExit(int exitCode)
    {
        Span<byte> frame = stackalloc byte[MonitorFrames.HeadLength + sizeof(int)];
        MonitorFrames.WriteHead(frame, MonitorFrames.Exit, sizeof(int));
        BinaryPrimitives.WriteInt32BigEndian(frame[MonitorFrames.HeadLength..], exitCode);
        CloseWhenSent = true;
        Send(frame);
    }

    private void Flush()
    {
        while (!IsDead && _output.Count > 0 && Take(_output.Head) is var sent and > 0)
        {
            _output.Drop(sent);
            _progressAt = Environment.TickCount64;
        }

        FinishWhenSent();
    }

    private void FinishWhenSent() => IsDead |= CloseWhenSent && _output.Count == 0;

    /// <summary>How many bytes the socket takes.</summary>
    private int Take(ReadOnlySpan<byte> data)
    {
        var sent = UnixSocket.Send(Fd, data);
        if (sent is -Errno.EPIPE or -ECONNRESET)
        {
            HungUp = true;
            _output.Drop(_output.Count);
            IsDead |= InputEnded || !WantsStdin;
            return 0;
        }

        IsDead |= sent < 0 && sent != -Errno.EAGAIN;
        return Math.Max(sent, 0);
    }
}
