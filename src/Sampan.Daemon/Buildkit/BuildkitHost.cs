using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Session;
using Sampan.Daemon.Buildkit.Solve;
using Sampan.Daemon.Hijack;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Buildkit;

/// <summary>
/// BuildKit's API on connections of the Engine API: <c>POST /grpc</c> for the client's calls, <c>POST /session</c> for the daemon's calls of
/// the client.
/// </summary>
internal sealed class BuildkitHost : IAsyncDisposable
{
    private const string Header = "X-Docker-Expose-Session-";
    private readonly GrpcServer _server;
    private readonly SessionHub _sessions = new();
    private readonly LooseImages _loose;
    private readonly DaemonLog _log;

    public BuildkitHost(IEngine engine, DaemonLog log)
    {
        _log = log;
        _server = new(log);
        _loose = new(engine, log);
        _ = new BuildkitService(engine, _sessions, _loose, _server);
    }

    public void Map(Router router)
    {
        router.Map("POST", "/grpc", GrpcAsync);
        router.Map("POST", "/session", SessionAsync);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task GrpcAsync(ApiCall call)
    {
        var id = Guid.NewGuid().ToString("N");
        var connection = await TakeAsync(call);
        try
        {
            await _server.ServeAsync(connection, id, call.Stopping);
        }
        finally
        {
            await _loose.RemoveAsync(id);
        }
    }

    private async Task SessionAsync(ApiCall call)
    {
        var id = call.Header(Header + "Uuid") is { Length: > 0 } text ? text : throw new ApiException(400, "the session has no ID");
        var methods = call.Http.Request.Headers[Header + "Grpc-Method"].Select(method => method ?? "").ToList();
        var key = call.Header(Header + "Sharedkey") is { Length: > 0 } shared ? $"{shared}\n{call.Header(Header + "Name")}" : "";
        await using var session = new ClientSession(id, key, methods, new(await TakeAsync(call)));
        try
        {
            await _sessions.RunAsync(session, call.Stopping);
        }
        catch (Exception e) when (e is GrpcException or IOException or OperationCanceledException)
        {
            _log.Debug($"session {id}: {e.Message}");
        }
    }

    private static Task<RawConnection> TakeAsync(ApiCall call) => call.Header(RequestScanner.MaskedUpgrade) is "h2c" ? call.HijackAsync(tty: true)
        : throw new ApiException(400, "the connection must be upgraded to h2c");
}
