namespace Sampan.Api;

/// <summary>
/// What the daemon's routes call: the engine behind the Engine API. Names may be names, ids or unambiguous prefixes of ids. Every method
/// throws the engine's own exception for errors that the user is told about; the daemon maps its kind to a status.
/// </summary>
public interface IEngine : IEngineContainers, IEngineExecs, IEngineImages, IEngineNetworks, IEngineVolumes, IAsyncDisposable
{
    Task<SystemInfo> InfoAsync(CancellationToken cancel);

    /// <summary>Version, kernel, components; the daemon adds the API versions.</summary>
    SystemVersion Version();

    /// <summary>Past events from <paramref name="since"/>, then live ones up to <paramref name="until"/> (for ever when null).</summary>
    IAsyncEnumerable<EventMessage> EventsAsync(
        DateTimeOffset? since, DateTimeOffset? until, Dictionary<string, List<string>> filters, CancellationToken cancel);

    Task<DiskUsage> DiskUsageAsync(DiskUsageOptions options, CancellationToken cancel);

    /// <summary>Checks credentials with a registry.</summary>
    Task<AuthResponse> AuthAsync(AuthConfig auth, CancellationToken cancel);

    /// <summary>
    /// Builds an image from a context archive, telling everything (the daemon keeps a quiet build quiet). Progress lines go to
    /// <paramref name="progress"/>; a failure is thrown (the daemon turns it
    /// into the stream's error line) with the exit status of a failed command in <c>Data["exitCode"]</c>. Returns the image's id.
    /// </summary>
    Task<string> BuildAsync(BuildOptions options, Stream context, Func<JsonMessage, ValueTask> progress, CancellationToken cancel);

    /// <summary>
    /// Takes what one build is to use: its ID goes into <see cref="BuildOptions.Attachments"/>. It is forgotten after 10 minutes when no
    /// build has come for it. Secrets are kept in memory only.
    /// </summary>
    Task<string> AttachToBuildAsync(AttachmentOptions options, Stream body, CancellationToken cancel);

    /// <summary>
    /// Opens what was kept of a client's directory at its last build; null when another build works with it. It goes into
    /// <see cref="BuildOptions.ContextCopy"/>, and is to be disposed after the build.
    /// </summary>
    /// <param name="key">Tells this directory from all others.</param>
    IContextCopy? OpenContextCopy(string key);

    /// <summary>The files of an image as a tar, as a container would see them: <c>build --output type=local|tar</c>.</summary>
    Task<Func<Stream, CancellationToken, Task>> ImageFilesAsync(string image, CancellationToken cancel);

    /// <summary>How the last build from an origin went; null when none is known.</summary>
    BuildExplanation? ExplainBuild(string origin);

    /// <summary>Looks through <see cref="BuildOptions.DockerfileContent"/> and builds nothing.</summary>
    DockerfileCheck CheckDockerfile(BuildOptions options);

    Task<BuildPruneResponse> PruneBuildCacheAsync(BuildPruneOptions options, CancellationToken cancel);

    /// <summary>Stops the build that was started with this id (<see cref="BuildOptions.BuildId"/>); nothing happens when there is none.</summary>
    Task CancelBuildAsync(string id, CancellationToken cancel);
}

/// <summary>Containers.</summary>
public interface IEngineContainers
{
    Task<ContainerCreateResponse> CreateAsync(CreateContainerRequest request, string? name, string? platform, CancellationToken cancel);

    /// <param name="limit">The number of newest containers to show, whatever their state; 0 is no limit.</param>
    Task<List<ContainerSummary>> ListAsync(
        bool all, int limit, bool size, Dictionary<string, List<string>> filters, CancellationToken cancel);

    Task<ContainerInspect> InspectAsync(string name, bool size, CancellationToken cancel);
    Task StartAsync(string name, string? detachKeys, CancellationToken cancel);

    /// <param name="timeoutSeconds">Null is the container's own, negative is for ever.</param>
    Task StopAsync(string name, string? signal, int? timeoutSeconds, CancellationToken cancel);

    Task RestartAsync(string name, string? signal, int? timeoutSeconds, CancellationToken cancel);
    Task KillAsync(string name, string? signal, CancellationToken cancel);
    Task PauseAsync(string name, CancellationToken cancel);
    Task UnpauseAsync(string name, CancellationToken cancel);

