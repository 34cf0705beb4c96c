using System.Net;
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
        var text = call.Query["addr"] ?? $"127.0.0.1:{DefaultPort}";
        var address = AddressOf(text) ?? throw new ApiException(400, $"invalid address \"{text}\": it must be [IP]:PORT");
        using var registry = call.Engine.OpenRegistry(call.Query["mirror"]);
        var progress = new ProgressStream(call);
        using var writing = new SemaphoreSlim(1, 1);
        await using var host = new RegistryHost(registry, address, TellAsync, log);
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

    /// <summary>An address with its port; without an address it is every one of the machine.</summary>
    private static IPEndPoint? AddressOf(string text)
    {
        var full = text.StartsWith(':') ? $"0.0.0.0{text}" : text;
        return IPEndPoint.TryParse(full, out var address) && address.Port > 0 ? address : null;
    }
}
