using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Sampan.Api;
using Sampan.Engine;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>An engine that keeps what it was asked, answers with fixed objects, and whose containers echo their input.</summary>
internal sealed class FakeEngine : IEngine
{
    public List<string> Calls { get; } = [];

    public CreateContainerRequest? Created { get; private set; }

    public BuildOptions? Built { get; private set; }

    public ImportOptions? Imported { get; private set; }

    public TaskCompletionSource<WaitResponse> Exit { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Channel<EventMessage> Events { get; } = Channel.CreateUnbounded<EventMessage>();

    /// <summary>What attach and exec do with the client's streams.</summary>
    public Func<Stream?, Stream, CancellationToken, Task> Session { get; set; } = EchoAsync;

    public bool Tty { get; set; } = true;

    /// <summary>Completes with how the last session ended.</summary>
    public TaskCompletionSource<Exception?> SessionEnd { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Copies until the end of the input, then says goodbye: the tail that must not be lost.</summary>
    public static async Task EchoAsync(Stream? input, Stream output, CancellationToken cancel)
    {
        if (input is not null)
        {
            await input.CopyToAsync(output, 64 * 1024, cancel);
        }

        await output.WriteAsync("bye\n"u8.ToArray(), cancel);
    }

    public Task<SystemInfo> InfoAsync(CancellationToken cancel) => Task.FromResult(Samples.Info());

    public SystemVersion Version() => new() { Arch = "amd64", KernelVersion = "6.18", GoVersion = ".NET 10", GitCommit = "abc" };

    public async IAsyncEnumerable<EventMessage> EventsAsync(
        DateTimeOffset? since, DateTimeOffset? until, Dictionary<string, List<string>> filters, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (var e in Events.Reader.ReadAllAsync(cancel))
        {
            yield return e;
        }
    }

    public Task<DiskUsage> DiskUsageAsync(DiskUsageOptions options, CancellationToken cancel) => Task.FromResult(Samples.DiskUsage());

    public Task<AuthResponse> AuthAsync(AuthConfig auth, CancellationToken cancel) => Task.FromResult(new AuthResponse { Status = "Login Succeeded" });

    public async Task<string> BuildAsync(BuildOptions options, Stream context, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        Built = options;
        if (options.Target == "early")
        {
            throw new EngineException(ErrorKind.InvalidParameter, "no such target 'early'");
        }

        await progress(new JsonMessage { Stream = "Step 1/2 : FROM scratch\n" });
        if (options.Target == "late")
        {
            throw new EngineException(ErrorKind.System, "the command '/bin/false' returned a non-zero code: 3") { Data = { ["exitCode"] = 3 } };
        }

        await context.CopyToAsync(Stream.Null, cancel);
        await progress(JsonMessage.OfImageId("sha256:1234"));
        return "sha256:1234";
    }

    public Task<string> AttachToBuildAsync(AttachmentOptions options, Stream body, CancellationToken cancel)
    {
        Calls.Add($"attach {options.Kind} {options.Name}");
        return Task.FromResult("a77ac4");
    }

    public IContextCopy? OpenContextCopy(string key) => null;

    public Task<Func<Stream, CancellationToken, Task>> ImageFilesAsync(string image, CancellationToken cancel) =>
        Task.FromResult<Func<Stream, CancellationToken, Task>>((output, stop) => output.WriteAsync(System.Text.Encoding.UTF8.GetBytes($"files of {image}"), stop).AsTask());

    public Task<Func<Stream, CancellationToken, Task>> SaveImageAsAsync(string image, IReadOnlyList<string> names, CancellationToken cancel) =>
        SaveImagesAsync(names, null, cancel);

    public DockerfileCheck CheckDockerfile(BuildOptions options) => new([], null);

    public BuildExplanation? ExplainBuild(string origin) => origin == "none" ? null : new() { Origin = origin };

    public Task<BuildPruneResponse> PruneBuildCacheAsync(BuildPruneOptions options, CancellationToken cancel) => Task.FromResult(new BuildPruneResponse());

    public Task CancelBuildAsync(string id, CancellationToken cancel) => Did($"cancel {id}");

    public Task<ContainerCreateResponse> CreateAsync(CreateContainerRequest request, string? name, string? platform, CancellationToken cancel)
    {
        Created = request;
        Calls.Add($"create {name} {platform}");
        return Task.FromResult(new ContainerCreateResponse { Id = "c0ffee" });
    }

    public Task<List<ContainerSummary>> ListAsync(bool all, int limit, bool size, Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        Calls.Add($"list {all} {limit} {size} {string.Join(';', filters.Select(f => $"{f.Key}={string.Join(',', f.Value)}"))}");
        return Task.FromResult(new List<ContainerSummary> { Samples.Summary() });
    }

    public Task<ContainerInspect> InspectAsync(string name, bool size, CancellationToken cancel) => name switch
    {
        "missing" => throw new EngineException(ErrorKind.NotFound, "No such container: missing"),
        "broken" => throw new InvalidOperationException("the disk is on fire"),
        _ => Task.FromResult(Samples.Inspect()),
    };

    public Task StartAsync(string name, string? detachKeys, CancellationToken cancel) => name == "running"
        ? throw new EngineException(ErrorKind.NotModified, "")
        : Did($"start {name} {detachKeys}");

    public Task StopAsync(string name, string? signal, int? timeoutSeconds, CancellationToken cancel) => Did($"stop {name} {signal} {timeoutSeconds}");

    public Task RestartAsync(string name, string? signal, int? timeoutSeconds, CancellationToken cancel) => Did($"restart {name} {signal} {timeoutSeconds}");

    public Task KillAsync(string name, string? signal, CancellationToken cancel) => name == "stopped"
        ? throw new EngineException(ErrorKind.Conflict, "container stopped is not running")
        : Did($"kill {name} {signal}");

    public Task PauseAsync(string name, CancellationToken cancel) => Did($"pause {name}");

    public Task UnpauseAsync(string name, CancellationToken cancel) => Did($"unpause {name}");

    public Task<Task<WaitResponse>> PrepareWaitAsync(string name, string condition, CancellationToken cancel)
    {
        Calls.Add($"wait {name} {condition}");
        return Task.FromResult(Exit.Task.WaitAsync(cancel));
    }

    public Task RenameAsync(string name, string newName, CancellationToken cancel) => Did($"rename {name} {newName}");

    public Task RemoveAsync(string name, bool force, bool volumes, bool link, CancellationToken cancel) => Did($"remove {name} {force} {volumes} {link}");

    public Task<IOutputSession> LogsAsync(string name, LogsOptions options, CancellationToken cancel) =>
        Task.FromResult<IOutputSession>(new LogSession(Tty));

    public Task<IAttachSession> AttachAsync(string name, AttachOptions options, CancellationToken cancel) => name == "missing"
        ? throw new EngineException(ErrorKind.NotFound, "No such container: missing")
        : Task.FromResult<IAttachSession>(new FakeSession(this));

    public Task ResizeAsync(string name, int height, int width, CancellationToken cancel) => Did($"resize {name} {height} {width}");

    public Task<TopResponse> TopAsync(string name, string psArgs, CancellationToken cancel) =>
        Task.FromResult(new TopResponse { Titles = ["PID", psArgs], Processes = [["1", "init"]] });

    public Task<IAsyncEnumerable<ContainerStats>> StatsAsync(string name, bool stream, bool oneShot, CancellationToken cancel) =>
        Task.FromResult(Stats());

    private static async IAsyncEnumerable<ContainerStats> Stats()
    {
        await Task.Yield();
        yield return new ContainerStats { Name = "/web", Id = "c0ffee" };
    }

    public Task<List<FilesystemChange>> ChangesAsync(string name, CancellationToken cancel) =>
        Task.FromResult(new List<FilesystemChange> { new() { Kind = 1, Path = "/new" } });

    public Task<Func<Stream, CancellationToken, Task>> ExportAsync(string name, CancellationToken cancel) =>
        Task.FromResult<Func<Stream, CancellationToken, Task>>(async (s, c) => await s.WriteAsync(new byte[100_000], c));

    public Task<ContainerPathStat> ArchiveStatAsync(string name, string path, CancellationToken cancel) =>
        Task.FromResult(new ContainerPathStat { Name = "hosts", Size = 12, Mode = 420 });

    public async Task<ArchiveDownload> ArchiveGetAsync(string name, string path, CancellationToken cancel) =>
        new(await ArchiveStatAsync(name, path, cancel), async (s, c) => await s.WriteAsync("tar"u8.ToArray(), c));

    public async Task ArchivePutAsync(string name, string path, ArchivePutOptions options, Stream archive, CancellationToken cancel)
    {
        using var copy = new MemoryStream();
        await archive.CopyToAsync(copy, cancel);
        Calls.Add($"put {name} {path} {copy.Length}");
    }

    public Task<ContainersPruneResponse> PruneContainersAsync(Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        Task.FromResult(new ContainersPruneResponse());

    public Task<ContainerUpdateResponse> UpdateAsync(string name, ContainerUpdateRequest request, CancellationToken cancel) =>
        Task.FromResult(new ContainerUpdateResponse { Warnings = [$"memory {request.Memory}"] });

    public Task<IdResponse> CommitAsync(CommitOptions options, CancellationToken cancel)
    {
        Calls.Add($"commit {options.Container} {options.Repo} {options.Tag} {string.Join('|', options.Changes)}");
        return Task.FromResult(new IdResponse { Id = "sha256:1234" });
    }

    public Task<string> ExecCreateAsync(string name, ExecCreateRequest request, CancellationToken cancel) => Task.FromResult("e1");

    public Task<IAttachSession?> ExecStartAsync(string id, ExecStartRequest request, CancellationToken cancel) => id switch
    {
        "missing" => throw new EngineException(ErrorKind.NotFound, "No such exec instance: missing"),
        _ => Task.FromResult<IAttachSession?>(request.Detach ? null : new FakeSession(this)),
    };

    public Task ExecResizeAsync(string id, int height, int width, CancellationToken cancel) => Did($"exec resize {id} {height} {width}");

    public Task<ExecInspect> ExecInspectAsync(string id, CancellationToken cancel) => Task.FromResult(new ExecInspect { ID = id });

    public Task<List<ImageSummary>> ListImagesAsync(bool all, Dictionary<string, List<string>> filters, bool sharedSize, bool digests, CancellationToken cancel)
    {
        Calls.Add($"images {all} {string.Join(';', filters.Select(f => $"{f.Key}={string.Join(',', f.Value)}"))}");
        return Task.FromResult(new List<ImageSummary> { Samples.ImageSummary() });
    }

    public Task<ImageInspect> InspectImageAsync(string name, string? platform, CancellationToken cancel)
    {
        Calls.Add($"image {name} {platform}");
        return Task.FromResult(Samples.Image());
    }

    public Task<List<ImageHistoryItem>> HistoryAsync(string name, string? platform, CancellationToken cancel) =>
        Task.FromResult(new List<ImageHistoryItem> { new() { CreatedBy = "/bin/sh -c #(nop)  CMD [\"sh\"] && a < b" } });

    public Task TagImageAsync(string name, string repo, string? tag, CancellationToken cancel) => Did($"tag {name} {repo} {tag}");

    public Task<List<ImageDeleteItem>> RemoveImageAsync(string name, bool force, bool noPrune, CancellationToken cancel) =>
        Task.FromResult(new List<ImageDeleteItem> { new() { Untagged = name }, new() { Deleted = "sha256:1234" } });

    public async Task<string> ImportImageAsync(ImportOptions options, Stream archive, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        Imported = options;
        await archive.CopyToAsync(Stream.Null, cancel);
        await progress(new JsonMessage { Status = "sha256:1234" });
        return "sha256:1234";
    }

    public Task PullImageAsync(PullOptions options, Func<JsonMessage, ValueTask> progress, CancellationToken cancel) =>
        throw new EngineException(ErrorKind.NotFound, $"pull access denied for {options.Image}, repository does not exist or may require 'docker login'");

    public async Task PushImageAsync(PushOptions options, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        Calls.Add($"push {options.Image} {options.Tag} {options.Auth?.Username}");
        await progress(new JsonMessage { Status = "pushed" });
    }

    public Task<DistributionInspect> DistributionAsync(string name, AuthConfig? auth, CancellationToken cancel) => Task.FromResult(new DistributionInspect
    {
        Descriptor = new OCIDescriptor { MediaType = "m", Digest = "sha256:1", Size = 1 },
        Platforms = [new OCIPlatform { Os = "linux", Architecture = "amd64" }],
    });

    public async Task LoadImagesAsync(Stream archive, bool quiet, string? platform, Func<JsonMessage, ValueTask> progress, CancellationToken cancel) =>
        await progress(new JsonMessage { Stream = "Loaded image: a:latest\n" });

    public Task<Func<Stream, CancellationToken, Task>> SaveImagesAsync(IReadOnlyList<string> names, string? platform, CancellationToken cancel)
    {
        Calls.Add($"save {string.Join(',', names)}");
        return ExportAsync("", cancel);
    }

    public IRegistryHandler OpenRegistry(ServeOptions options) => throw new ApiException(400, $"no registry, mirror {options.Mirror}");

    public Task<ImageTree> ImageTreeAsync(string name, CancellationToken cancel) => Task.FromResult(new ImageTree { Id = name });

    public Task<ImageDifference> CompareImagesAsync(string from, string to, CancellationToken cancel) =>
        Task.FromResult(new ImageDifference { From = from, To = to });

    public Task<ImageWaste> ImageWasteAsync(string name, CancellationToken cancel) => Task.FromResult(new ImageWaste { Id = name });

    public Task<StoreCheck> CheckImagesAsync(bool repair, CancellationToken cancel) => Task.FromResult(new StoreCheck { Blobs = repair ? 1 : 0 });

    public Task<ImagesPruneResponse> PruneImagesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        Task.FromResult(new ImagesPruneResponse());

    public Task<List<ImageSearchItem>> SearchImagesAsync(string term, int limit, Dictionary<string, List<string>> filters, AuthConfig? auth, CancellationToken cancel) =>
        Task.FromResult(new List<ImageSearchItem>());

    public Task<List<Sampan.Api.Network>> ListNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        Task.FromResult(new List<Sampan.Api.Network> { Samples.Network() });

    public Task<Sampan.Api.Network> InspectNetworkAsync(string name, string? scope, CancellationToken cancel) => Task.FromResult(Samples.Network());

    public Task<NetworkCreateResponse> CreateNetworkAsync(NetworkCreateRequest request, CancellationToken cancel) =>
        throw new EngineException(ErrorKind.NotImplemented, "user-defined networks are not there yet");

    public Task RemoveNetworkAsync(string name, CancellationToken cancel) => Did($"network rm {name}");

    public Task ConnectNetworkAsync(string name, NetworkConnectRequest request, CancellationToken cancel) => Did($"connect {name} {request.Container}");

    public Task DisconnectNetworkAsync(string name, NetworkDisconnectRequest request, CancellationToken cancel) => Did($"disconnect {name}");

    public Task<PortExplanation> ExplainPortAsync(string? ip, int port, string? protocol, CancellationToken cancel) =>
        Task.FromResult(new PortExplanation { Ways = [new PortWay { Port = $"{ip}:{port}/{protocol}", Result = "goes to the host's programs" }] });

    public Task<NetworksPruneResponse> PruneNetworksAsync(Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        Task.FromResult(new NetworksPruneResponse());

    public Task<VolumeListResponse> ListVolumesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        Task.FromResult(new VolumeListResponse { Volumes = [new Volume { Name = "v" }] });

    public Task<Volume> InspectVolumeAsync(string name, CancellationToken cancel) => Task.FromResult(new Volume { Name = name });

    public Task<Volume> CreateVolumeAsync(VolumeCreateRequest request, CancellationToken cancel) => Task.FromResult(new Volume { Name = request.Name });

    public Task RemoveVolumeAsync(string name, bool force, CancellationToken cancel) => Did($"volume rm {name} {force}");

    public Task<VolumesPruneResponse> PruneVolumesAsync(Dictionary<string, List<string>> filters, CancellationToken cancel) =>
        Task.FromResult(new VolumesPruneResponse());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Task Did(string what)
    {
        Calls.Add(what);
        return Task.CompletedTask;
    }

    private sealed class FakeSession(FakeEngine engine) : IAttachSession
    {
        public bool Tty => engine.Tty;

        public async Task RunAsync(Stream? clientInput, Stream clientOutput, CancellationToken cancel)
        {
            try
            {
                await engine.Session(clientInput, clientOutput, cancel);
                engine.SessionEnd.TrySetResult(null);
            }
            catch (Exception e)
            {
                engine.SessionEnd.TrySetResult(e);
                throw;
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class LogSession(bool tty) : IOutputSession
    {
        public bool Tty => tty;

        public async Task RunAsync(Stream clientOutput, CancellationToken cancel)
        {
            if (tty)
            {
                await clientOutput.WriteAsync("line\n"u8.ToArray(), cancel);
                return;
            }

            await StdCopy.WriteFrameAsync(clientOutput, StdCopy.Stdout, "line\n"u8.ToArray(), cancel);
            await StdCopy.WriteFrameAsync(clientOutput, StdCopy.Stderr, "oops\n"u8.ToArray(), cancel);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
