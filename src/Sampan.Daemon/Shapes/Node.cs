using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Sampan.Daemon.Shapes;

/// <summary>Small helps for rewriting JSON.</summary>
internal static class Node
{
    public static JsonObject Of<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.SerializeToNode(value, type)!.AsObject();

    public static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode> shape) => new([.. items.Select(shape)]);

    public static JsonObject? Child(this JsonObject node, string name) => node[name] as JsonObject;

    public static void Remove(this JsonObject node, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            node.Remove(name);
        }
    }

    /// <summary>Sets a member unless it is there with a value.</summary>
    public static void Default(this JsonObject node, string name, JsonNode? value)
    {
        if (node[name] is null)
        {
            node[name] = value;
        }
    }
}
