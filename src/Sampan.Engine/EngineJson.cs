using System.Text.Json;
using System.Text.Json.Serialization;
using Sampan.Engine.Containers;
using Sampan.Engine.Volumes;

namespace Sampan.Engine;

/// <summary>The JSON of what the engine stores.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ContainerRecord))]
[JsonSerializable(typeof(VolumeRecord))]
[JsonSerializable(typeof(Networks.NetworkRecord))]
internal sealed partial class EngineJson : JsonSerializerContext
{
    public static string Serialize<T>(T value) => JsonSerializer.Serialize(value, typeof(T), Default);

    public static T Deserialize<T>(string json) =>
        (T)(JsonSerializer.Deserialize(json, typeof(T), Default) ?? throw new InvalidDataException($"stored {typeof(T).Name} is null"));
}
