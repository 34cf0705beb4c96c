using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>The answer to <c>GET /version</c>.</summary>
public sealed class SystemVersion
{
    public PlatformName Platform { get; set; } = new();
    public List<ComponentVersion>? Components { get; set; }
    public string Version { get; set; } = "";
    public string ApiVersion { get; set; } = "";
    public string MinAPIVersion { get; set; } = "";
    public string GitCommit { get; set; } = "";

    /// <summary>Clients print it; here it tells the .NET runtime.</summary>
    public string GoVersion { get; set; } = "";

    public string Os { get; set; } = "linux";
    public string Arch { get; set; } = "";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? KernelVersion { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Experimental { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? BuildTime { get; set; }
}

/// <summary>The product's name.</summary>
public sealed class PlatformName
{
    public string Name { get; set; } = "";
}

/// <summary>One component of the server.</summary>
public sealed class ComponentVersion
{
    public string Name { get; set; } = "";
    public string Version { get; set; } = "";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Details { get; set; }
}

/// <summary>One line of <c>GET /events</c>. The fields <c>status</c>, <c>id</c> and <c>from</c> of older clients are added at the edge.</summary>
public sealed class EventMessage
{
    /// <summary><c>container</c>, <c>image</c>, <c>network</c>, <c>volume</c>, <c>builder</c>, <c>daemon</c> …</summary>
    public string Type { get; set; } = "";

    public string Action { get; set; } = "";
    public EventActor Actor { get; set; } = new();

    [JsonPropertyName("scope"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Scope { get; set; } = "local";

    /// <summary>Seconds since 1970.</summary>
    [JsonPropertyName("time")]
    public long Time { get; set; }

    /// <summary>Nanoseconds since 1970.</summary>
    [JsonPropertyName("timeNano")]
    public long TimeNano { get; set; }
}

/// <summary>Whom an event is about.</summary>
public sealed class EventActor
{
    public string ID { get; set; } = "";
    public Dictionary<string, string> Attributes { get; set; } = [];
}

/// <summary>Credentials of a registry, as in <c>X-Registry-Auth</c> and <c>POST /auth</c>.</summary>
public sealed class AuthConfig
{
    [JsonPropertyName("username"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Username { get; set; }

    [JsonPropertyName("password"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Password { get; set; }

    [JsonPropertyName("auth"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Auth { get; set; }

    [JsonPropertyName("email"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Email { get; set; }

    [JsonPropertyName("serveraddress"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ServerAddress { get; set; }

    [JsonPropertyName("identitytoken"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IdentityToken { get; set; }

    [JsonPropertyName("registrytoken"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? RegistryToken { get; set; }
}

/// <summary>The answer to <c>POST /auth</c>.</summary>
public sealed class AuthResponse
{
    public string Status { get; set; } = "";
    public string IdentityToken { get; set; } = "";
}

/// <summary>The body of every error.</summary>
public sealed class ErrorResponse
{
    [JsonPropertyName("message")]
    public string Message { get; set; } = "";
}

/// <summary>The answer to <c>GET /system/df</c> in the shape of 1.52; the edge derives the older one. Null where not asked for.</summary>
public sealed class DiskUsage
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DiskUsageOf<ImageSummary>? ImageUsage { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DiskUsageOf<ContainerSummary>? ContainerUsage { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DiskUsageOf<Volume>? VolumeUsage { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DiskUsageOf<BuildCache>? BuildCacheUsage { get; set; }
}

/// <summary>Use of disk by one kind of object. Sizes in bytes.</summary>
public sealed class DiskUsageOf<T>
{
    public long ActiveCount { get; set; }

    /// <summary>The engine always fills it; the edge leaves it out unless <c>verbose</c> is asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<T>? Items { get; set; }

    public long Reclaimable { get; set; }
    public long TotalCount { get; set; }
    public long TotalSize { get; set; }
}
