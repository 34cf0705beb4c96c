using System.Net.Sockets;
using System.Text.Json.Serialization.Metadata;

namespace Sampan.Runtime;

/// <summary>The daemon's control connection to a monitor: requests with replies by tag, and the events that come by themselves.</summary>
internal sealed class ControlChannel : IAsyncDisposable
{
    private readonly MonitorSocket _socket;
    private readonly string _subject;
    private readonly Lock _lock = new();
    private readonly Dictionary<ushort, TaskCompletionSource<(FrameType, byte[])>> _waiting = [];
    private readonly Task _reading;
    private ushort _lastTag;
    private bool _closed;

    /// <param name="onEvent">Called in order, for frames with tag 0.</param>
    /// <param name="onClosed">Called once, when the monitor's end is closed.</param>
    public ControlChannel(MonitorSocket socket, string subject, Action<FrameType, byte[]> onEvent, Func<Task> onClosed)
    {
        (_socket, _subject) = (socket, subject);
        _reading = ReadLoopAsync(onEvent, onClosed);
    }

    /// <summary>Sends a request and waits for its reply of the type expected.</summary>
    /// <exception cref="MonitorException">Refused, not answered in time, or the connection broke.</exception>
    public async Task<byte[]> RequestAsync(FrameType request, byte[] payload, FrameType expected, TimeSpan timeout, CancellationToken ct)
    {
        var reply = new TaskCompletionSource<(FrameType Type, byte[] Payload)>(TaskCreationOptions.RunContinuationsAsynchronously);
        var tag = Register(reply);
        try
        {
            await _socket.WriteAsync(request, tag, payload, ct);
            var (type, answer) = await reply.Task.WaitAsync(timeout, ct);
            return type == expected ? answer
                : type == FrameType.Error ? throw ControlCodec.ToException(ControlCodec.Read(answer, MonitorJson.Default.ErrorMessage), request == FrameType.Start)
                : throw new MonitorException(MonitorErrorKind.BadRequest, $"{_subject}: {request} was answered with {type}");
        }
        catch (TimeoutException)
        {
            throw new MonitorException(MonitorErrorKind.Unreachable, $"{_subject}: no answer to {request} within {timeout.TotalSeconds} s");
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw Gone(e);
        }
        finally
        {
            lock (_lock)
            {
                _waiting.Remove(tag);
            }
        }
    }

    /// <inheritdoc cref="RequestAsync(FrameType, byte[], FrameType, TimeSpan, CancellationToken)"/>
    public async Task<T> RequestAsync<T>(FrameType request, byte[] payload, FrameType expected, JsonTypeInfo<T> reply, TimeSpan timeout, CancellationToken ct)
        where T : class => ControlCodec.Read(await RequestAsync(request, payload, expected, timeout, ct), reply);

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _reading;
    }

    private ushort Register(TaskCompletionSource<(FrameType, byte[])> reply)
    {
        lock (_lock)
        {
            if (_closed)
            {
                throw Gone(null);
            }

            do
            {
                _lastTag++;
            }
            while (_lastTag == 0 || _waiting.ContainsKey(_lastTag));
            _waiting.Add(_lastTag, reply);
            return _lastTag;
        }
    }

    private MonitorException Gone(Exception? cause) => new(MonitorErrorKind.Unreachable, $"{_subject}: its monitor has ended", cause);

    private async Task ReadLoopAsync(Action<FrameType, byte[]> onEvent, Func<Task> onClosed)
    {
        Exception? cause = null;
        try
        {
            while (await _socket.ReadAsync(CancellationToken.None) is var (header, whole))
            {
                var payload = whole[MonitorProtocol.HeaderLength..].ToArray();
                if (header.Tag == 0)
                {
                    onEvent(header.Type, payload);
                    continue;
                }

                lock (_lock)
                {
                    // A reply whose request has timed out is nobody's any more.
                    _waiting.GetValueOrDefault(header.Tag)?.TrySetResult((header.Type, payload));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            cause = e;
        }

        lock (_lock)
        {
            _closed = true;
            foreach (var reply in _waiting.Values)
            {
                reply.TrySetException(Gone(cause));
            }
        }

        _socket.Dispose();
        await onClosed();
    }
}
