using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Sampan.Daemon.Hijack;

namespace Sampan.Daemon.Buildkit.Grpc;

/// <summary>A call's work. It throws what the client shall be told.</summary>
internal delegate Task GrpcHandler(GrpcCall call);

/// <summary>
/// Answers gRPC calls on connections that were taken from the Engine API (<c>POST /grpc</c>). HTTP/2 is Kestrel's, which is in the binary
/// anyway; it starts with the first such connection.
/// </summary>
internal sealed class GrpcServer : IHttpApplication<HttpContext>, IAsyncDisposable
{
    private readonly Dictionary<string, GrpcHandler> _handlers = [];
    private readonly MemoryListener _listener = new();
    private readonly Lazy<Task<KestrelServer>> _server;
    private readonly DaemonLog _log;

    public GrpcServer(DaemonLog log)
    {
        _log = log;
        _server = new(StartAsync);
    }

    /// <param name="method"><c>/package.Service/Method</c>.</param>
    public void Map(string method, GrpcHandler handler) => _handlers.Add(method, handler);

    /// <summary>Answers calls until the client has gone.</summary>
    /// <param name="id">What the connection is called in its calls.</param>
    public async Task ServeAsync(RawConnection connection, string id, CancellationToken cancel)
    {
        _ = await _server.Value;
        await using var stream = new DuplexStream(connection);
        await _listener.ServeAsync(stream, id, cancel);
    }

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    public async Task ProcessRequestAsync(HttpContext context)
    {
        context.Response.ContentType = "application/grpc";
        var call = new GrpcCall(context);
        GrpcException? error = null;
        try
        {
            var handler = _handlers.GetValueOrDefault(call.Method)
                ?? throw new GrpcException(GrpcCode.Unimplemented, $"'{call.Method}' is not supported by Sampan");
            await handler(call);
        }
        catch (Exception e)
        {
            error = GrpcException.Of(e);
            if (error.Code is GrpcCode.Unknown && e is not GrpcException)
            {
                _log.Error($"grpc {call.Method}: {e.Message}", e);
            }
            else
            {
                _log.Debug($"grpc {call.Method}: {error.Code}: {e.Message}");
            }
        }

        if (context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is { } trailers && !call.Cancel.IsCancellationRequested)
        {
            trailers["grpc-status"] = ((int)(error?.Code ?? GrpcCode.Ok)).ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (error is not null)
            {
                trailers["grpc-message"] = Escape(error.Message);
                trailers["grpc-status-details-bin"] = Convert.ToBase64String(error.ToStatus()).TrimEnd('=');
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated)
        {
            using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            var server = await _server.Value;
            await server.StopAsync(now.Token);
            server.Dispose();
        }
    }

    /// <summary>A message as a header can carry it: UTF-8, with a percent sign before all that is not printable ASCII.</summary>
    private static string Escape(string message)
    {
        const int Longest = 4096; // the rest is in the details
        var escaped = new StringBuilder();
        foreach (var letter in Encoding.UTF8.GetBytes(message.Length > Longest ? message[..Longest] : message))
        {
            _ = letter is >= 0x20 and < 0x7F and not (byte)'%' ? escaped.Append((char)letter)
                : escaped.Append('%').Append(letter.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return escaped.ToString();
    }

    private async Task<KestrelServer> StartAsync()
    {
        var options = new KestrelServerOptions { AddServerHeader = false, ApplicationServices = NoServices.Instance };
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;

        // The connection's owner says when it ends. Not InfiniteTimeSpan: Kestrel adds it to a time stamp in nanoseconds, which overflows, and
        // closes a connection whose first bytes had not come at the next heartbeat.
        options.Limits.KeepAliveTimeout = TimeSpan.FromDays(365);
        options.Listen(_listener.EndPoint, listen => listen.Protocols = HttpProtocols.Http2);
        var server = new KestrelServer(new OptionsWrapper<KestrelServerOptions>(options), _listener, NullLoggerFactory.Instance);
        await server.StartAsync(this, CancellationToken.None);
        return server;
    }

    private sealed class NoServices : IServiceProvider
    {
        public static NoServices Instance { get; } = new();

        public object? GetService(Type serviceType) => null;
    }
}
