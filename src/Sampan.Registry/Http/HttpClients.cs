using System.Collections.Concurrent;

namespace Sampan.Registry;

/// <summary>
/// One HTTP client for each host, since certificates and their checks belong to hosts: registries, token servers, storage they redirect to.
/// </summary>
internal sealed class HttpClients(RegistryOptions options, EndpointTable endpoints) : IDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<HttpClient>> _clients = new(StringComparer.OrdinalIgnoreCase);
    private readonly ProxyRules _proxy = new(options.Proxies ?? ProxySettings.OfEnvironment());

    public HttpClient For(Uri uri)
    {
        var host = uri.IsDefaultPort ? uri.Host : uri.Authority;
        return _clients.GetOrAdd(host, h => new(() => Make(h))).Value;
    }

    public void Dispose()
    {
        foreach (var client in _clients.Values.Where(c => c.IsValueCreated))
        {
            client.Value.Dispose();
        }
    }

    private HttpClient Make(string host)
    {
        var certificates = Certificates.Load(options.CertificateFolders, host);
        var insecure = endpoints.IsInsecure(host);
        var handler = new SocketsHttpHandler
        {
            // By hand, so that credentials stay with the host they are for (Transport).
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = options.ConnectTimeout,
            MaxResponseHeadersLength = 64,
            Proxy = _proxy,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        handler.SslOptions.ClientCertificates = certificates.Own;
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            insecure || certificates.Accept(certificate as System.Security.Cryptography.X509Certificates.X509Certificate2, chain, errors);
        var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.ParseAdd(options.UserAgent);
        return client;
    }
}
