using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Daemon.Shapes;

namespace Sampan.Daemon.Routes;

/// <summary>Ping, version, info, events, disk usage, auth.</summary>
internal static class SystemRoutes
{
    public static void Map(Router router)
    {
        router.Map("GET", "/_ping", PingAsync);
        router.Map("HEAD", "/_ping", PingAsync);
        router.Map("GET", "/version", VersionAsync);
        router.Map("GET", "/info", InfoAsync);
        router.Map("GET", "/events", EventsAsync);
        router.Map("GET", "/system/df", DiskUsageAsync);
        router.Map("POST", "/auth", AuthAsync);
    }

    private static Task PingAsync(ApiCall call)
    {
        var headers = call.Http.Response.Headers;
        headers["Builder-Version"] = "1"; // classic: docker without buildx builds by POST /build
        headers["Swarm"] = "inactive";
        headers["Cache-Control"] = "no-cache, no-store, must-revalidate";
        headers["Pragma"] = "no-cache";
        return call.AnswerTextAsync("OK");
    }

    private static Task VersionAsync(ApiCall call)
    {
        var version = call.Engine.Version();
        version.Version = DaemonProgram.Version;
        version.ApiVersion = ApiVersions.Newest;
        version.MinAPIVersion = ApiVersions.Oldest;
        version.Platform.Name = version.Platform.Name.Length > 0 ? version.Platform.Name : "Sampan";
        version.Components ??= [new ComponentVersion { Name = "Engine", Version = version.Version, Details = Details(version) }];
        return call.AnswerAsync(version, ApiJson.Wire.SystemVersion);
    }

    private static Dictionary<string, string> Details(SystemVersion version) => new()
    {
        ["ApiVersion"] = version.ApiVersion,
        ["Arch"] = version.Arch,
        ["BuildTime"] = version.BuildTime ?? "",
        ["Experimental"] = "false",
        ["GitCommit"] = version.GitCommit,
        ["GoVersion"] = version.GoVersion,
        ["KernelVersion"] = version.KernelVersion ?? "",
        ["MinAPIVersion"] = version.MinAPIVersion,
        ["Os"] = version.Os,
    };

    private static async Task InfoAsync(ApiCall call)
    {
        var info = await call.Engine.InfoAsync(call.Cancel);
        info.ServerVersion = DaemonProgram.Version;
        await call.AnswerAsync(SystemShapes.Info(info, call.Version));
    }

    private static async Task EventsAsync(ApiCall call)
    {
        // As dockerd: an end asks for what was as well, and one of 0 for all that was and nothing else.
        var until = call.Query.Time("until");
        var since = call.Query.Time("since") ?? (until is null ? null : DateTimeOffset.UnixEpoch);
        if (since > until)
        {
            throw new ApiException(400, $"`since` time ({call.Query["since"]}) cannot be after `until` time ({call.Query["until"]})");
        }

        // The subscription must stand before the client hears that the answer has begun, or it would miss what happens in between.
        await using var events = call.Engine.EventsAsync(since, until == DateTimeOffset.UnixEpoch ? DateTimeOffset.UtcNow : until, call.Query.Filters(), call.Cancel).GetAsyncEnumerator(call.Cancel);
        var next = events.MoveNextAsync();
        var body = await call.StreamAsync("application/json");
        while (await next)
        {
            var node = SystemShapes.Event(events.Current, call.Version);
            await body.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(node, NodeJson.Wire.JsonNode), (byte)'\n'], call.Cancel);
            next = events.MoveNextAsync();
        }
    }

    private static async Task DiskUsageAsync(ApiCall call)
    {
        var types = call.Query.All("type");
        bool Wants(string type) => types.Count == 0 || types.Contains(type);
        if (types.FirstOrDefault(t => t is not ("container" or "image" or "volume" or "build-cache")) is { } unknown)
        {
            throw new ApiException(400, $"unknown object type: {unknown}");
        }

        var usage = await call.Engine.DiskUsageAsync(
            new DiskUsageOptions
            {
                Images = Wants("image"),
                Containers = Wants("container"),
                Volumes = Wants("volume"),
                BuildCache = Wants("build-cache"),
            },
            call.Cancel);
        await call.AnswerAsync(SystemShapes.DiskUsage(usage, call.Version, call.Query.Bool("verbose")));
    }

    private static async Task AuthAsync(ApiCall call)
    {
        var auth = await call.ReadRequiredAsync(ApiJson.Wire.AuthConfig);
        await call.AnswerAsync(await call.Engine.AuthAsync(auth, call.Cancel), ApiJson.Wire.AuthResponse);
    }
}
