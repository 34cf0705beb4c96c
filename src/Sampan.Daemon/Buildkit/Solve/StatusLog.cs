using System.Threading.Channels;
using Sampan.Api;
using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>What a build tells of itself, until somebody asks for it (<c>Control/Status</c>).</summary>
internal sealed class StatusLog
{
    /// <summary>So many messages are kept while nobody reads; then the oldest go.</summary>
    private const int QueueLength = 4096;

    private readonly Channel<ReadOnlyMemory<byte>> _queue = Channel.CreateBounded<ReadOnlyMemory<byte>>(QueueLength);
    private int _readers;

    /// <summary>Tells something. A reader that is slow makes the build wait.</summary>
    public async ValueTask WriteAsync(BuildStatus status, CancellationToken cancel)
    {
        var message = StatusMessage.Of(status);
        while (!_queue.Writer.TryWrite(message) && !_queue.Reader.Completion.IsCompleted)
        {
            if (Volatile.Read(ref _readers) == 0)
            {
                _queue.Reader.TryRead(out _);
            }
            else if (!await _queue.Writer.WaitToWriteAsync(cancel))
            {
                return;
            }
        }
    }

    /// <summary>Nothing more will be told.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>Everything that is told, to the end.</summary>
    public async Task ReadAsync(Func<ReadOnlyMemory<byte>, ValueTask> reader, CancellationToken cancel)
    {
        Interlocked.Increment(ref _readers);
        try
        {
            await foreach (var message in _queue.Reader.ReadAllAsync(cancel))
            {
                await reader(message);
            }
        }
        finally
        {
            if (Interlocked.Decrement(ref _readers) == 0)
            {
                _queue.Reader.TryRead(out _); // whoever waits for room sees that nobody reads any more
            }
        }
    }
}

/// <summary><c>moby.buildkit.v1.StatusResponse</c>.</summary>
internal static class StatusMessage
{
    public static ReadOnlyMemory<byte> Of(BuildStatus status)
    {
        var writer = new ProtoWriter();
        foreach (var vertex in status.Vertexes ?? [])
        {
            writer.Message(1, message => message
                .String(1, vertex.Digest).String(3, vertex.Name).Bool(4, vertex.Cached)
                .Time(5, Time(vertex.Started)).Time(6, Time(vertex.Completed)).String(7, vertex.Error));
        }

        foreach (var moved in status.Statuses ?? [])
        {
            var at = Time(moved.Timestamp);
            var isDone = moved.IsDone || (moved.Total > 0 && moved.Current >= moved.Total);
            writer.Message(2, message => message
                .String(1, moved.Id).String(2, moved.Vertex).String(3, moved.Id).Int64(4, moved.Current).Int64(5, moved.Total)
                .Time(6, at).Time(7, at).Time(8, isDone ? at : null));
        }

        foreach (var log in status.Logs ?? [])
        {
            writer.Message(3, message => message
                .String(1, log.Vertex).Time(2, Time(log.Timestamp)).Int64(3, log.Stream).Bytes(4, log.Data));
        }

        foreach (var warning in status.Warnings ?? [])
        {
            writer.Message(4, message => message.String(1, warning.Vertex).Int64(2, 1).Bytes(3, warning.Short));
        }

        return writer.Written;
    }

    private static DateTimeOffset? Time(string? text) => text is { Length: > 0 } ? GoTime.Parse(text) : null;
}
