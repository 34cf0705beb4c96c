using System.Text.Json.Nodes;

namespace Sampan.Network;

/// <summary>The few words of libnftables-json(5) that the rules need.</summary>
internal static class NftJson
{
    public static JsonObject Meta(string key) => new() { ["meta"] = new JsonObject { ["key"] = key } };

    public static JsonObject Ct(string key) => new() { ["ct"] = new JsonObject { ["key"] = key } };

    public static JsonObject Payload(string protocol, string field) =>
        new() { ["payload"] = new JsonObject { ["protocol"] = protocol, ["field"] = field } };

    public static JsonObject Prefix(string address, int length) =>
        new() { ["prefix"] = new JsonObject { ["addr"] = address, ["len"] = length } };

    public static JsonObject Range(int first, int last) => new() { ["range"] = new JsonArray(first, last) };

    public static JsonObject Concat(params JsonNode[] parts) => new() { ["concat"] = new JsonArray(parts) };

    public static JsonObject Match(JsonNode left, JsonNode right, string op = "==") =>
        new() { ["match"] = new JsonObject { ["op"] = op, ["left"] = left, ["right"] = right } };

    public static JsonObject Verdict(string name) => new() { [name] = null };

    public static JsonObject Command(string verb, string kind, JsonObject body) => new() { [verb] = new JsonObject { [kind] = body } };

    /// <summary>One transaction as the library reads it.</summary>
    public static string Transaction(IEnumerable<JsonObject> commands) =>
        new JsonObject { ["nftables"] = new JsonArray([.. commands]) }.ToJsonString();

    /// <summary>The items of one kind in a listing.</summary>
    public static IEnumerable<JsonObject> Items(string json, string kind) =>
        json.Length == 0 ? [] : JsonNode.Parse(json)?["nftables"]?.AsArray().Select(item => item?[kind]).OfType<JsonObject>() ?? [];
}
