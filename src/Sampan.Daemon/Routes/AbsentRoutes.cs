using Sampan.Api;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>What clients ask for and Sampan has not: clear answers instead of "page not found".</summary>
internal static class AbsentRoutes
{
    private const string NoSwarm =
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.";

    private const string NoSwarmMode = "there is no swarm mode here: Sampan runs the containers of one machine";

    private const string NoWebSocket = "attaching over a WebSocket is not supported: use POST /containers/{id}/attach";

    public static void Map(Router router)
    {
        foreach (var path in (string[])["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"])
        {
            router.Map("GET", path, _ => throw new ApiException(503, NoSwarm));
        }

        foreach (var action in (string[])["init", "join", "leave", "update", "unlock"])
        {
            router.Map("POST", "/swarm/" + action, _ => throw new ApiException(501, NoSwarmMode));
        }

        router.Map("PUT", "/volumes/{name}", _ => throw new ApiException(503, NoSwarm)); // cluster volumes alone can be changed
        router.Map("GET", "/containers/{name}/attach/ws", _ => throw new ApiException(501, NoWebSocket));
        router.Map("GET", "/plugins", async call => await call.AnswerAsync(new System.Text.Json.Nodes.JsonArray()));
    }
}
