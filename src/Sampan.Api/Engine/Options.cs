namespace Sampan.Api;

/// <summary>The query of <c>GET /containers/{id}/logs</c>.</summary>
public sealed record LogsOptions
{
    public bool Stdout { get; init; }
    public bool Stderr { get; init; }
    public bool Follow { get; init; }
    public bool Timestamps { get; init; }

    /// <summary>Each line begins with the attributes of the log driver.</summary>
    public bool Details { get; init; }

    public DateTimeOffset? Since { get; init; }
    public DateTimeOffset? Until { get; init; }

    /// <summary>The number of last lines; negative is all.</summary>
    public int Tail { get; init; } = -1;
}

/// <summary>The query of <c>POST /containers/{id}/attach</c>.</summary>
public sealed record AttachOptions
{
    /// <summary>What was logged so far comes first.</summary>
    public bool Logs { get; init; }

    /// <summary>What comes from now on.</summary>
    public bool Stream { get; init; }

    public bool Stdin { get; init; }
    public bool Stdout { get; init; }
    public bool Stderr { get; init; }

    /// <summary>As <c>ctrl-p,ctrl-q</c>; null is the default.</summary>
    public string? DetachKeys { get; init; }
}

/// <summary>The query of <c>PUT /containers/{id}/archive</c>.</summary>
public sealed record ArchivePutOptions
{
    /// <summary>A directory does not replace a file nor a file a directory.</summary>
    public bool NoOverwriteDirNonDir { get; init; }

    public bool CopyUidGid { get; init; }
}

/// <summary>A path of a container, ready to be sent.</summary>
public sealed record ArchiveDownload(ContainerPathStat Stat, Func<Stream, CancellationToken, Task> WriteAsync);

/// <summary>The query and body of <c>POST /commit</c>.</summary>
public sealed record CommitOptions
{
    public required string Container { get; init; }
    public string? Repo { get; init; }
    public string? Tag { get; init; }
    public string? Comment { get; init; }
    public string? Author { get; init; }
    public bool Pause { get; init; } = true;

    /// <summary>Dockerfile instructions.</summary>
    public IReadOnlyList<string> Changes { get; init; } = [];

    /// <summary>Replaces parts of the container's configuration.</summary>
    public ContainerConfig? Config { get; init; }
}

/// <summary>The query of <c>POST /images/create?fromSrc=…</c>.</summary>
public sealed record ImportOptions
{
    /// <summary><c>-</c> when the archive is the body, else a URL the engine fetches.</summary>
    public string Source { get; init; } = "-";

    public string? Repo { get; init; }
    public string? Tag { get; init; }
    public string? Message { get; init; }

    /// <summary>Dockerfile instructions.</summary>
    public IReadOnlyList<string> Changes { get; init; } = [];

    public string? Platform { get; init; }
}

/// <summary>The query of <c>POST /images/create?fromImage=…</c>.</summary>
public sealed record PullOptions
{
    public required string Image { get; init; }
    public string? Tag { get; init; }
    public string? Platform { get; init; }
    public AuthConfig? Auth { get; init; }
}

/// <summary>The query of <c>POST /images/{name}/push</c>.</summary>
public sealed record PushOptions
{
    public required string Image { get; init; }

    /// <summary>Null is every tag of the repository.</summary>
    public string? Tag { get; init; }

    /// <summary>The image must be of this platform; null is any.</summary>
    public string? Platform { get; init; }

    public AuthConfig? Auth { get; init; }
}

/// <summary>The query and headers of <c>POST /build</c>.</summary>
public sealed record BuildOptions
{
    /// <summary>Path within the context.</summary>
    public string Dockerfile { get; init; } = "Dockerfile";

    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>A Git or archive URL to take the context from.</summary>
    public string? Remote { get; init; }

    public IReadOnlyDictionary<string, string?> BuildArgs { get; init; } = new Dictionary<string, string?>();
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();
    public IReadOnlyList<string> CacheFrom { get; init; } = [];

    /// <summary>Where the cache goes: <c>type=inline</c>, <c>type=registry,ref=NAME</c>, or <c>type=local</c>, which leaves it as an image for the client to take.</summary>
    public IReadOnlyList<string> CacheTo { get; init; } = [];
    public IReadOnlyList<string> ExtraHosts { get; init; } = [];
    public string? Target { get; init; }
    public string? Platform { get; init; }
    public string? NetworkMode { get; init; }

    /// <summary>Only the image's id is printed.</summary>
    public bool Quiet { get; init; }

    public bool NoCache { get; init; }
    public bool Pull { get; init; }
    public bool Squash { get; init; }

    /// <summary>Whether step containers are removed after success, and always; accepted, as there are none.</summary>
    public bool Remove { get; init; } = true;

    public bool ForceRemove { get; init; }

    /// <summary>Bytes.</summary>
    public long Memory { get; init; }

