using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>Attaching to a container's streams, and its log.</summary>
public sealed partial class EngineService
{
    public Task<IAttachSession> AttachAsync(string name, AttachOptions options, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        if (container.Record.Status == ContainerStatus.Paused)
        {
            throw EngineException.Conflict($"container {container.Id} is paused, unpause the container before attach");
        }

        // Registered now, before the answer goes out: a client that starts the container right after it misses nothing.
        // Not under the request's token, which is cancelled when a client without input closes its side at once.
        var closing = new CancellationTokenSource();
        var connected = options.Stream ? ConnectAsync(container, options, closing.Token) : Task.FromResult<MonitorStream?>(null);
        Publish(container, "attach");
        var log = options.Logs
            ? new LogSession(new LogReader(LogPath(container.Id)), new LogsOptions { Stdout = options.Stdout, Stderr = options.Stderr }, container.Record.Config.Tty, null)
            : null;
        return Task.FromResult<IAttachSession>(new AttachSession(connected, closing, container.Record.Config.Tty, options.DetachKeys, log, () => Publish(container, "detach")));
    }

    public Task ResizeAsync(string name, int height, int width, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        container.Record.HostConfig.ConsoleSize = [height, width];
        return container.Record.IsRunning ? RequireRunning(container, "").ResizeAsync(null, height, width, cancel) : Task.CompletedTask;
    }

    public Task<IOutputSession> LogsAsync(string name, LogsOptions options, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        if (!options.Stdout && !options.Stderr)
        {
            throw EngineException.Invalid("Bad parameters: you must choose at least one stream");
        }

        if (!new LogSettings(container.Record.HostConfig.LogConfig).Writes)
        {
            throw new EngineException(ErrorKind.NotImplemented, "configured logging driver does not support reading");
        }

        return Task.FromResult<IOutputSession>(new LogSession(new LogReader(LogPath(container.Id)), options, container.Record.Config.Tty, options.Follow ? () => container.Record.IsRunning : null));
    }

