using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Daemon.Registry;

namespace Sampan.Daemon.Routes;

/// <summary>A registry on the daemon's store; Sampan's own.</summary>
internal static class RegistryRoutes
{
    private const int DefaultPort = 5000;

    public static void Map(Router router, DaemonLog log) => router.Map("POST", "/registry/serve", call => ServeAsync(call, log));

    /// <summary>Serves as long as the client stays, and tells it of every request.</summary>
    private static async Task ServeAsync(ApiCall call, DaemonLog log)
    {
        var options = await call.ReadAsync(ApiJson.Default.ServeOptions) ?? new ServeOptions();
        var text = options.Address ?? $"127.0.0.1:{DefaultPort}";
        var address = AddressOf(text) ?? throw new ApiException(400, $"invalid address \"{text}\": it must be [IP]:PORT");
        if (options.Certificate is null && !options.Insecure && !IPAddress.IsLoopback(address.Address))
        {
            throw new ApiException(400, $"others reach {address}, and plain HTTP shows them images and passwords: "
                + "give --tls-cert and --tls-key, or --insecure when that is meant");
        }

        var certificates = options.Certificate is { } pem ? CertificatesOf(pem, options.Key) : [];
        using var registry = call.Engine.OpenRegistry(options);
        var progress = new ProgressStream(call);
        using var writing = new SemaphoreSlim(1, 1);
        await using var host = new RegistryHost(registry, address, certificates, TellAsync, log);
        await host.StartAsync(call.Cancel);
        await TellAsync($"registry listens on {address}");
        await Task.Delay(Timeout.Infinite, call.Cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        async ValueTask TellAsync(string line)
        {
            await writing.WaitAsync();
            try
            {
                await progress.WriteAsync(new JsonMessage { Status = line });
            }
            catch (Exception e) when (call.Cancel.IsCancellationRequested && e is OperationCanceledException or IOException)
            {
                // The one who listened has gone, and the registry goes too.
            }
            finally
            {
                writing.Release();
            }
        }
    }

    /// <summary>The server's certificate with its key, then those that lead to its authority.</summary>
    private static X509Certificate2Collection CertificatesOf(string pem, string? key)
    {
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(pem);
            chain[0] = X509Certificate2.CreateFromPem(pem, key);
            return chain;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new ApiException(400, $"--tls-cert and --tls-key are not a certificate and its key in PEM: {e.Message}");
        }
    }

    /// <summary>An address with its port; without an address it is every one of the machine.</summary>
    private static IPEndPoint? AddressOf(string text)
    {
        var full = text.StartsWith(':') ? $"0.0.0.0{text}" : text;
        return IPEndPoint.TryParse(full, out var address) && address.Port > 0 ? address : null;
    }
}
