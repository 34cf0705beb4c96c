using System.Globalization;
using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>What streams from containers: logs, attach, stats, export.</summary>
internal static class ContainerStreamRoutes
{
    public static void Map(Router router, DaemonLog log)
    {
        router.Map("GET", "/containers/{name}/logs", LogsAsync);
        router.Map("POST", "/containers/{name}/attach", call => AttachAsync(call, log));
        router.Map("GET", "/containers/{name}/stats", StatsAsync);
        router.Map("GET", "/containers/{name}/export", ExportAsync);
    }

    private static async Task LogsAsync(ApiCall call)
    {
        var query = call.Query;
        var (stdout, stderr) = (query.Bool("stdout"), query.Bool("stderr"));
        if (!stdout && !stderr)
        {
            throw new ApiException(400, "Bad parameters: you must choose at least one stream");
        }

        var options = new LogsOptions
        {
            Stdout = stdout,
            Stderr = stderr,
            Follow = query.Bool("follow"),
            Timestamps = query.Bool("timestamps"),
            Details = query.Bool("details"),
            Since = query.Time("since"),
            Until = query["until"] is "0" ? null : query.Time("until"), // as dockerd
            // As dockerd: what is not a number is "all".
            Tail = int.TryParse(query["tail"], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var tail) ? tail : -1,
        };
        await using var session = await call.Engine.LogsAsync(call.Name, options, call.Cancel);
        var body = await call.StreamAsync(session.Tty || call.Version < 42 ? MediaTypes.Raw : MediaTypes.Multiplexed);
        await session.RunAsync(body, call.Cancel);
    }

    private static async Task AttachAsync(ApiCall call, DaemonLog log)
    {
        var query = call.Query;
        var options = new AttachOptions
        {
            Logs = query.Bool("logs"),
            Stream = query.Bool("stream"),
            Stdin = query.Bool("stdin"),
            Stdout = query.Bool("stdout"),
            Stderr = query.Bool("stderr"),
            DetachKeys = query["detachKeys"],
        };
        await using var session = await call.Engine.AttachAsync(call.Name, options, call.Cancel);
        await Streams.RunAsync(call, session, options.Stdin, log);
    }

    private static async Task StatsAsync(ApiCall call)
    {
        var stream = call.Query.Bool("stream", absent: true);
        var oneShot = call.Version >= 41 && call.Query.Bool("one-shot");
        if (stream && oneShot)
        {
            throw new ApiException(400, "cannot have stream=true and one-shot=true");
        }

        var samples = await call.Engine.StatsAsync(call.Name, stream, oneShot, call.Cancel);
        var body = await call.StreamAsync("application/json");
        await foreach (var sample in samples.WithCancellation(call.Cancel))
        {
            await body.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(sample, ApiJson.Wire.ContainerStats), (byte)'\n'], call.Cancel);
        }
    }

    private static async Task ExportAsync(ApiCall call)
    {
        var write = await call.Engine.ExportAsync(call.Name, call.Cancel);
        call.Http.Response.ContentType = MediaTypes.Tar;
        await write(call.Http.Response.Body, call.Cancel);
    }
}
