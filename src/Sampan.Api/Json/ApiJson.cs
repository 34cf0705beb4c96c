using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>
/// The JSON of the Engine API. Use <see cref="Wire"/>: it reads names in any case, as Go does, and writes <c>&lt;</c>, <c>&amp;</c> and other
/// letters as they are.
/// </summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(ContainerConfig))]
[JsonSerializable(typeof(ServeOptions))]
[JsonSerializable(typeof(HostConfig))]
[JsonSerializable(typeof(NetworkingConfig))]
[JsonSerializable(typeof(CreateContainerRequest))]
[JsonSerializable(typeof(ContainerCreateResponse))]
[JsonSerializable(typeof(ContainerUpdateRequest))]
[JsonSerializable(typeof(ContainerUpdateResponse))]
[JsonSerializable(typeof(ContainerInspect))]
[JsonSerializable(typeof(List<ContainerSummary>))]
[JsonSerializable(typeof(ContainersPruneResponse))]
[JsonSerializable(typeof(ContainerPathStat))]
[JsonSerializable(typeof(ContainerStats))]
[JsonSerializable(typeof(List<FilesystemChange>))]
[JsonSerializable(typeof(TopResponse))]
[JsonSerializable(typeof(WaitResponse))]
[JsonSerializable(typeof(ExecCreateRequest))]
[JsonSerializable(typeof(ExecStartRequest))]
[JsonSerializable(typeof(ExecInspect))]
[JsonSerializable(typeof(IdResponse))]
[JsonSerializable(typeof(ImageInspect))]
[JsonSerializable(typeof(List<ImageSummary>))]
[JsonSerializable(typeof(List<ImageHistoryItem>))]
[JsonSerializable(typeof(List<ImageDeleteItem>))]
[JsonSerializable(typeof(List<ImageSearchItem>))]
[JsonSerializable(typeof(ImagesPruneResponse))]
[JsonSerializable(typeof(DistributionInspect))]
[JsonSerializable(typeof(PushResult))]
[JsonSerializable(typeof(ImageID))]
[JsonSerializable(typeof(BuildCacheImage))]
[JsonSerializable(typeof(JsonMessage))]
[JsonSerializable(typeof(BuildPruneResponse))]
[JsonSerializable(typeof(BuildExplanation))]
[JsonSerializable(typeof(BuildStatus))]
[JsonSerializable(typeof(ImageTree))]
[JsonSerializable(typeof(ImageDifference))]
[JsonSerializable(typeof(ImageWaste))]
[JsonSerializable(typeof(StoreCheck))]
[JsonSerializable(typeof(List<Network>))]
[JsonSerializable(typeof(NetworkCreateRequest))]
[JsonSerializable(typeof(NetworkCreateResponse))]
[JsonSerializable(typeof(NetworkConnectRequest))]
[JsonSerializable(typeof(NetworkDisconnectRequest))]
[JsonSerializable(typeof(NetworksPruneResponse))]
[JsonSerializable(typeof(PortExplanation))]
[JsonSerializable(typeof(VolumeCreateRequest))]
[JsonSerializable(typeof(VolumeListResponse))]
[JsonSerializable(typeof(VolumesPruneResponse))]
[JsonSerializable(typeof(SystemInfo))]
[JsonSerializable(typeof(SystemVersion))]
[JsonSerializable(typeof(EventMessage))]
[JsonSerializable(typeof(AuthConfig))]
[JsonSerializable(typeof(OCIPlatform))]
[JsonSerializable(typeof(List<Ulimit>))]
[JsonSerializable(typeof(Volume))]
[JsonSerializable(typeof(AuthResponse))]
[JsonSerializable(typeof(ErrorResponse))]
[JsonSerializable(typeof(DiskUsage))]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(Dictionary<string, AuthConfig>))]
[JsonSerializable(typeof(Dictionary<string, List<string>>))]
[JsonSerializable(typeof(Dictionary<string, Dictionary<string, bool>>))]
[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
[JsonSerializable(typeof(List<string>))]
[JsonSerializable(typeof(JsonElement))]
public sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>The context with Docker's ways of escaping.</summary>
    public static ApiJson Wire { get; } = new(new JsonSerializerOptions
    {
        PropertyNameCaseInsensitive = true,
        Converters = { new TolerantBoolean(), new TolerantInt32(), new TolerantInt64() },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
