using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sampan.Cli.Commands;

/// <summary>Reads members of the daemon's JSON; what is absent or of another kind gives the empty value, as Go's decoder would.</summary>
internal static class JsonReading
{
    public static string Text(this JsonNode? node, string name)
        => node is JsonObject o && o[name] is JsonValue v && v.GetValueKind() == JsonValueKind.String ? v.GetValue<string>() : "";

    public static long Number(this JsonNode? node, string name)
        => node is JsonObject o && o[name] is JsonValue v && v.GetValueKind() == JsonValueKind.Number ? v.TryGetValue<long>(out var n) ? n : (long)v.GetValue<double>() : 0;

    public static double Real(this JsonNode? node, string name)
        => node is JsonObject o && o[name] is JsonValue v && v.GetValueKind() == JsonValueKind.Number ? v.GetValue<double>() : 0;

    public static bool Flag(this JsonNode? node, string name)
        => node is JsonObject o && o[name] is JsonValue v && v.GetValueKind() == JsonValueKind.True;

    public static JsonNode? Child(this JsonNode? node, string name) => node is JsonObject o ? o[name] : null;

    public static IReadOnlyList<JsonNode?> Items(this JsonNode? node) => node is JsonArray array ? [.. array] : [];

    public static IReadOnlyList<JsonNode?> Items(this JsonNode? node, string name) => node.Child(name).Items();

    public static List<string> Texts(this JsonNode? node, string name)
    {
        var texts = new List<string>();
        foreach (var item in node.Items(name))
        {
            if (item is JsonValue v && v.GetValueKind() == JsonValueKind.String) texts.Add(v.GetValue<string>());
        }

        return texts;
    }

    /// <summary>Members in order of their names.</summary>
    public static List<KeyValuePair<string, JsonNode?>> Members(this JsonNode? node)
    {
        var members = new List<KeyValuePair<string, JsonNode?>>();
        if (node is JsonObject o) members.AddRange(o);
        members.Sort(static (a, b) => string.CompareOrdinal(a.Key, b.Key));
        return members;
    }

    /// <summary><c>a=1,b=2</c>.</summary>
    public static string Pairs(this JsonNode? node)
        => string.Join(',', node.Members().ConvertAll(static m => $"{m.Key}={(m.Value is JsonValue v ? v.ToString() : "")}"));

    /// <summary>A time in RFC 3339, or null when there is none (Go's zero time counts as none).</summary>
    public static DateTimeOffset? Time(this JsonNode? node, string name)
        => DateTimeOffset.TryParse(node.Text(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) && time.Year > 1 ? time : null;
}