    /// <summary>
    /// In two steps: the outer task checks the name and begins to wait, so that the response's headers can be sent before the container
    /// ends; the inner one is the end. <paramref name="condition"/>: <c>not-running</c>, <c>next-exit</c> or <c>removed</c>.
    /// </summary>
    Task<Task<WaitResponse>> PrepareWaitAsync(string name, string condition, CancellationToken cancel);

    Task RenameAsync(string name, string newName, CancellationToken cancel);
    Task RemoveAsync(string name, bool force, bool volumes, bool link, CancellationToken cancel);

    /// <summary>In two steps, as attach: the outer task checks; the session writes the log to the client.</summary>
    Task<IOutputSession> LogsAsync(string name, LogsOptions options, CancellationToken cancel);

    Task<IAttachSession> AttachAsync(string name, AttachOptions options, CancellationToken cancel);
    Task ResizeAsync(string name, int height, int width, CancellationToken cancel);
    Task<TopResponse> TopAsync(string name, string psArgs, CancellationToken cancel);

    /// <summary>One sample for each item: one (two apart when not <paramref name="oneShot"/>) or, when streaming, one every second.</summary>
    Task<IAsyncEnumerable<ContainerStats>> StatsAsync(string name, bool stream, bool oneShot, CancellationToken cancel);

    Task<List<FilesystemChange>> ChangesAsync(string name, CancellationToken cancel);

    /// <summary>Checks, then the returned function writes the root file system as a tar archive.</summary>
    Task<Func<Stream, CancellationToken, Task>> ExportAsync(string name, CancellationToken cancel);

    Task<ContainerPathStat> ArchiveStatAsync(string name, string path, CancellationToken cancel);

    /// <summary>Checks, then <see cref="ArchiveDownload.WriteAsync"/> writes the path as a tar archive.</summary>
    Task<ArchiveDownload> ArchiveGetAsync(string name, string path, CancellationToken cancel);

    Task ArchivePutAsync(string name, string path, ArchivePutOptions options, Stream archive, CancellationToken cancel);
    Task<ContainersPruneResponse> PruneContainersAsync(Dictionary<string, List<string>> filters, CancellationToken cancel);
    Task<ContainerUpdateResponse> UpdateAsync(string name, ContainerUpdateRequest request, CancellationToken cancel);
    Task<IdResponse> CommitAsync(CommitOptions options, CancellationToken cancel);
}

/// <summary>Execs.</summary>
public interface IEngineExecs
{
    /// <summary>Returns the exec's id.</summary>
    Task<string> ExecCreateAsync(string name, ExecCreateRequest request, CancellationToken cancel);

    /// <summary>Starts the process; null when <see cref="ExecStartRequest.Detach"/>.</summary>
    Task<IAttachSession?> ExecStartAsync(string id, ExecStartRequest request, CancellationToken cancel);

    Task ExecResizeAsync(string id, int height, int width, CancellationToken cancel);
    Task<ExecInspect> ExecInspectAsync(string id, CancellationToken cancel);
}

/// <summary>Images.</summary>
public interface IEngineImages
{
    Task<List<ImageSummary>> ListImagesAsync(
        bool all, Dictionary<string, List<string>> filters, bool sharedSize, bool digests, CancellationToken cancel);

    Task<ImageInspect> InspectImageAsync(string name, string? platform, CancellationToken cancel);
    Task<List<ImageHistoryItem>> HistoryAsync(string name, string? platform, CancellationToken cancel);
    Task TagImageAsync(string name, string repo, string? tag, CancellationToken cancel);
    Task<List<ImageDeleteItem>> RemoveImageAsync(string name, bool force, bool noPrune, CancellationToken cancel);

    /// <summary>An archive of a root file system becomes an image; the last progress line has its id as status, and it is returned.</summary>
    Task<string> ImportImageAsync(ImportOptions options, Stream archive, Func<JsonMessage, ValueTask> progress, CancellationToken cancel);

    Task PullImageAsync(PullOptions options, Func<JsonMessage, ValueTask> progress, CancellationToken cancel);
    /// <summary>Sends a tag, or all, to the registry that the name says.</summary>
    Task PushImageAsync(PushOptions options, Func<JsonMessage, ValueTask> progress, CancellationToken cancel);

    /// <summary>What a reference stands for at its registry.</summary>
    Task<DistributionInspect> DistributionAsync(string name, AuthConfig? auth, CancellationToken cancel);

