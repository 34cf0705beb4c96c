using System.Globalization;
using System.Text;
using Sampan.Api;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>Execs.</summary>
internal static class ExecRoutes
{
    public static void Map(Router router, DaemonLog log)
    {
        router.Map("POST", "/containers/{name}/exec", call => CreateAsync(call, log));
        router.Map("POST", "/exec/{name}/start", call => StartAsync(call, log));
        router.Map("POST", "/exec/{name}/resize", ResizeAsync);
        router.Map("GET", "/exec/{name}/json", async call => await call.AnswerAsync(
            await call.Engine.ExecInspectAsync(call.Name, call.Cancel), ApiJson.Wire.ExecInspect));
    }

    private static async Task CreateAsync(ApiCall call, DaemonLog log)
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
        if (call.Header(ExecRun.Header) == ExecRun.Value && call.WantsUpgrade)
        {
            call.SetHeader(ExecRun.Header, id);
            await StartAsync(call, id, new ExecStartRequest { Tty = request.Tty, ConsoleSize = request.ConsoleSize }, withExitCode: !request.Tty, log);
            return;
        }

        await call.AnswerAsync(new IdResponse { Id = id }, ApiJson.Wire.IdResponse, 201);
    }

    private static async Task StartAsync(ApiCall call, DaemonLog log)
        => await StartAsync(call, call.Name, await call.ReadAsync(ApiJson.Wire.ExecStartRequest) ?? new ExecStartRequest(), withExitCode: false, log);

    private static async Task StartAsync(ApiCall call, string id, ExecStartRequest request, bool withExitCode, DaemonLog log)
    {
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
        var session = await call.Engine.ExecStartAsync(id, request, call.Cancel);
        if (session is null)
        {
            await call.AnswerAsync(200);
            return;
        }

        await using (session)
        {
            await Streams.RunAsync(call, session, stdin: true, log, withExitCode ? output => SendExitCodeAsync(call, id, output) : null);
        }
    }

    private static async Task SendExitCodeAsync(ApiCall call, string id, Stream output)
    {
        if ((await call.Engine.ExecInspectAsync(id, call.Stopping)).ExitCode is { } code)
        {
            await StdCopy.WriteFrameAsync(output, StdCopy.ExitCode, Encoding.ASCII.GetBytes(code.ToString(CultureInfo.InvariantCulture)), call.Stopping);
        }
    }

    private static async Task ResizeAsync(ApiCall call)
    {
        var (height, width) = ContainerRoutes.Size(call);
        await call.Engine.ExecResizeAsync(call.Name, height, width, call.Cancel);
        await call.AnswerAsync(200);
    }
}
