using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Sampan.Oci;

/// <summary>The JSON of images. <see cref="Compact"/> gives the same bytes for the same value on every machine.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 64)]
[JsonSerializable(typeof(ImageConfig))]
[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(ImageIndex))]
[JsonSerializable(typeof(Descriptor))]
[JsonSerializable(typeof(Platform))]
[JsonSerializable(typeof(ImageLayout))]
[JsonSerializable(typeof(IReadOnlyList<ArchiveImage>), TypeInfoPropertyName = "ArchiveImages")]
[JsonSerializable(typeof(SortedDictionary<string, SortedDictionary<string, string>>), TypeInfoPropertyName = "Repositories")]
public sealed partial class ImageJson : JsonSerializerContext
{
    /// <summary>Writes without spaces, times as RFC 3339 with as many digits as needed, and no escapes but those JSON requires.</summary>
    public static ImageJson Compact { get; } = new(new JsonSerializerOptions
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 64,
        Converters = { new TimeConverter() },
    });

    /// <summary>The bytes of an image's configuration; their digest is the image's ID.</summary>
    public static byte[] Serialize(ImageConfig config) => JsonSerializer.SerializeToUtf8Bytes(config, Compact.ImageConfig);

    /// <summary>Reads an image's configuration.</summary>
    /// <exception cref="JsonException">It is not JSON, or a known member has another type.</exception>
    public static ImageConfig ParseConfig(ReadOnlySpan<byte> json) =>
        Parse(json, Compact.ImageConfig);

    /// <summary>Reads JSON from outside, in which what must not be null may be: a member that is not there or null has its empty value.</summary>
    /// <exception cref="JsonException">It is not JSON, null, or has a null where nothing can stand in for it.</exception>
    public static T Parse<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
        where T : class
    {
        var value = JsonSerializer.Deserialize(json, type) ?? throw new JsonException("it is null");
        var hasHole = value switch
        {
            Manifest manifest => manifest.Config is null || manifest.Layers.Any(l => l is null),
            ImageIndex index => index.Manifests.Any(m => m is null),
            ImageConfig config => config.History?.Any(h => h is null) == true,
            IReadOnlyList<ArchiveImage> images =>
                images.Any(i => i is null || i.Layers.Any(l => l is null) || i.RepoTags?.Any(t => t is null) == true),
            SortedDictionary<string, SortedDictionary<string, string>> repositories =>
                repositories.Values.Any(tags => tags is null || tags.Values.Any(id => id is null)),
            _ => false,
        };
        return hasHole ? throw new JsonException("a list has an element that is null, or a manifest no configuration") : value;
    }
}

/// <summary>RFC 3339 as Go prints it: UTC, no trailing zeros. .NET keeps 100 ns of Go's nanoseconds; a loaded configuration's bytes are kept as they are.</summary>
public sealed class TimeConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.GetString();
        return TryParse(text, out var time) ? time : throw new JsonException($"invalid time \"{Quote.Clip(text ?? "")}\"");
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(Format(value));

    /// <summary>The time as <c>2024-01-02T03:04:05.6789Z</c>.</summary>
    public static string Format(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    private static bool TryParse(string? text, out DateTimeOffset time)
    {
        // Go writes up to nine digits; .NET reads seven.
        var dot = text?.IndexOf('.') ?? -1;
        if (dot > 0)
        {
            var end = dot + 1;
            while (end < text!.Length && char.IsAsciiDigit(text[end]))
            {
                end++;
            }

            text = end - dot > 8 ? text[..(dot + 8)] + text[end..] : text;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
    }
}