    private static async Task<MonitorStream?> ConnectAsync(Container container, AttachOptions options, CancellationToken cancel)
    {
        if (container.Monitor is { } monitor)
        {
            return await monitor.AttachAsync(options.Stdin, options.Stdout, options.Stderr, cancel);
        }

        var pending = new PendingAttach(options.Stdin, options.Stdout, options.Stderr, new(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (container.Pending)
        {
            container.Pending.Add(pending);
        }

        var failed = container.NextExit;
        await Task.WhenAny(pending.Connected.Task, failed, container.Removed.Task).WaitAsync(cancel);
        lock (container.Pending)
        {
            container.Pending.Remove(pending);
        }

        // A start that fails ends the container without a monitor: there is nothing to attach to.
        return pending.Connected.Task.IsCompletedSuccessfully ? await pending.Connected.Task : null;
    }
}

/// <summary>One attached client: its input to the monitor, the monitor's output to it, until either ends or it detaches.</summary>
internal sealed class AttachSession(Task<MonitorStream?> connected, CancellationTokenSource closing, bool tty, string? detachKeys, LogSession? log, Action detached) : IAttachSession
{
    public bool Tty => tty;

    public async Task RunAsync(Stream? clientInput, Stream clientOutput, CancellationToken cancel)
    {
        if (log is not null)
        {
            await log.RunAsync(clientOutput, cancel);
        }

        using var stream = await connected.WaitAsync(cancel);
        if (stream is null)
        {
            return;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var output = stream.CopyToAsync(clientOutput, frames: !tty, over.Token);
        var input = clientInput is null ? Task.FromResult(false) : CopyInputAsync(clientInput, stream, over.Token);
        if (await Task.WhenAny(output, input) == input && await input)
        {
            detached();
            await over.CancelAsync();
            return;
        }

        try
        {
            await output;
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await closing.CancelAsync();
        if (connected.IsCompletedSuccessfully)
        {
            (await connected)?.Dispose();
        }

        closing.Dispose();
    }

    /// <summary>True when the detach keys were typed, false when the input ended.</summary>
    private async Task<bool> CopyInputAsync(Stream input, MonitorStream stream, CancellationToken cancel)
    {
        var keys = tty ? new DetachKeys(detachKeys) : null;
        var buffer = new byte[32 * 1024];
        try
        {
            int read;
            while ((read = await input.ReadAsync(buffer, cancel)) > 0)
            {
                ReadOnlyMemory<byte> data = buffer.AsMemory(0, read);
                if (keys is not null && keys.Filter(ref data))
                {
                    return true;
                }

                await stream.WriteStdinAsync(data, cancel);
            }

            stream.CloseStdin();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or System.Net.Sockets.SocketException)
        {
            // The client or the program is gone: the output side tells which, and ends the session.
        }

        return false;
    }
}

/// <summary>A container's log as a stream: framed for a container without a terminal.</summary>
internal sealed class LogSession(LogReader reader, LogsOptions options, bool tty, Func<bool>? stillRunning) : IOutputSession
{
    public bool Tty => tty;

    public async Task RunAsync(Stream clientOutput, CancellationToken cancel)
    {
        await foreach (var entry in reader.ReadAsync(options.Tail, stillRunning, cancel))
        {
            if (options.Until is { } until && entry.At > until)
            {
                return;
            }

            if (!(entry.IsStderr ? options.Stderr : options.Stdout) || (options.Since is { } since && entry.At < since))
            {
                continue;
            }

            byte[] text = options.Timestamps ? [.. System.Text.Encoding.ASCII.GetBytes(entry.FixedTime), (byte)' ', .. entry.Text] : entry.Text;
            await clientOutput.WriteAsync(tty ? text : StdCopyFrame.Of(entry.IsStderr ? 2 : 1, text), cancel);
            await clientOutput.FlushAsync(cancel);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>One frame of Docker's multiplexed streams: stream, three zeros, length, payload.</summary>
internal static class StdCopyFrame
{
    public static byte[] Of(int stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[8 + payload.Length];
        frame[0] = (byte)stream;
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), payload.Length);
        payload.CopyTo(frame.AsSpan(8));
        return frame;
    }
}

/// <summary>Finds the detach sequence (default ctrl-p ctrl-q) in what is typed; its bytes are not passed on.</summary>
internal sealed class DetachKeys
{
    private readonly byte[] _keys;
    private int _seen;

    /// <param name="text">As in <c>ctrl-a,a</c>: letters, or ctrl- with a letter or one of @ [ \ ] ^ _.</param>
    public DetachKeys(string? text) => _keys = string.IsNullOrEmpty(text) ? [16, 17] : [.. text.Split(',').Select(Key)];

    /// <summary>True when the sequence is complete.</summary>
    public bool Filter(ref ReadOnlyMemory<byte> data)
    {
        var passed = new List<byte>(data.Length + _seen);
        foreach (var b in data.Span)
        {
            if (b == _keys[_seen])
            {
                if (++_seen == _keys.Length)
                {
                    return true;
                }

                continue;
            }

            passed.AddRange(_keys.AsSpan(0, _seen));
            _seen = b == _keys[0] ? 1 : 0;
            if (_seen == 0)
            {
                passed.Add(b);
            }
        }

        data = passed.ToArray();
        return false;
    }

    private static byte Key(string key) => key switch
    {
        [var letter] => (byte)letter,
        ['c', 't', 'r', 'l', '-', var c] when char.IsAsciiLetter(c) => (byte)(char.ToLowerInvariant(c) - 'a' + 1),
        ['c', 't', 'r', 'l', '-', var c] when "@[\\]^_".Contains(c) => (byte)(c == '@' ? 0 : c - '[' + 27),
        _ => throw EngineException.Invalid($"invalid detach keys: unknown character: '{key}'"),
    };
}