    /// <summary>Reads an archive's images, of one platform when that is given; amounts are told unless it is to be quiet.</summary>
    Task LoadImagesAsync(Stream archive, bool quiet, string? platform, Func<JsonMessage, ValueTask> progress, CancellationToken cancel);

    /// <summary>Checks the names, then the returned function writes the archive.</summary>
    Task<Func<Stream, CancellationToken, Task>> SaveImagesAsync(IReadOnlyList<string> names, string? platform, CancellationToken cancel);

    /// <summary>As <see cref="SaveImagesAsync"/>, of one image under names that it need not have here.</summary>
    Task<Func<Stream, CancellationToken, Task>> SaveImageAsAsync(string image, IReadOnlyList<string> names, CancellationToken cancel);

    /// <summary>A registry on the store's content, for as long as it is not disposed.</summary>
    IRegistryHandler OpenRegistry(ServeOptions options);

    /// <summary>What each layer changes.</summary>
    Task<ImageTree> ImageTreeAsync(string name, CancellationToken cancel);

    /// <summary>How two images' file systems differ.</summary>
    Task<ImageDifference> CompareImagesAsync(string from, string to, CancellationToken cancel);

    /// <summary>What later layers hide.</summary>
    Task<ImageWaste> ImageWasteAsync(string name, CancellationToken cancel);

    /// <summary>Checks all content against its digests; with <paramref name="repair"/> removes what is damaged or loose.</summary>
    Task<StoreCheck> CheckImagesAsync(bool repair, CancellationToken cancel);

    Task<ImagesPruneResponse> PruneImagesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel);
    Task<List<ImageSearchItem>> SearchImagesAsync(
        string term, int limit, Dictionary<string, List<string>> filters, AuthConfig? auth, CancellationToken cancel);
}

/// <summary>The distribution API, as a function from requests to answers.</summary>
public interface IRegistryHandler : IDisposable
{
    /// <summary>Answers a request; an error is an answer too.</summary>
    Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, CancellationToken cancel);
}

/// <summary>Networks.</summary>
public interface IEngineNetworks
{
    Task<List<Network>> ListNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel);
    Task<Network> InspectNetworkAsync(string name, string? scope, CancellationToken cancel);
    Task<NetworkCreateResponse> CreateNetworkAsync(NetworkCreateRequest request, CancellationToken cancel);
    Task RemoveNetworkAsync(string name, CancellationToken cancel);
    Task ConnectNetworkAsync(string name, NetworkConnectRequest request, CancellationToken cancel);
    Task DisconnectNetworkAsync(string name, NetworkDisconnectRequest request, CancellationToken cancel);
    Task<PortExplanation> ExplainPortAsync(string? ip, int port, string? protocol, CancellationToken cancel);
    Task<NetworksPruneResponse> PruneNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel);
}

/// <summary>Volumes.</summary>
public interface IEngineVolumes
{
    Task<VolumeListResponse> ListVolumesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel);
    Task<Volume> InspectVolumeAsync(string name, CancellationToken cancel);
    Task<Volume> CreateVolumeAsync(VolumeCreateRequest request, CancellationToken cancel);
    Task RemoveVolumeAsync(string name, bool force, CancellationToken cancel);
    Task<VolumesPruneResponse> PruneVolumesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel);
}

/// <summary>Output for one client. Dispose ends it and frees what it holds; a session that was never run is disposed too.</summary>
public interface IOutputSession : IAsyncDisposable
{
    /// <summary>True: bytes are raw. False: they come in frames of 8 bytes header, see <see cref="StdCopy"/>.</summary>
    bool Tty { get; }

    /// <summary>Writes to the client until the end.</summary>
    Task RunAsync(Stream clientOutput, CancellationToken cancel);
}

/// <summary>Streams of a container or exec for one client. Dispose detaches; a session that was never run is disposed too.</summary>
public interface IAttachSession : IAsyncDisposable
{
    /// <summary>True: output is raw. False: it comes in frames of 8 bytes header, see <see cref="StdCopy"/>.</summary>
    bool Tty { get; }

    /// <summary>
    /// Carries bytes both ways until the output has ended (also when the input has not). The end of <paramref name="clientInput"/> closes
    /// the process's standard input and leaves the output flowing; an error of either stream means that the client has gone.
    /// </summary>
    /// <param name="clientInput">What the client sends; null when it does not attach standard input.</param>
    Task RunAsync(Stream? clientInput, Stream clientOutput, CancellationToken cancel);
}
