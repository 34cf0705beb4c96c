using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>A set that JSON spells as an object of empty objects, <c>{"80/tcp":{}}</c>; in byte order, so that equal sets have equal digests.</summary>
[JsonConverter(typeof(StringSetConverter))]
public sealed class StringSet : SortedSet<string>
{
    public StringSet()
        : base(StringComparer.Ordinal)
    {
    }

    public StringSet(IEnumerable<string> items)
        : base(items, StringComparer.Ordinal)
    {
    }
}

/// <summary>Reads any value for a key, as old images have null or details there; writes <c>{}</c>.</summary>
public sealed class StringSetConverter : JsonConverter<StringSet>
{
    public override StringSet? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("expected an object of empty objects");
        }

        var set = new StringSet();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            set.Add(reader.GetString()!);
            reader.Read();
            reader.Skip();
        }

        return set;
    }

    public override void Write(Utf8JsonWriter writer, StringSet value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        foreach (var item in value)
        {
            writer.WriteStartObject(item);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }
}

/// <summary>A list of strings where images of old tools have a single string.</summary>
public sealed class StringsConverter : JsonConverter<IReadOnlyList<string>>
{
    public override IReadOnlyList<string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return [reader.GetString()!];
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException("expected a list of strings");
        }

        var list = new List<string>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            list.Add(reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw new JsonException("expected a list of strings"));
        }

        return list;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<string> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var item in value)
        {
            writer.WriteStringValue(item);
        }

        writer.WriteEndArray();
    }
}
