using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>JSON of the runtime-spec.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Spec))]
[JsonSerializable(typeof(Process))]
[JsonSerializable(typeof(State))]
[JsonSerializable(typeof(Features))]
[JsonSerializable(typeof(SeccompProfile))]
public sealed partial class RuntimeJson : JsonSerializerContext;