    public long MemorySwap { get; init; }
    public long CpuShares { get; init; }
    public long CpuPeriod { get; init; }
    public long CpuQuota { get; init; }
    public string? CpusetCpus { get; init; }
    public string? CpusetMems { get; init; }
    public string? CgroupParent { get; init; }
    public IReadOnlyList<Ulimit> Ulimits { get; init; } = [];

    /// <summary>Bytes.</summary>
    public long ShmSize { get; init; }

    public IReadOnlyList<string> SecurityOpt { get; init; } = [];
    public string? Isolation { get; init; }

    /// <summary><c>1</c> for the classic builder, <c>2</c> for BuildKit.</summary>
    public string Version { get; init; } = "1";

    public string? BuildId { get; init; }
    public string? SessionId { get; init; }
    public string? Outputs { get; init; }

    /// <summary>The client's own directory, in place of an archive; the body is then the Dockerfile, when that is not in the directory.</summary>
    public LocalContext? LocalContext { get; init; }

    /// <summary>A copy of the client's directory, in place of an archive; see <see cref="IEngine.OpenContextCopy"/>.</summary>
    public IContextCopy? ContextCopy { get; init; }

    /// <summary>The Dockerfile itself when it is not in the context that is sent.</summary>
    public byte[]? DockerfileContent { get; init; }

    /// <summary>The ignore file itself when the context's own does not count; empty for none.</summary>
    public byte[]? IgnoreContent { get; init; }

    /// <summary>Whom to ask for secrets, agents and credentials that were not handed over before; null for nobody.</summary>
    public IBuildClient? Client { get; init; }

    /// <summary>IDs of secrets, agents and contexts that were attached before (<c>POST /build/attachments</c>).</summary>
    public IReadOnlyList<string> Attachments { get; init; } = [];

    /// <summary>Contexts by name that need no attachment: <c>docker-image://REFERENCE</c>, or the URL of a repository or an archive.</summary>
    public IReadOnlyDictionary<string, string> NamedContexts { get; init; } = new Dictionary<string, string>();

    /// <summary>The progress is told as <see cref="BuildStatus"/> in place of text.</summary>
    public bool TellsSteps { get; init; }

    /// <summary>Where the build comes from, to find its last one when a step is explained; empty for the first tag.</summary>
    public string Origin { get; init; } = "";

    /// <summary>Says why a step was not found in the cache.</summary>
    public bool Explain { get; init; }

    /// <summary>Stages whose steps are run whatever the cache has.</summary>
    public IReadOnlyList<string> NoCacheStages { get; init; } = [];

    /// <summary>Rights that RUN may ask for: <c>security.insecure</c>, <c>network.host</c>.</summary>
    public IReadOnlyList<string> Allow { get; init; } = [];

    /// <summary>Reads every file of the context, also one that has not been touched.</summary>
    public bool HashAlways { get; init; }

    /// <summary>An image that the build has to give again; its first difference is an error.</summary>
    public string? Verify { get; init; }

    /// <summary>Credentials by registry (<c>X-Registry-Config</c>).</summary>
    public IReadOnlyDictionary<string, AuthConfig> AuthConfigs { get; init; } = new Dictionary<string, AuthConfig>();
}

/// <summary>What a client hands to a build before it starts (Sampan's own).</summary>
/// <param name="Kind"><c>secret</c> (the body is the value), <c>ssh</c> (a local socket), <c>context</c> (a local directory, or an archive as
/// the body), <c>oci-layout</c> (an archive of it as the body).</param>
/// <param name="Name">The id of the secret or agent, or the context's name.</param>
/// <param name="Local">The client's own socket or directory.</param>
public sealed record AttachmentOptions(string Kind, string Name, LocalContext? Local);

/// <summary>A directory that a client of this machine has open.</summary>
/// <param name="Pid">The client's process, as the kernel names it for the connection; 0 when it cannot be seen.</param>
/// <param name="Fd">Its descriptor.</param>
/// <param name="FileSystem">The directory's device, and with <paramref name="Inode"/> the proof that the right one was found.</param>
public sealed record LocalContext(int Pid, int Fd, ulong FileSystem, ulong Inode);

/// <summary>The query of <c>POST /build/prune</c>. Bytes.</summary>
public sealed record BuildPruneOptions
{
    public bool All { get; init; }
    public long ReservedSpace { get; init; }
    public long MaxUsedSpace { get; init; }
    public long MinFreeSpace { get; init; }
    public Dictionary<string, List<string>> Filters { get; init; } = [];
}

/// <summary>The query of <c>GET /system/df</c>: what to count.</summary>
public sealed record DiskUsageOptions
{
    public bool Images { get; init; } = true;
    public bool Containers { get; init; } = true;
    public bool Volumes { get; init; } = true;
    public bool BuildCache { get; init; } = true;
}

