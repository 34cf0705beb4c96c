using Sampan.Api;
using Sampan.Daemon.Hijack;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>A session of attach or exec over a taken connection.</summary>
internal static class Streams
{
    /// <summary>Takes the connection and carries bytes until the output ends, the client goes, or the daemon stops.</summary>
    /// <param name="last">Writes what is to follow the output when it has ended by itself.</param>
    public static async Task RunAsync(ApiCall call, IAttachSession session, bool stdin, DaemonLog log, Func<Stream, Task>? last = null)
    {
        var connection = await call.HijackAsync(session.Tty);
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(call.Stopping);
        var watch = WatchAsync(connection, stdin, gone);
        try
        {
            await session.RunAsync(stdin ? connection.Input : null, connection.Output, gone.Token);
            if (last is not null)
            {
                await last(connection.Output);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            log.Debug($"{call.Path}: the client has gone: {e.Message}");
        }
        finally
        {
            await gone.CancelAsync();
            await watch;
        }
    }

    private static async Task WatchAsync(RawConnection connection, bool stdin, CancellationTokenSource gone)
    {
        try
        {
            // What the client sent before it closed is still to be delivered, so its input must have ended first.
            if (stdin)
            {
                await connection.Input.End.WaitAsync(gone.Token);
            }

            await connection.Feature.HungUpAsync(gone.Token);
            await gone.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // The session has ended first.
        }
    }
}
