using System.Net;
using System.Text;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>
/// A client's side of a build (<c>POST /session</c>): over a connection that the client opened the daemon calls services of the client, which
/// have its files, secrets and credentials.
/// </summary>
internal sealed class ClientSession : IAsyncDisposable
{
    private readonly DuplexStream _stream;
    private readonly HttpClient _http;
    private readonly CancellationTokenSource _closed = new();
    private int _connected;

    /// <param name="id">The name that the client's builds refer to.</param>
    /// <param name="sharedKey">Tells the client's directories from those of others at each of its builds; empty for none.</param>
    /// <param name="methods">What the client says it serves, as <c>/package.Service/Method</c>.</param>
    public ClientSession(string id, string sharedKey, IEnumerable<string> methods, DuplexStream stream)
    {
        (Id, SharedKey) = (id, sharedKey);
        Methods = methods.ToHashSet(StringComparer.OrdinalIgnoreCase);
        _stream = stream;
        _ = stream.Closed.ContinueWith(_ => _closed.CancelAsync(), TaskScheduler.Default);
        _http = new(new SocketsHttpHandler
        {
            ConnectCallback = (_, _) => Interlocked.Exchange(ref _connected, 1) == 0 ? ValueTask.FromResult<Stream>(new Outgoing(stream))
                : throw new IOException("the client's session has ended"),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
        })
        {
            BaseAddress = new("http://session"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public string Id { get; }

    public string SharedKey { get; }

    public IReadOnlySet<string> Methods { get; }

    /// <summary>Fires when the client has gone.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>Speaks to the client for the first time, then waits until it has gone.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            // Nobody reads a connection that has not been used yet, so its end would not be seen.
            await using var hello = Open("/grpc.health.v1.Health/Check", cancel);
            await hello.WriteAsync(ReadOnlyMemory<byte>.Empty);
            await hello.CompleteAsync();
            _ = await hello.ReadAsync();
        }
        catch (GrpcException e) when (e.Code == GrpcCode.Unimplemented)
        {
            // It has answered, and that is all.
        }

        await _stream.Closed.WaitAsync(cancel);
    }

    /// <summary>Begins a call. Dispose it to end it.</summary>
    /// <param name="metadata">Values that are not ASCII are escaped as the client expects it.</param>
    public SessionCall Open(string method, CancellationToken cancel, params IEnumerable<(string Name, string Value)> metadata)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, method) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.TE.Add(new("trailers"));
        foreach (var group in metadata.GroupBy(pair => pair.Name))
        {
            var isPlain = group.All(pair => Ascii.IsValid(pair.Value) && !pair.Value.Any(char.IsControl));
            request.Headers.TryAddWithoutValidation(
                group.Key, string.Join(RepeatedFields.Separator, group.Select(pair => isPlain ? pair.Value : WebUtility.UrlEncode(pair.Value))));
            if (!isPlain)
            {
                request.Headers.TryAddWithoutValidation(group.Key + "-encoded", "1");
            }
        }

        return new(_http, request, CancellationTokenSource.CreateLinkedTokenSource(cancel, Closed));
    }

    /// <summary>A call with one message each way.</summary>
    /// <exception cref="GrpcException">What the client says.</exception>
    public async Task<byte[]> CallAsync(string method, ReadOnlyMemory<byte> message, CancellationToken cancel, params IEnumerable<(string Name, string Value)> metadata)
    {
        await using var call = Open(method, cancel, metadata);
        await call.WriteAsync(message);
        await call.CompleteAsync();
        var answer = await call.ReadAsync() ?? throw new GrpcException(GrpcCode.Internal, $"the client's answer to {method} is empty");
        return await call.ReadAsync() is null ? answer : throw new GrpcException(GrpcCode.Internal, $"the client answers {method} twice");
    }

    /// <summary>The connection as HttpClient has it.</summary>
    private sealed class Outgoing(DuplexStream stream) : SequentialStream
    {
        private readonly RepeatedFields _fields = new();

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => stream.ReadAsync(buffer, cancellationToken);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            _fields.Next(buffer.Span) is { IsEmpty: false } ready ? stream.WriteAsync(ready, cancellationToken) : ValueTask.CompletedTask;

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) => stream.FlushAsync(cancellationToken);

        protected override void Dispose(bool disposing)
        {
            stream.Dispose();
            base.Dispose(disposing);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        _http.Dispose();
        await _stream.DisposeAsync();
    }
}
