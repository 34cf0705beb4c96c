using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>The answer to <c>GET /info</c>. What the edge knows better (ServerVersion, Debug) may be left empty by the engine.</summary>
public sealed class SystemInfo
{
    public string ID { get; set; } = "";
    public int Containers { get; set; }
    public int ContainersRunning { get; set; }
    public int ContainersPaused { get; set; }
    public int ContainersStopped { get; set; }
    public int Images { get; set; }
    public string Driver { get; set; } = "overlay2";

    /// <summary>Name and value pairs.</summary>
    public List<List<string>> DriverStatus { get; set; } = [];

    public PluginsInfo Plugins { get; set; } = new();
    public bool MemoryLimit { get; set; }
    public bool SwapLimit { get; set; }
    public bool CpuCfsPeriod { get; set; }
    public bool CpuCfsQuota { get; set; }
    public bool CPUShares { get; set; }
    public bool CPUSet { get; set; }
    public bool PidsLimit { get; set; }
    public bool IPv4Forwarding { get; set; }
    public bool Debug { get; set; }
    public int NFd { get; set; }
    public bool OomKillDisable { get; set; }
    public int NGoroutines { get; set; }
    public string SystemTime { get; set; } = GoTime.Zero;
    public string LoggingDriver { get; set; } = "json-file";
    public string CgroupDriver { get; set; } = "cgroupfs";
    public string CgroupVersion { get; set; } = "";
    public int NEventsListener { get; set; }
    public string KernelVersion { get; set; } = "";
    public string OperatingSystem { get; set; } = "";
    public string OSVersion { get; set; } = "";
    public string OSType { get; set; } = "linux";
    public string Architecture { get; set; } = "";
    public string IndexServerAddress { get; set; } = "https://index.docker.io/v1/";
    public RegistryServiceConfig? RegistryConfig { get; set; } = new();
    public int NCPU { get; set; }

    /// <summary>Bytes.</summary>
    public long MemTotal { get; set; }

    public List<string>? GenericResources { get; set; }
    public string DockerRootDir { get; set; } = "";
    public string HttpProxy { get; set; } = "";
    public string HttpsProxy { get; set; } = "";
    public string NoProxy { get; set; } = "";
    public string Name { get; set; } = "";
    public List<string> Labels { get; set; } = [];
    public bool ExperimentalBuild { get; set; }
    public string ServerVersion { get; set; } = "";
    public Dictionary<string, RuntimeInfo> Runtimes { get; set; } = [];
    public string DefaultRuntime { get; set; } = "";
    public SwarmInfo Swarm { get; set; } = new();
    public bool LiveRestoreEnabled { get; set; } = true;
    public string Isolation { get; set; } = "";
    public string InitBinary { get; set; } = "";
    public Commit ContainerdCommit { get; set; } = new();
    public Commit RuncCommit { get; set; } = new();
    public Commit InitCommit { get; set; } = new();
    public List<string> SecurityOptions { get; set; } = [];

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ProductLicense { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<AddressPoolInfo>? DefaultAddressPools { get; set; }

    /// <summary>Since 1.49.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public FirewallInfo? FirewallBackend { get; set; }

    public List<string> CDISpecDirs { get; set; } = [];
    public List<string>? Warnings { get; set; }
}

/// <summary>Names of drivers.</summary>
public sealed class PluginsInfo
{
    public List<string> Volume { get; set; } = ["local"];
    public List<string> Network { get; set; } = ["bridge", "host", "null"];
    public List<string>? Authorization { get; set; }
    public List<string> Log { get; set; } = ["json-file"];
}

/// <summary>Which registries are trusted how.</summary>
public sealed class RegistryServiceConfig
{
    public List<string> InsecureRegistryCIDRs { get; set; } = ["::1/128", "127.0.0.0/8"];
    public Dictionary<string, IndexInfo> IndexConfigs { get; set; } = [];
    public List<string>? Mirrors { get; set; }
}

/// <summary>One registry.</summary>
public sealed class IndexInfo
{
    public string Name { get; set; } = "";
    public List<string> Mirrors { get; set; } = [];
    public bool Secure { get; set; } = true;
    public bool Official { get; set; }
}

/// <summary>An OCI runtime.</summary>
public sealed class RuntimeInfo
{
    [JsonPropertyName("path")]
    public string Path { get; set; } = "";

    [JsonPropertyName("runtimeArgs"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<string>? RuntimeArgs { get; set; }

    [JsonPropertyName("status"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Status { get; set; }
}

/// <summary>Swarm mode, which is never active here.</summary>
public sealed class SwarmInfo
{
    public string NodeID { get; set; } = "";
    public string NodeAddr { get; set; } = "";
    public string LocalNodeState { get; set; } = "inactive";
    public bool ControlAvailable { get; set; }
    public string Error { get; set; } = "";
    public List<string>? RemoteManagers { get; set; }
}

/// <summary>The revision of a component.</summary>
public sealed class Commit
{
    public string ID { get; set; } = "";
}

/// <summary>A range new networks take their subnets from.</summary>
public sealed class AddressPoolInfo
{
    public string Base { get; set; } = "";
    public int Size { get; set; }
}

/// <summary>How packets are filtered.</summary>
public sealed class FirewallInfo
{
    public string Driver { get; set; } = "nftables";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<List<string>>? Info { get; set; }
}