/// <summary>What the daemon was started with, for the engine.</summary>
public sealed record DaemonOptions
{
    public string DataRoot { get; init; } = "/var/lib/sampan";
    public string ExecRoot { get; init; } = "/run/sampan";
    public bool Debug { get; init; }

    /// <summary>The default bridge's name; <c>none</c> for no default bridge, null for the engine's choice.</summary>
    public string? Bridge { get; init; }

    /// <summary>Address and prefix of the default bridge, as <c>172.17.0.1/16</c>.</summary>
    public string? Bip { get; init; }

    /// <summary>Whether the default bridge has IPv6 too.</summary>
    public bool IPv6 { get; init; }

    /// <summary>The default bridge's IPv6 subnet; null for the engine's choice.</summary>
    public string? FixedCidrV6 { get; init; }

    /// <summary>
    /// Whether what comes to a published port passes the host's own rules for incoming packets first (<c>--publish-policy host-firewall</c>).
    /// </summary>
    public bool ObeysHostFirewall { get; init; }

    /// <summary>0 is the engine's choice.</summary>
    public int Mtu { get; init; }

    public bool IpMasq { get; init; } = true;
    public bool Icc { get; init; } = true;
    public IReadOnlyList<AddressPoolInfo> DefaultAddressPools { get; init; } = [];
    public IReadOnlyList<string> Dns { get; init; } = [];
    public IReadOnlyList<string> DnsSearch { get; init; } = [];

    /// <summary>What <c>host-gateway</c> stands for in <c>--add-host</c>; the default bridge's address when empty.</summary>
    public IReadOnlyList<string> HostGateways { get; init; } = [];

    public IReadOnlyList<string> DnsOptions { get; init; } = [];
    public string? LogDriver { get; init; }
    public IReadOnlyDictionary<string, string> LogOpts { get; init; } = new Dictionary<string, string>();
    public string? CgroupParent { get; init; }
    public string? DefaultCgroupnsMode { get; init; }
    public string? DefaultIpcMode { get; init; }

    /// <summary>Bytes; 0 is 64 MiB.</summary>
    public long DefaultShmSize { get; init; }

    /// <summary>Limits of processes, for containers that do not set them.</summary>
    public IReadOnlyList<Ulimit> DefaultUlimits { get; init; } = [];

    public bool Init { get; init; }
    public bool NoNewPrivileges { get; init; }
    /// <summary><c>builtin</c>, <c>unconfined</c> or a profile in JSON; null is builtin.</summary>
    public string? SeccompProfile { get; init; }

    /// <summary>The file that the profile came from, as <c>info</c> tells it.</summary>
    public string? SeccompProfilePath { get; init; }

    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>URLs of mirrors of docker.io; <c>DOMAIN=URL</c> for another registry's.</summary>
    public IReadOnlyList<string> RegistryMirrors { get; init; } = [];

    /// <summary>Hosts and address ranges whose certificates need not be valid, and which may speak plain HTTP.</summary>
    public IReadOnlyList<string> InsecureRegistries { get; init; } = [];

    public int MaxConcurrentDownloads { get; init; } = 3;
    public int MaxConcurrentUploads { get; init; } = 5;

    /// <summary>The entries of a layer's archive at most.</summary>
    public long MaxLayerEntries { get; init; } = 10_000_000;

    /// <summary>The bytes of a layer's archive at most, not compressed.</summary>
    public long MaxLayerBytes { get; init; } = 1L << 42;

    /// <summary>The bytes at most that ADD unpacks of one archive.</summary>
    public long MaxArchiveBytes { get; init; } = 1L << 34;

    /// <summary>The attempts at a layer that breaks off.</summary>
    public int MaxDownloadAttempts { get; init; } = 5;

    /// <summary>Proxies for registries; null takes those of the daemon's environment.</summary>
    public string? HttpProxy { get; init; }

    public string? HttpsProxy { get; init; }
    public string? NoProxy { get; init; }

    public BuildGcOptions BuildGc { get; init; } = new();

    /// <summary>Seconds a stopping daemon gives what it is doing.</summary>
    public int ShutdownTimeoutSeconds { get; init; } = 15;
}

/// <summary>The body of <c>POST /registry/serve</c>; Sampan's own.</summary>
public sealed record ServeOptions
{
    /// <summary><c>[IP]:PORT</c>; null takes the default.</summary>
    public string? Address { get; init; }

    /// <summary>URL of the registry that is asked for what is not here; null or empty for none.</summary>
    public string? Mirror { get; init; }

    /// <summary>PEM: the server's certificate, then those between it and its authority; null for plain HTTP.</summary>
    public string? Certificate { get; init; }

    /// <summary>PEM, of the certificate.</summary>
    public string? Key { get; init; }

    /// <summary>A file of htpasswd: who may use the registry; null for everyone.</summary>
    public string? Users { get; init; }

    /// <summary>Plain HTTP on addresses that others reach is meant.</summary>
    public bool Insecure { get; init; }
}
