using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Daemon.Shapes;

namespace Sampan.Daemon.Routes;

/// <summary>Containers, but for what streams.</summary>
internal static class ContainerRoutes
{
    public static void Map(Router router)
    {
        router.Map("POST", "/containers/create", CreateAsync);
        router.Map("GET", "/containers/json", ListAsync);
        router.Map("POST", "/containers/prune", async call => await call.AnswerAsync(
            await call.Engine.PruneContainersAsync(call.Query.Filters(), call.Cancel), ApiJson.Wire.ContainersPruneResponse));
        router.Map("GET", "/containers/{name}/json", InspectAsync);
        router.Map("GET", "/containers/{name}/top", async call => await call.AnswerAsync(
            await call.Engine.TopAsync(call.Name, call.Query["ps_args"] ?? "-ef", call.Cancel), ApiJson.Wire.TopResponse));
        router.Map("GET", "/containers/{name}/changes", async call => await call.AnswerAsync(
            await call.Engine.ChangesAsync(call.Name, call.Cancel), ApiJson.Wire.ListFilesystemChange));
        router.Map("POST", "/containers/{name}/start", StartAsync);
        router.Map("POST", "/containers/{name}/stop", StopAsync);
        router.Map("POST", "/containers/{name}/restart", RestartAsync);
        router.Map("POST", "/containers/{name}/kill", NoContent(c => c.Engine.KillAsync(c.Name, c.Query["signal"], c.Cancel)));
        router.Map("POST", "/containers/{name}/pause", NoContent(c => c.Engine.PauseAsync(c.Name, c.Cancel)));
        router.Map("POST", "/containers/{name}/unpause", NoContent(c => c.Engine.UnpauseAsync(c.Name, c.Cancel)));
        router.Map("POST", "/containers/{name}/rename", NoContent(
            c => c.Engine.RenameAsync(c.Name, c.Query["name"] ?? throw new ApiException(400, "no new name given"), c.Cancel)));
        router.Map("POST", "/containers/{name}/resize", ResizeAsync);
        router.Map("POST", "/containers/{name}/update", UpdateAsync);
        router.Map("POST", "/containers/{name}/wait", WaitAsync);
        router.Map("DELETE", "/containers/{name}", NoContent(
            c => c.Engine.RemoveAsync(c.Name, c.Query.Bool("force"), c.Query.Bool("v"), c.Query.Bool("link"), c.Cancel)));
        router.Map("POST", "/commit", CommitAsync);
    }

    internal static RouteHandler NoContent(Func<ApiCall, Task> work) => async call =>
    {
        await work(call);
        await call.AnswerAsync(204);
    };

    private static async Task CreateAsync(ApiCall call)
    {
        var request = await call.ReadRequiredAsync(ApiJson.Wire.CreateContainerRequest);
        RequestShapes.Create(request, call.Version);
        var platform = call.Version >= 41 ? call.Query["platform"] : null;
        var response = await call.Engine.CreateAsync(request, call.Query["name"], platform, call.Cancel);
        await call.AnswerAsync(response, ApiJson.Wire.ContainerCreateResponse, 201);
    }

    private static async Task ListAsync(ApiCall call)
    {
        var list = await call.Engine.ListAsync(
            call.Query.Bool("all"), Math.Max(0, call.Query.Int32("limit")), call.Query.Bool("size"), call.Query.Filters(), call.Cancel);
        await call.AnswerAsync(ContainerShapes.List(list, call.Version));
    }

    private static async Task InspectAsync(ApiCall call)
    {
        var container = await call.Engine.InspectAsync(call.Name, call.Query.Bool("size"), call.Cancel);
        await call.AnswerAsync(ContainerShapes.Inspect(container, call.Version));
    }

    private static async Task StartAsync(ApiCall call)
    {
        // Until 1.23 a HostConfig could come here. Clients still send "{}" or nothing; more would be lost without a word.
        if (await call.ReadAsync(ApiJson.Wire.DictionaryStringJsonElement) is { Count: > 0 })
        {
            throw new ApiException(400, "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
        }

        await call.Engine.StartAsync(call.Name, call.Query["detachKeys"], call.Cancel);
        await call.AnswerAsync(204);
    }

    private static int? Timeout(ApiCall call) => call.Query["t"] is null ? null : call.Query.Int32("t");

    private static async Task StopAsync(ApiCall call)
    {
        // Signals for stop and restart exist since 1.42; older daemons ignored them.
        await call.Engine.StopAsync(call.Name, call.Version >= 42 ? call.Query["signal"] : null, Timeout(call), call.Cancel);
        await call.AnswerAsync(204);
    }

    private static async Task RestartAsync(ApiCall call)
    {
        await call.Engine.RestartAsync(call.Name, call.Version >= 42 ? call.Query["signal"] : null, Timeout(call), call.Cancel);
        await call.AnswerAsync(204);
    }

    internal static (int Height, int Width) Size(ApiCall call)
    {
        var (height, width) = (call.Query.Int32("h", -1), call.Query.Int32("w", -1));
        return height is >= 0 and <= ushort.MaxValue && width is >= 0 and <= ushort.MaxValue
            ? (height, width)
            : throw new ApiException(400, $"invalid resize height/width: h={call.Query["h"]} w={call.Query["w"]}");
    }

    private static async Task ResizeAsync(ApiCall call)
    {
        var (height, width) = Size(call);
        await call.Engine.ResizeAsync(call.Name, height, width, call.Cancel);
        await call.AnswerAsync(200);
    }

    private static async Task UpdateAsync(ApiCall call)
    {
        var request = await call.ReadRequiredAsync(ApiJson.Wire.ContainerUpdateRequest);
        await call.AnswerAsync(await call.Engine.UpdateAsync(call.Name, request, call.Cancel), ApiJson.Wire.ContainerUpdateResponse);
    }

    private static async Task WaitAsync(ApiCall call)
    {
        var condition = call.Version < 30 ? "not-running" : call.Query["condition"] ?? "not-running";
        if (condition is not ("not-running" or "next-exit" or "removed"))
        {
            throw new ApiException(400, $"invalid condition: \"{condition}\"");
        }

        var ended = await call.Engine.PrepareWaitAsync(call.Name, condition, call.Cancel);
        if (call.Version < 30)
        {
            await call.AnswerAsync(await ended, ApiJson.Wire.WaitResponse);
            return;
        }

        // The headers go out before the container ends: `docker run` waits for them before it starts the container.
        var body = await call.StreamAsync("application/json");
        var bytes = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(await ended, ApiJson.Wire.WaitResponse);
        await body.WriteAsync((byte[])[.. bytes, (byte)'\n'], call.Cancel);
    }

    private static async Task CommitAsync(ApiCall call)
    {
        var config = await call.ReadAsync(ApiJson.Wire.ContainerConfig);
        var query = call.Query;
        var response = await call.Engine.CommitAsync(
            new CommitOptions
            {
                Container = query["container"] ?? throw new ApiException(400, "no container given"),
                Repo = query["repo"],
                Tag = query["tag"],
                Comment = query["comment"],
                Author = query["author"],
                Pause = query.Bool("pause", absent: true),
                Changes = [.. query.All("changes").SelectMany(c => c.Split('\n', StringSplitOptions.RemoveEmptyEntries))],
                Config = config,
            },
            call.Cancel);
        await call.AnswerAsync(response, ApiJson.Wire.IdResponse, 201);
    }
}
