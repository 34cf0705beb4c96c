using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Daemon.Shapes;

namespace Sampan.Daemon.Routes;

/// <summary>Networks.</summary>
internal static class NetworkRoutes
{
    public static void Map(Router router)
    {
        router.Map("GET", "/networks", ListAsync);
        router.Map("GET", "/networks/", ListAsync);
        router.Map("POST", "/networks/create", async call => await call.AnswerAsync(
            await call.Engine.CreateNetworkAsync(await call.ReadRequiredAsync(ApiJson.Wire.NetworkCreateRequest), call.Cancel),
            ApiJson.Wire.NetworkCreateResponse, 201));
        router.Map("POST", "/networks/prune", async call => await call.AnswerAsync(
            await call.Engine.PruneNetworksAsync(call.Query.Filters(), call.Cancel), ApiJson.Wire.NetworksPruneResponse));
        router.Map("GET", "/sampan/port", async call => await call.AnswerAsync(
            await call.Engine.ExplainPortAsync(call.Query["ip"], call.Query.Int32("port"), call.Query["protocol"], call.Cancel),
            ApiJson.Wire.PortExplanation));
        router.Map("POST", "/networks/{name}/connect", ConnectAsync);
        router.Map("POST", "/networks/{name}/disconnect", async call =>
        {
            var request = await call.ReadRequiredAsync(ApiJson.Wire.NetworkDisconnectRequest);
            await call.Engine.DisconnectNetworkAsync(call.Name, request, call.Cancel);
        });
        router.Map("GET", "/networks/{name}", async call => await call.AnswerAsync(NetworkShapes.Inspect(
            await call.Engine.InspectNetworkAsync(call.Name, call.Query["scope"], call.Cancel), call.Version)));
        router.Map("DELETE", "/networks/{name}", ContainerRoutes.NoContent(c => c.Engine.RemoveNetworkAsync(c.Name, c.Cancel)));
    }

    private static async Task ListAsync(ApiCall call) => await call.AnswerAsync(NetworkShapes.List(
        await call.Engine.ListNetworksAsync(call.Query.Filters(), call.Cancel), call.Version));

    private static async Task ConnectAsync(ApiCall call)
    {
        var request = await call.ReadRequiredAsync(ApiJson.Wire.NetworkConnectRequest);
        await call.Engine.ConnectNetworkAsync(call.Name, request, call.Cancel);
    }
}
