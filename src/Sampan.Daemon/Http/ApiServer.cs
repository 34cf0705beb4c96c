using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Sampan.Api;
using Sampan.Daemon.Buildkit;
using Sampan.Daemon.Hijack;
using Sampan.Daemon.Routes;

namespace Sampan.Daemon.Http;

/// <summary>The Engine API over HTTP: Kestrel alone, without the hosting around it, on sockets that are bound already.</summary>
internal sealed class ApiServer : IHttpApplication<HttpContext>, IAsyncDisposable
{
    /// <summary>Request line and headers may be this long, as with Go's server; builds put their arguments there.</summary>
    private const int HeadLimit = 1024 * 1024;

    /// <summary>Bytes read from a client before anybody has looked at them; more only costs memory.</summary>
    private const int ReadAhead = 256 * 1024;

    private readonly KestrelServer _server;
    private readonly Router _router = new();
    private readonly IEngine _engine;
    private readonly DaemonLog _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly IdleTrim _idle = new();
    private readonly BuildkitHost _buildkit;

    public ApiServer(IEngine engine, IReadOnlyList<Socket> sockets, DaemonLog log)
    {
        (_engine, _log) = (engine, log);
        _buildkit = new(engine, log);
        AllRoutes.Map(_router, _buildkit, log);
        var options = new KestrelServerOptions { AddServerHeader = false, ApplicationServices = NoServices.Instance };
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MaxRequestLineSize = HeadLimit;
        options.Limits.MaxRequestHeadersTotalSize = HeadLimit;
        options.Limits.MaxRequestBufferSize = 2 * HeadLimit;
        options.Limits.MinRequestBodyDataRate = null; // a person at a terminal sends slowly
        options.Limits.MinResponseDataRate = null;
        var byHandle = sockets.ToDictionary(s => (ulong)s.Handle);
        var transport = new SocketTransportOptions
        {
            CreateBoundListenSocket = end => byHandle[((FileHandleEndPoint)end).FileHandle],
            MaxReadBufferSize = ReadAhead,
        };
        foreach (var handle in byHandle.Keys)
        {
            options.ListenHandle(handle, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(HijackFeature.Middleware);
            });
        }

        _server = new KestrelServer(
            new OptionsWrapper<KestrelServerOptions>(options),
            new SocketTransportFactory(new OptionsWrapper<SocketTransportOptions>(transport), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance);
    }

    public Task StartAsync(CancellationToken cancel) => _server.StartAsync(this, cancel);

    /// <summary>Stops to accept, ends what runs, and waits for it until <paramref name="deadline"/>.</summary>
    public async Task StopAsync(CancellationToken deadline)
    {
        await _stopping.CancelAsync();
        await _server.StopAsync(deadline);
    }

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    public async Task ProcessRequestAsync(HttpContext context)
    {
        _idle.RequestStarts();
        try
        {
            CommonHeaders(context.Response.Headers);
            await RouteAsync(context);
        }
        finally
        {
            _idle.RequestEnds();
            context.Features.Get<HijackFeature>()?.RequestDone();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _server.Dispose();
        await _buildkit.DisposeAsync();
        _idle.Dispose();
        _stopping.Dispose();
    }

    private async Task RouteAsync(HttpContext context)
    {
        ApiCall call;
        try
        {
            call = Parse(context);
        }
        catch (ApiException e)
        {
            await Errors.AnswerAsync(context, e.Status, e.Message, context.RequestAborted);
            return;
        }

        using (call)
        {
            _log.Debug($"{context.Request.Method} {call.Path} (1.{call.Version})");
            if (_router.Find(context.Request.Method, call.Path) is not { } route)
            {
                await Errors.AnswerAsync(context, 404, "page not found", call.Cancel);
                return;
            }

            call.Name = route.Name;
            await RunAsync(call, route.Handler);
        }
    }

    private async Task RunAsync(ApiCall call, RouteHandler handler)
    {
        try
        {
            await handler(call);
        }
        catch (Exception e) when (call.Cancel.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            _log.Debug($"{call.Http.Request.Method} {call.Path}: the client has gone");
            call.Http.Abort();
        }
        catch (Exception e)
        {
            if (Errors.IsUnexpected(e))
            {
                _log.Error($"{call.Http.Request.Method} {call.Path}: {e.Message}", e);
            }

            if (call.Http.Features.Get<HijackFeature>() is { IsTaken: true })
            {
                return; // its bytes are not ours any more; the connection closes
            }

            if (call.Http.Response.HasStarted)
            {
                call.Http.Abort(); // a torn answer must not look like a whole one
                return;
            }

            call.Http.Response.Clear();
            CommonHeaders(call.Http.Response.Headers);
            await Errors.AnswerAsync(call, e);
        }
    }

    private ApiCall Parse(HttpContext context)
    {
        // The raw target, because Kestrel's own path keeps %2F encoded and resolves dots, which Docker's clients do not expect.
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (Uri.TryCreate(target, UriKind.Absolute, out var absolute) && absolute.Scheme is "http" or "https")
        {
            target = absolute.PathAndQuery;
        }

        var question = target.IndexOf('?');
        var path = Uri.UnescapeDataString(question < 0 ? target : target[..question]);
        var (version, rest) = ApiVersion.Split(path);
        return new ApiCall(context, version, rest, new Query(question < 0 ? "" : target[(question + 1)..]), _engine, _stopping.Token);
    }

    private static void CommonHeaders(IHeaderDictionary headers)
    {
        headers["Api-Version"] = ApiVersions.Newest;
        headers["Docker-Experimental"] = "false";
        headers["Ostype"] = "linux";
        headers.Server = ServerName;
    }

    private static readonly string ServerName = $"Sampan/{DaemonProgram.Version} (linux)";

    private sealed class NoServices : IServiceProvider
    {
        public static NoServices Instance { get; } = new();

        public object? GetService(Type serviceType) => null;
    }
}
