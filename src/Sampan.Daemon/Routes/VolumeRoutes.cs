using Sampan.Api;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>Volumes.</summary>
internal static class VolumeRoutes
{
    public static void Map(Router router)
    {
        router.Map("GET", "/volumes", async call => await call.AnswerAsync(
            await call.Engine.ListVolumesAsync(call.Query.Filters(), call.Cancel), ApiJson.Wire.VolumeListResponse));
        router.Map("POST", "/volumes/create", CreateAsync);
        router.Map("POST", "/volumes/prune", PruneAsync);
        router.Map("GET", "/volumes/{name}", async call => await call.AnswerAsync(
            await call.Engine.InspectVolumeAsync(call.Name, call.Cancel), ApiJson.Wire.Volume));
        router.Map("DELETE", "/volumes/{name}", ContainerRoutes.NoContent(
            c => c.Engine.RemoveVolumeAsync(c.Name, c.Query.Bool("force"), c.Cancel)));
    }

    private static async Task CreateAsync(ApiCall call)
    {
        var request = await call.ReadRequiredAsync(ApiJson.Wire.VolumeCreateRequest);
        await call.AnswerAsync(await call.Engine.CreateVolumeAsync(request, call.Cancel), ApiJson.Wire.Volume, 201);
    }

    private static async Task PruneAsync(ApiCall call)
    {
        var filters = call.Query.Filters();
        if (call.Version < 42)
        {
            // Until 1.41 all unused volumes went; since then only anonymous ones, unless asked.
            filters["all"] = ["true"];
        }

        await call.AnswerAsync(await call.Engine.PruneVolumesAsync(filters, call.Cancel), ApiJson.Wire.VolumesPruneResponse);
    }
}
