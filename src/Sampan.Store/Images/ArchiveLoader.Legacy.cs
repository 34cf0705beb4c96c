using System.Text.Json.Serialization;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>
/// Archives of Docker before 1.10 (image-spec v1.0 to v1.2 of Docker): <c>repositories</c> names the topmost layer of each tag; a layer is a
/// folder with <c>json</c> (which names its parent) and <c>layer.tar</c>.
/// </summary>
internal sealed partial class ArchiveLoader
{
    private const int LegacyLayers = 1024;

    private IEnumerable<(byte[] Config, List<(string, LayerSource)> Layers, List<ImageReference> Names)> FromRepositories(byte[] json)
    {
        foreach (var (repository, tags) in Parse(json, ImageJson.Compact.Repositories, "repositories"))
        {
            foreach (var (tag, id) in tags)
            {
                var (config, layers) = FromLegacy(id);
                yield return (config, layers, [ParseName($"{repository}:{tag}")]);
            }
        }
    }

    private (byte[] Config, List<(string, LayerSource)> Layers) FromLegacy(string top)
    {
        var layers = new List<(string Path, LayerSource Source)>();
        var history = new List<HistoryEntry>();
        for (string? id = top; !string.IsNullOrEmpty(id);)
        {
            if (layers.Count == LegacyLayers)
            {
                throw StoreException.Invalid($"layer \"{top}\" has more than {LegacyLayers} parents, or is its own");
            }

            var layer = Parse(LegacyFile(id), LegacyJson.Default.LegacyLayer, $"{id}/json");
            layers.Add(($"{id}/layer.tar", RequireLayer($"{id}/layer.tar")));
            history.Add(new HistoryEntry
            {
                Created = layer.Created,
                CreatedBy = string.Join(' ', layer.ContainerConfig?.Cmd ?? []),
                Author = layer.Author,
                Comment = layer.Comment,
            });
            id = layer.Parent;
        }

        layers.Reverse();
        history.Reverse();
        var config = Config(LegacyFile(top));
        return (ImageJson.Serialize(config with
        {
            Architecture = config.Architecture.Length > 0 ? config.Architecture : Platform.Current.Architecture,
            Os = config.Os.Length > 0 ? config.Os : Platform.Current.Os,
            RootFs = new RootFs { DiffIds = [.. layers.Select(l => l.Source.DiffId)] },
            History = history,
        }), layers);
    }

    private byte[] LegacyFile(string id) => FileAt($"{id}/json") ?? throw StoreException.Invalid($"the archive has no \"{id}/json\", which another file names");
}

/// <summary>What of a layer's <c>json</c> becomes the image's history.</summary>
internal sealed record LegacyLayer
{
    [JsonPropertyName("parent")]
    public string? Parent { get; init; }

    [JsonPropertyName("created"), JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset Created { get; init; }

    [JsonPropertyName("author")]
    public string? Author { get; init; }

    [JsonPropertyName("comment")]
    public string? Comment { get; init; }

    [JsonPropertyName("container_config")]
    public LegacyCommand? ContainerConfig { get; init; }
}

/// <summary>The command that made a layer.</summary>
internal sealed record LegacyCommand([property: JsonPropertyName("Cmd")] IReadOnlyList<string>? Cmd);

[JsonSourceGenerationOptions(MaxDepth = 64)]
[JsonSerializable(typeof(LegacyLayer))]
internal sealed partial class LegacyJson : JsonSerializerContext;
