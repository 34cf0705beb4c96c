using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sampan.Cli.Http;

/// <summary>
/// Bodies of requests, and single members of answers. The commands that are measured in milliseconds write and read their JSON
/// directly: a process's first <see cref="JsonNode"/> costs some 0.3 ms of processor time (converters, pools; by perf).
/// </summary>
internal static class JsonBody
{
    public static byte[] Of(JsonNode node) => Written(writer => node.WriteTo(writer));

    /// <summary>An object whose members <paramref name="members"/> writes.</summary>
    public static byte[] OfObject(Action<Utf8JsonWriter> members) => Written(writer =>
    {
        writer.WriteStartObject();
        members(writer);
        writer.WriteEndObject();
    });

    public static void WriteStrings(this Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values) writer.WriteStringValue(value);
        writer.WriteEndArray();
    }

    /// <summary>The text or the number called <paramref name="name"/> in the object <paramref name="json"/>, which may be empty; null when it has none.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static string? Member(ReadOnlySpan<byte> json, string name)
    {
        if (json.IsEmpty) return null;
        var reader = new Utf8JsonReader(json);
        string? found = null;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1) continue;
            var wanted = reader.ValueTextEquals(name);
            reader.Read();
            if (wanted && reader.TokenType == JsonTokenType.String) found = reader.GetString();
            else if (wanted && reader.TokenType == JsonTokenType.Number) found = Encoding.ASCII.GetString(reader.ValueSpan);
            else reader.Skip();
        }

        return found;
    }

    private static byte[] Written(Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(bytes)) write(writer);
        return bytes.WrittenSpan.ToArray();
    }
}
