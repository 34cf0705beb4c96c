using System.Text.Json.Nodes;
using Sampan.Api;

namespace Sampan.Daemon.Shapes;

/// <summary>Networks as each version of the API shows them.</summary>
internal static class NetworkShapes
{
    public static JsonNode Inspect(Network network, int version)
    {
        var node = Node.Of(network, ApiJson.Wire.Network);
        if (version < 52)
        {
            node.Remove("Status");
        }

        if (version < 48)
        {
            node.Remove("EnableIPv4");
        }

        return node;
    }

    public static JsonNode List(IEnumerable<Network> networks, int version) => Node.Array(networks, network =>
    {
        var node = Inspect(network, version).AsObject();
        node.Remove("Status");
        if (version >= 52)
        {
            node.Remove("Containers"); // endpoints are inspect's alone
        }

        return node;
    });
}
