using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>What a container runs, portable between hosts: the swagger's <c>ContainerConfig</c>. Image configurations use it too.</summary>
public class ContainerConfig
{
    public string Hostname { get; set => field = value ?? ""; } = "";
    public string Domainname { get; set => field = value ?? ""; } = "";
    public string User { get; set => field = value ?? ""; } = "";
    public bool AttachStdin { get; set; }
    public bool AttachStdout { get; set; }
    public bool AttachStderr { get; set; }

    /// <summary>Keys are <c>port/protocol</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, Empty?>? ExposedPorts { get; set; }

    public bool Tty { get; set; }
    public bool OpenStdin { get; set; }
    public bool StdinOnce { get; set; }

    /// <summary><c>NAME=value</c>, or <c>NAME</c> alone to remove it.</summary>
    public List<string>? Env { get; set; }

    [JsonConverter(typeof(StringOrList))]
    public List<string>? Cmd { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HealthConfig? Healthcheck { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ArgsEscaped { get; set; }

    public string Image { get; set => field = value ?? ""; } = "";

    /// <summary>Mount points of anonymous volumes.</summary>
    public Dictionary<string, Empty?>? Volumes { get; set; }

    public string WorkingDir { get; set => field = value ?? ""; } = "";

    [JsonConverter(typeof(StringOrList))]
    public List<string>? Entrypoint { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool NetworkDisabled { get; set; }

    /// <summary>Deprecated since 1.44 (it is in EndpointSettings then), still sent by older clients.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? MacAddress { get; set; }

    public List<string>? OnBuild { get; set; }
    public Dictionary<string, string>? Labels { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? StopSignal { get; set; }

    /// <summary>Seconds between the stop signal and SIGKILL; null is the default of 10, negative is for ever.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? StopTimeout { get; set; }

    [JsonConverter(typeof(StringOrList)), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<string>? Shell { get; set; }

    /// <summary>What this version does not know is kept and shown again.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>How to tell whether a container is healthy. Durations are nanoseconds, 0 inherits.</summary>
public sealed class HealthConfig
{
    /// <summary><c>NONE</c>, <c>CMD</c> and arguments, or <c>CMD-SHELL</c> and a command line; empty inherits.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<string>? Test { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Interval { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Timeout { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long StartPeriod { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long StartInterval { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Retries { get; set; }
}

/// <summary>The body of <c>POST /containers/create</c>: a <see cref="ContainerConfig"/> with two more members.</summary>
public sealed class CreateContainerRequest : ContainerConfig
{
    public HostConfig? HostConfig { get; set; }
    public NetworkingConfig? NetworkingConfig { get; set; }
}

/// <summary>The answer to <c>POST /containers/create</c>.</summary>
public sealed class ContainerCreateResponse
{
    public string Id { get; set; } = "";
    public List<string> Warnings { get; set; } = [];
}

/// <summary>The body of <c>POST /containers/{id}/update</c>: resources and the restart policy.</summary>
public sealed class ContainerUpdateRequest : Resources
{
    public RestartPolicy? RestartPolicy { get; set; }
}

/// <summary>The answer to <c>POST /containers/{id}/update</c>.</summary>
public sealed class ContainerUpdateResponse
{
    public List<string>? Warnings { get; set; }
}
