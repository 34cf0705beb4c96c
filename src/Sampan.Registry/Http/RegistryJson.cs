using System.Text.Json;
using System.Text.Json.Serialization;

using Sampan.Oci;
using Sampan.Registry.Serving;

namespace Sampan.Registry;

/// <summary>The JSON that registries answer with, beside manifests.</summary>
[JsonSourceGenerationOptions(MaxDepth = 32, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(TokenAnswer))]
[JsonSerializable(typeof(TagsAnswer))]
[JsonSerializable(typeof(CatalogAnswer))]
[JsonSerializable(typeof(SearchAnswer))]
[JsonSerializable(typeof(KindOfManifest))]
[JsonSerializable(typeof(List<KnownBlob>))]
[JsonSerializable(typeof(ServedErrors))]
[JsonSerializable(typeof(ServedTags))]
[JsonSerializable(typeof(ServedCatalog))]
[JsonSerializable(typeof(ServedManifest))]
[JsonSerializable(typeof(ServedBlob))]
[JsonSerializable(typeof(IndexWithSubject))]
internal sealed partial class RegistryJson : JsonSerializerContext;

/// <summary>distribution-spec, "Error Codes"; token servers answer with <c>details</c> or <c>message</c> instead.</summary>
internal sealed record ErrorAnswer(List<ErrorItem>? Errors, string? Details, string? Message);

internal sealed record ErrorItem(string? Code, string? Message);

/// <summary>A token server's answer; either name may be used.</summary>
/// <param name="ExpiresIn">Seconds.</param>
internal sealed record TokenAnswer(string? Token, string? AccessToken, int? ExpiresIn);

/// <summary>The members by which manifests of all kinds are told apart.</summary>
internal sealed record KindOfManifest
{
    [JsonPropertyName("schemaVersion")]
    public int SchemaVersion { get; init; }

    [JsonPropertyName("mediaType")]
    public string? MediaType { get; init; }

    [JsonPropertyName("manifests")]
    public JsonElement? Manifests { get; init; }
}

internal sealed record ServedErrors(List<ErrorItem> Errors);

internal sealed record ServedTags(string Name, List<string> Tags);

internal sealed record ServedCatalog(List<string> Repositories);

/// <summary>What an index may have beside its manifests (image-spec, image-index.md).</summary>
internal sealed record IndexWithSubject
{
    [JsonPropertyName("artifactType")]
    public string? ArtifactType { get; init; }

    [JsonPropertyName("subject")]
    public Descriptor? Subject { get; init; }

    [JsonPropertyName("annotations")]
    public SortedDictionary<string, string>? Annotations { get; init; }
}

internal sealed record TagsAnswer(List<string>? Tags);

internal sealed record CatalogAnswer(List<string>? Repositories);

internal sealed record SearchAnswer(List<SearchItem>? Results);

/// <summary>One result of a search.</summary>
public sealed record SearchItem
{
    public string? Name { get; init; }

    public string? Description { get; init; }

    public int StarCount { get; init; }

    public bool IsOfficial { get; init; }

    public bool IsAutomated { get; init; }
}
