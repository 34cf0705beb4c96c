using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>Files of containers (docker cp).</summary>
internal static class ArchiveRoutes
{
    public static void Map(Router router)
    {
        router.Map("HEAD", "/containers/{name}/archive", StatAsync);
        router.Map("GET", "/containers/{name}/archive", GetAsync);
        router.Map("PUT", "/containers/{name}/archive", PutAsync);
    }

    private static string PathOf(ApiCall call) => call.Query["path"] ?? throw new ApiException(400, "bad parameter: 'path' cannot be empty");

    private static async Task StatAsync(ApiCall call) => SetStat(call, await call.Engine.ArchiveStatAsync(call.Name, PathOf(call), call.Cancel));

    private static async Task GetAsync(ApiCall call)
    {
        var download = await call.Engine.ArchiveGetAsync(call.Name, PathOf(call), call.Cancel);
        SetStat(call, download.Stat);
        call.Http.Response.ContentType = MediaTypes.Tar;
        await download.WriteAsync(call.Http.Response.Body, call.Cancel);
    }

    private static async Task PutAsync(ApiCall call)
    {
        var options = new ArchivePutOptions
        {
            NoOverwriteDirNonDir = call.Query.Bool("noOverwriteDirNonDir"),
            CopyUidGid = call.Query.Bool("copyUIDGID"),
        };
        await call.Engine.ArchivePutAsync(call.Name, PathOf(call), options, call.Body, call.Cancel);
        await call.AnswerAsync(200);
    }

    private static void SetStat(ApiCall call, ContainerPathStat stat) =>
        call.Http.Response.Headers["X-Docker-Container-Path-Stat"] =
            Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(stat, ApiJson.Wire.ContainerPathStat));
}
