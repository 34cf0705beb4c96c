using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Sampan.Api;

namespace Sampan.Daemon.Registry;

/// <summary>Listens for a registry: HTTP requests become its requests, and its answers go back.</summary>
internal sealed class RegistryHost : IHttpApplication<HttpContext>, IAsyncDisposable
{
    private readonly KestrelServer _server;
    private readonly IRegistryHandler _registry;
    private readonly Func<string, ValueTask> _told;
    private readonly DaemonLog _log;

    /// <param name="certificates">The server's with its key, then those that lead to its authority; none for plain HTTP.</param>
    /// <param name="told">Is told of every request, in one line.</param>
    public RegistryHost(
        IRegistryHandler registry, IPEndPoint address, X509Certificate2Collection certificates, Func<string, ValueTask> told, DaemonLog log)
    {
        (_registry, _told, _log) = (registry, told, log);
        var options = new KestrelServerOptions { AddServerHeader = false, ApplicationServices = NoServices.Instance };
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;
        options.Listen(address, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            if (certificates.Count > 0)
            {
                listen.Use(next => new TlsConnection(certificates, next, log).ServeAsync);
            }
        });
        _server = new KestrelServer(
            new OptionsWrapper<KestrelServerOptions>(options),
            new SocketTransportFactory(new OptionsWrapper<SocketTransportOptions>(new SocketTransportOptions()), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance);
    }

    /// <exception cref="ApiException">The address cannot be listened on.</exception>
    public async Task StartAsync(CancellationToken cancel)
    {
        try
        {
            await _server.StartAsync(this, cancel);
        }
        catch (IOException e)
        {
            throw new ApiException(409, e.Message);
        }
    }

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    public async Task ProcessRequestAsync(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        try
        {
            using var request = RequestOf(context, target);
            using var answer = await _registry.AnswerAsync(request, context.RequestAborted);
            await SendAsync(context, answer);
            await _told($"{context.Connection.RemoteIpAddress} {context.Request.Method} {target} {(int)answer.StatusCode}");
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            _log.Debug($"registry: {context.Request.Method} {target}: the client has gone");
        }
        catch (Exception e)
        {
            _log.Error($"registry: {context.Request.Method} {target}: {e.Message}", e);
            if (context.Response.HasStarted)
            {
                context.Abort(); // a torn blob must not look like a whole one
                return;
            }

            context.Response.StatusCode = 500;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _server.StopAsync(now.Token);
        _server.Dispose();
    }

    private static HttpRequestMessage RequestOf(HttpContext context, string target)
    {
        var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri("http://registry" + target))
        {
            Content = new StreamContent(context.Request.Body),
        };
        foreach (var (name, values) in context.Request.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
            {
                request.Content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
            }
        }

        return request;
    }

    private static async Task SendAsync(HttpContext context, HttpResponseMessage answer)
    {
        context.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers))
        {
            context.Response.Headers[name] = values.ToArray();
        }

        context.Response.ContentLength = answer.StatusCode == HttpStatusCode.NoContent ? null : answer.Content.Headers.ContentLength;
        if (!HttpMethods.IsHead(context.Request.Method) && answer.StatusCode != HttpStatusCode.NoContent)
        {
            await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
    }

    private sealed class NoServices : IServiceProvider
    {
        public static NoServices Instance { get; } = new();

        public object? GetService(Type serviceType) => null;
    }
}
