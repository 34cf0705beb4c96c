using System.IO.Pipelines;
using System.Net.Sockets;
using Sampan.Linux;

namespace Sampan.Daemon.Hijack;

/// <summary>The sending side of a taken connection. Writes throw when the client has gone, so that nobody talks to nobody for ever.</summary>
/// <param name="unreadHead">
/// The local socket on which the head of the answer was sent. The first output waits until the client has read that: clients that read it
/// through a buffer and then the output past it (docker-py) lose what came along. Null where nothing tells (TCP).
/// </param>
internal sealed class RawOutput(PipeWriter writer, Socket? unreadHead) : SequentialStream
{
    /// <summary>A client that has not read the head by then reads no output either.</summary>
    private const int PatienceMs = 5000;

    private const int LongestPauseMs = 16;

    private Socket? _unreadHead = unreadHead;

    public override bool CanWrite => true;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_unreadHead is { } socket)
        {
            _unreadHead = null;
            await HeadReadAsync(socket, cancellationToken);
        }

        var result = await writer.WriteAsync(buffer, cancellationToken);
        if (result.IsCompleted)
        {
            throw new IOException("the client has closed the connection");
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    private static async Task HeadReadAsync(Socket socket, CancellationToken cancel)
    {
        var began = Environment.TickCount64;
        for (var pause = 1; UnixSocket.HasUnread((int)socket.Handle) && Environment.TickCount64 - began < PatienceMs; pause = Math.Min(pause * 2, LongestPauseMs))
        {
            await Task.Delay(pause, cancel);
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask; // WriteAsync flushes

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("only asynchronous writes");
}

/// <summary>The receiving side of a taken connection; tells when the client has closed its side.</summary>
internal sealed class RawInput(PipeReader reader) : SequentialStream
{
    private readonly Stream _inner = reader.AsStream(leaveOpen: true);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when everything the client sent has been read and its side is closed.</summary>
    public Task End => _end.Task;

    public override bool CanRead => true;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var n = await _inner.ReadAsync(buffer, cancellationToken);
            if (n == 0)
            {
                _end.TrySetResult();
            }

            return n;
        }
        catch (IOException)
        {
            _end.TrySetResult();
            throw;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("only asynchronous reads");
}
