using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>What a step of a build left, for other builds to take over: a member of <see cref="ImageConfig.CachedSteps"/>.</summary>
public sealed record CachedStep
{
    /// <summary>The digest of the step's key.</summary>
    [JsonPropertyName("key")]
    public string Key { get; init; } = "";

    /// <summary>The stack of layers after the step, from the bottom, by their places in the image's <c>diff_ids</c>; absent when it left none.</summary>
    [JsonPropertyName("layers")]
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>The newest time in the step's input, in seconds since 1970.</summary>
    [JsonPropertyName("time")]
    public long TimeSeconds { get; init; }

    /// <summary>The instruction, for lists.</summary>
    [JsonPropertyName("description")]
    public string Description { get; init; } = "";
}
