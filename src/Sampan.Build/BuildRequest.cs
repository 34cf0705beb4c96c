using Sampan.Build.Sources;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build;

/// <summary>What to build and how.</summary>
public sealed record BuildRequest
{
    /// <summary>The context, absolute: unpacked (see <see cref="Context.ContextUnpacker"/>), or the user's directory itself.</summary>
    public required string ContextDirectory { get; init; }

    /// <summary>The directory is the user's own: it may change at any time, is worth remembering, and no container may see it itself.</summary>
    public bool ContextIsLive { get; init; }

    /// <summary>Reads every file, also one that is known not to have changed.</summary>
    public bool HashAlways { get; init; }

    /// <summary>Stages whose steps are run whatever the cache has, by name or number.</summary>
    public IReadOnlyList<string> NoCacheStages { get; init; } = [];

    /// <summary>Rights that RUN may ask for: <c>security.insecure</c>, <c>network.host</c>.</summary>
    public IReadOnlyList<string> Allow { get; init; } = [];

    /// <summary>The Dockerfile within the context.</summary>
    public string DockerfilePath { get; init; } = "Dockerfile";

    /// <summary>The Dockerfile itself when it is not in the context.</summary>
    public ReadOnlyMemory<byte>? Dockerfile { get; init; }

    /// <summary>The ignore file itself when the context's own does not count; empty for none.</summary>
    public ReadOnlyMemory<byte>? Ignore { get; init; }

    /// <summary>What stands for names in FROM, <c>--from</c> and <c>from=</c>, before stages and images of these names.</summary>
    public IReadOnlyDictionary<string, NamedContext> NamedContexts { get; init; } = new Dictionary<string, NamedContext>();

    /// <summary>Values for ARG. A null value unsets the argument, so that its default holds.</summary>
    public IReadOnlyDictionary<string, string?> BuildArgs { get; init; } = new Dictionary<string, string?>();

    /// <summary>The stage to build, by name or number; null builds the last.</summary>
    public string? Target { get; init; }

    /// <summary>Runs every step, whatever the cache has.</summary>
    public bool NoCache { get; init; }

    /// <summary>Images whose cache, or whose history, may spare steps.</summary>
    public IReadOnlyList<ImageRecord> CacheFrom { get; init; } = [];

    /// <summary>The image carries the cache of its own layers (<c>--cache-to type=inline</c>).</summary>
    public bool InlineCache { get; init; }

    /// <summary>What to make a cache image of.</summary>
    public CacheExport CacheExport { get; init; }

    /// <summary>Asks for newer versions of base images that are in the store.</summary>
    public bool Pull { get; init; }

    /// <summary>Names for the image.</summary>
    public IReadOnlyList<ImageReference> Tags { get; init; } = [];

    /// <summary>Labels on top of the Dockerfile's.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>The platform to build for; null is the machine's.</summary>
    public Platform? Platform { get; init; }

    /// <summary>Network of RUN steps: default, none, host, or a network's name.</summary>
    public string NetworkMode { get; init; } = "default";

    /// <summary>Size of /dev/shm in bytes; 0 is the default.</summary>
    public long ShmSizeBytes { get; init; }

    /// <summary>Lines for /etc/hosts, <c>name:address</c>.</summary>
    public IReadOnlyList<string> ExtraHosts { get; init; } = [];

    public StepLimits Limits { get; init; } = new();

    /// <summary>Content for <c>--mount=type=secret</c> by id.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Secrets { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>Finds a secret that is not among <see cref="Secrets"/> when a step wants it; null when there is none.</summary>
    public Func<string, CancellationToken, Task<byte[]?>>? FindSecret { get; init; }

    /// <summary>Makes one layer of all layers above the base image's.</summary>
    public bool Squash { get; init; }

    /// <summary>Sockets of agents for <c>--mount=type=ssh</c>, by id; <c>default</c> also serves git.</summary>
    public IReadOnlyDictionary<string, string> SshAgents { get; init; } = new Dictionary<string, string>();

    /// <summary>What an archive that ADD unpacks may hold.</summary>
    public ApplyLimits ArchiveLimits { get; init; } = ApplyLimits.Default with { TotalBytes = 16L << 30 };

    /// <summary>Finds an agent that is not among <see cref="SshAgents"/> when something wants it; null when there is none.</summary>
    public Func<string, CancellationToken, Task<string?>>? FindAgent { get; init; }

    /// <summary>Most steps at work at one time; 0 takes the number of processors, at least 2.</summary>
    public int Parallelism { get; init; }

    /// <summary>
    /// What distinguishes this build from others when a miss is explained, e.g. the client's directory. No part of any cache key.
    /// </summary>
    public string Origin { get; init; } = "";

    /// <summary>A secret's content; null when there is none of this id.</summary>
    internal async Task<ReadOnlyMemory<byte>?> SecretAsync(string id, CancellationToken cancel) =>
        Secrets.TryGetValue(id, out var content) ? content
            : FindSecret is not null && await FindSecret(id, cancel) is { } found ? found : (ReadOnlyMemory<byte>?)null;

    /// <summary>The socket of an agent; null when there is none of this id.</summary>
    internal async Task<string?> AgentAsync(string id, CancellationToken cancel) =>
        SshAgents.TryGetValue(id, out var agent) ? agent : FindAgent is null ? null : await FindAgent(id, cancel);
}

/// <summary>Limits for the containers of RUN steps; 0 and empty mean none.</summary>
public sealed record StepLimits
{
    public long MemoryBytes { get; init; }

    public long MemorySwapBytes { get; init; }

    public long CpuShares { get; init; }

    public long CpuPeriodMicroseconds { get; init; }

    public long CpuQuotaMicroseconds { get; init; }

    public string CpusetCpus { get; init; } = "";

    public string CpusetMems { get; init; } = "";

    public string CgroupParent { get; init; } = "";

    /// <summary>As <c>name=soft[:hard]</c>.</summary>
    public IReadOnlyList<string> Ulimits { get; init; } = [];
}

/// <summary>How much of a build's cache an image of it holds.</summary>
public enum CacheExport
{
    /// <summary>No image is made.</summary>
    None,

    /// <summary>The steps that the result is made of (<c>mode=min</c>).</summary>
    Result,

    /// <summary>The steps of all stages (<c>mode=max</c>).</summary>
    AllStages,
}

/// <summary>What a build gave.</summary>
/// <param name="ImageId">The image's ID.</param>
/// <param name="Steps">Number of instructions carried out or found in the cache.</param>
/// <param name="CachedSteps">How many of them the cache had.</param>
public sealed record BuildResult(Digest ImageId, int Steps, int CachedSteps)
{
    /// <summary>The image that holds the cache, when one was asked for. It has no name.</summary>
    public ImageRecord? CacheImage { get; init; }
}
