using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>The body of <c>POST /containers/{id}/exec</c>: the swagger's <c>ExecConfig</c>.</summary>
public sealed class ExecCreateRequest
{
    public string User { get; set => field = value ?? ""; } = "";
    public bool Privileged { get; set; }
    public bool Tty { get; set; }

    /// <summary>Height and width.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<int>? ConsoleSize { get; set; }

    public bool AttachStdin { get; set; }
    public bool AttachStdout { get; set; }
    public bool AttachStderr { get; set; }
    public string DetachKeys { get; set => field = value ?? ""; } = "";
    public List<string>? Env { get; set; }
    public string WorkingDir { get; set => field = value ?? ""; } = "";

    [JsonConverter(typeof(StringOrList))]
    public List<string>? Cmd { get; set; }
}

/// <summary>The body of <c>POST /exec/{id}/start</c>.</summary>
public sealed class ExecStartRequest
{
    public bool Detach { get; set; }
    public bool Tty { get; set; }

    /// <summary>Height and width.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<int>? ConsoleSize { get; set; }
}

/// <summary>The answer to <c>GET /exec/{id}/json</c>.</summary>
public sealed class ExecInspect
{
    public string ID { get; set; } = "";
    public bool Running { get; set; }

    /// <summary>Null as long as it runs.</summary>
    public int? ExitCode { get; set; }

    public ProcessConfig ProcessConfig { get; set; } = new();
    public bool OpenStdin { get; set; }
    public bool OpenStderr { get; set; }
    public bool OpenStdout { get; set; }
    public bool CanRemove { get; set; }
    public string ContainerID { get; set; } = "";
    public string DetachKeys { get; set; } = "";
    public int Pid { get; set; }
}

/// <summary>What an exec runs.</summary>
public sealed class ProcessConfig
{
    [JsonPropertyName("tty")]
    public bool Tty { get; set; }

    [JsonPropertyName("entrypoint")]
    public string Entrypoint { get; set; } = "";

    [JsonPropertyName("arguments")]
    public List<string> Arguments { get; set; } = [];

    [JsonPropertyName("privileged"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? Privileged { get; set; }

    [JsonPropertyName("user"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? User { get; set; }
}

/// <summary>An id, the answer to <c>POST /commit</c> and <c>POST /containers/{id}/exec</c>.</summary>
public sealed class IdResponse
{
    public string Id { get; set; } = "";
}
