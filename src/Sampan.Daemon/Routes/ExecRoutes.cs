using Sampan.Api;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>Execs.</summary>
internal static class ExecRoutes
{
    public static void Map(Router router, DaemonLog log)
    {
        router.Map("POST", "/containers/{name}/exec", CreateAsync);
        router.Map("POST", "/exec/{name}/start", call => StartAsync(call, log));
        router.Map("POST", "/exec/{name}/resize", ResizeAsync);
        router.Map("GET", "/exec/{name}/json", async call => await call.AnswerAsync(
            await call.Engine.ExecInspectAsync(call.Name, call.Cancel), ApiJson.Wire.ExecInspect));
    }

    private static async Task CreateAsync(ApiCall call)
    {
        var request = await call.ReadRequiredAsync(ApiJson.Wire.ExecCreateRequest);
        if (request.Cmd is null or { Count: 0 })
        {
            throw new ApiException(400, "No exec command specified");
        }

        if (call.Version < 42)
        {
            request.ConsoleSize = null;
        }

        var id = await call.Engine.ExecCreateAsync(call.Name, request, call.Cancel);
        await call.AnswerAsync(new IdResponse { Id = id }, ApiJson.Wire.IdResponse, 201);
    }

    private static async Task StartAsync(ApiCall call, DaemonLog log)
    {
        var request = await call.ReadAsync(ApiJson.Wire.ExecStartRequest) ?? new ExecStartRequest();
        if (call.Version < 42)
        {
            request.ConsoleSize = null;
        }

        if (request.ConsoleSize is { } size)
        {
            if (!request.Tty && size is not [0, 0])
            {
                throw new ApiException(400, "console size is only supported when TTY is enabled");
            }

            if (size is not [>= 0 and <= ushort.MaxValue, >= 0 and <= ushort.MaxValue])
            {
                throw new ApiException(400, "invalid console size: want a height and a width");
            }
        }

        // A process that does not start is an answer with a status of its own: nothing has left HTTP yet.
        var session = await call.Engine.ExecStartAsync(call.Name, request, call.Cancel);
        if (session is null)
        {
            await call.AnswerAsync(200);
            return;
        }

        await using (session)
        {
            await Streams.RunAsync(call, session, stdin: true, log);
        }
    }

    private static async Task ResizeAsync(ApiCall call)
    {
        var (height, width) = ContainerRoutes.Size(call);
        await call.Engine.ExecResizeAsync(call.Name, height, width, call.Cancel);
        await call.AnswerAsync(200);
    }
}
