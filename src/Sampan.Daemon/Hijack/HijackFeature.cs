using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Sampan.Linux;

namespace Sampan.Daemon.Hijack;

/// <summary>
/// Lets a handler take its connection away from HTTP (attach, exec). Installed on every connection as Kestrel's connection middleware;
/// found among the request's features.
/// </summary>
internal sealed class HijackFeature : IDuplexPipe, IDisposable
{
    /// <summary>How often a connection whose input has ended is asked whether the client has closed it altogether.</summary>
    private static readonly TimeSpan HangUpInterval = TimeSpan.FromSeconds(2);

    /// <summary>How long a request may take from its last byte to its handler, when the client half-closed at once.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly HijackReader _reader;
    private readonly HijackWriter _writer;
    private readonly Socket? _socket;
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly CancellationTokenRegistration _registration;

    private HijackFeature(ConnectionContext connection)
    {
        _reader = new HijackReader(connection.Transport.Input);
        _writer = new HijackWriter(connection.Transport.Output);
        _socket = connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        _registration = connection.ConnectionClosed.Register(OnInputEnd);
    }

    public PipeReader Input => _reader;

    public PipeWriter Output => _writer;

    /// <summary>True once a handler has taken the connection.</summary>
    public bool IsTaken { get; private set; }

    /// <summary>Kestrel's connection middleware.</summary>
    public static ConnectionDelegate Middleware(ConnectionDelegate next) => async connection =>
    {
        using var feature = new HijackFeature(connection);
        var transport = connection.Transport;
        connection.Features.Set(feature);
        connection.Transport = feature;
        connection.ConnectionClosed = feature._closed.Token;
        try
        {
            await next(connection);
        }
        finally
        {
            // The transport's own pipes again: what a handler wrote last is sent when the connection is disposed.
            connection.Transport = transport;
            if (feature.IsTaken)
            {
                await transport.Output.CompleteAsync();
                await transport.Input.CompleteAsync();
            }
        }
    };

    /// <summary>To be called at the end of every request.</summary>
    public void RequestDone()
    {
        if (!IsTaken)
        {
            _reader.RequestDone();
        }
    }

    /// <summary>
    /// Takes the connection: writes <paramref name="head"/> (status line and headers of the answer), and from then on the bytes belong to
    /// the caller. The request's body must have been read to its end. The connection closes after the handler returns.
    /// </summary>
    public async Task<RawConnection> TakeAsync(string head, CancellationToken cancel)
    {
        IsTaken = true;
        var (reader, writer) = (_reader.Take(), _writer.Take());
        var bytes = Encoding.Latin1.GetBytes(head);
        if (_socket is { AddressFamily: AddressFamily.Unix })
        {
            // Past Kestrel's pipe, which is empty between answers: only what has been sent can be asked about.
            await _socket.SendAsync(bytes, cancel);
            return new RawConnection(new RawInput(reader), new RawOutput(writer, _socket), this);
        }

        var output = new RawOutput(writer, null);
        await output.WriteAsync(bytes, cancel);
        return new RawConnection(new RawInput(reader), output, this);
    }

    public void Dispose()
    {
        _registration.Dispose();
        _ended.Cancel();
        _ended.Dispose();
        _closed.Dispose();
    }

    /// <summary>
    /// The transport calls a connection closed when the client has shut down its writing side, and Kestrel aborts such a one, output and
    /// all. So it is told only of clients that have gone altogether.
    /// </summary>
    private void OnInputEnd() => _ = TellOfHangUpAsync(_ended.Token);

    private async Task TellOfHangUpAsync(CancellationToken ended)
    {
        try
        {
            if (_socket is { AddressFamily: AddressFamily.Unix })
            {
                await HungUpAsync(ended);
            }
            else
            {
                // Over TCP nothing tells a half-close from a close: only requests that leave HTTP may half-close.
                await Task.Delay(Grace, ended);
            }

            if (!IsTaken && !_reader.WantsUpgrade)
            {
                await _closed.CancelAsync();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The connection has ended first.
        }
    }

    /// <summary>
    /// Completes when the client has closed both directions. A half-close looks the same to a reader; only the kernel tells them apart,
    /// and only if asked (POLLHUP).
    /// </summary>
    internal async Task HungUpAsync(CancellationToken cancel)
    {
        while (_socket is not null && !IsHungUp(_socket))
        {
            await Task.Delay(HangUpInterval, cancel);
        }
    }

    private static bool IsHungUp(Socket socket)
    {
        try
        {
            Span<PollFd> poll = [new PollFd { Fd = (int)socket.SafeHandle.DangerousGetHandle(), Events = 0 }];
            return Poll.Wait(poll, 0) && (poll[0].Revents & (Poll.POLLHUP | Poll.POLLERR)) != 0;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }
}

/// <summary>A connection that has left HTTP.</summary>
/// <param name="Input">What the client sends; ends at its half-close.</param>
/// <param name="Output">What the client receives; throws once it has gone.</param>
internal sealed record RawConnection(RawInput Input, Stream Output, HijackFeature Feature);
