using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Sampan.Daemon.Buildkit.Grpc;

/// <summary>Hands connections that are there already to a Kestrel, which believes that it listens.</summary>
internal sealed class MemoryListener : IConnectionListenerFactory, IConnectionListener
{
    private readonly Channel<ConnectionContext> _connections = Channel.CreateUnbounded<ConnectionContext>();

    public EndPoint EndPoint { get; } = new MemoryEndPoint();

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => ValueTask.FromResult<IConnectionListener>(this);

    /// <summary>Gives Kestrel a connection; completes when it is done with it.</summary>
    public async Task ServeAsync(DuplexStream stream, string id, CancellationToken cancel)
    {
        var connection = new MemoryConnection(stream, id);
        await using var stop = cancel.Register(() => connection.Abort(new ConnectionAbortedException("the daemon stops")));
        await _connections.Writer.WriteAsync(connection, cancel);
        await connection.Done;
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _connections.Reader.WaitToReadAsync(cancellationToken) && _connections.Reader.TryRead(out var connection) ? connection : null;

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _connections.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => UnbindAsync();

    private sealed class MemoryEndPoint : EndPoint
    {
        public override string ToString() => "memory";
    }

    private sealed class MemoryConnection : ConnectionContext, IDuplexPipe
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenSource _closed = new();

        public MemoryConnection(DuplexStream stream, string id)
        {
            ConnectionId = id;
            Transport = this;
            (Input, Output) = (PipeReader.Create(stream), PipeWriter.Create(stream));
            ConnectionClosed = _closed.Token;
            _ = stream.Closed.ContinueWith(_ => _closed.CancelAsync(), TaskScheduler.Default);
        }

        public Task Done => _done.Task;

        public PipeReader Input { get; }

        public PipeWriter Output { get; }

        public override IDuplexPipe Transport { get; set; }

        public override string ConnectionId { get; set; }

        public override IFeatureCollection Features { get; } = new FeatureCollection();

        public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

        public override CancellationToken ConnectionClosed { get; set; }

        public override void Abort(ConnectionAbortedException abortReason)
        {
            Input.CancelPendingRead();
            _closed.Cancel();
            _done.TrySetResult();
        }

        public override ValueTask DisposeAsync()
        {
            _done.TrySetResult();
            return ValueTask.CompletedTask;
        }
    }
}
