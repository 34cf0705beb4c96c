using System.Text;
using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Session;
using Sampan.Dockerfile.Ignore;
using Sampan.Oci;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>One run of the Dockerfile frontend: (1) the Dockerfile, (2) contexts by name and caches, (3) the context, (4) the build.</summary>
/// <param name="loose">Gets images that may go with the client unless they get a name.</param>
internal sealed class FrontendBuild(
    IEngine engine, ClientSession session, FrontendRequest request, BuildOptions options, StatusLog log, Action<string> loose)
{
    private const string UploadHost = "http://buildkit-session/";
    private const string ContextKey = "contextkey", DockerfileKey = "dockerfilekey";
    private readonly Teller _teller = new(log, TimeProvider.System);
    private readonly Guid _run = Guid.NewGuid();
    private string? _definition;
    private byte[]? _dockerfile;
    private SolveResult _built = new("");

    /// <summary>Builds.</summary>
    /// <param name="caches">Directories of the client's with cache, see <see cref="Frontend.LocalImports"/>.</param>
    /// <exception cref="GrpcException">It failed; the details say where.</exception>
    public async Task<SolveResult> RunAsync(IEnumerable<(string Directory, Digest Image)> caches, CancellationToken cancel)
    {
        try
        {
            var url = request.Attributes.GetValueOrDefault("context") ?? "";
            var isUpload = url.StartsWith(UploadHost, StringComparison.Ordinal);
            var isRemote = url.Length > 0 && !isUpload;

            // :: 1 Dockerfile, which a remote context has itself unless the client names a directory of its own
            var built = options;
            if (url.Length == 0 || request.Attributes.ContainsKey(DockerfileKey))
            {
                built = await DockerfileAsync(isLocal: url.Length == 0, cancel);
            }

            // :: 2 contexts by name and caches
            built = await ContextsAsync(built, cancel);
            built = built with { CacheFrom = [.. built.CacheFrom, .. await CachesAsync(caches, cancel)] };

            // :: 3 context
            using var copy = !isRemote && !isUpload && session.SharedKey.Length > 0
                ? engine.OpenContextCopy($"{session.SharedKey}\n{ContextName}") : null;
            if (copy is not null)
            {
                await UpdateAsync(copy, built, cancel);
            }

            await using var context = isRemote || copy is not null ? Stream.Null
                : isUpload ? SessionFiles.OpenUpload(session, url[UploadHost.Length..], cancel)
                : await OpenContextAsync(built, null, cancel);

            // :: 4 build
            built = built with { Remote = isRemote ? url : null, ContextCopy = copy, Client = new SessionClient(session) };
            await engine.BuildAsync(built, context, TellAsync, cancel);
            return _built;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Located(e);
        }
    }

    /// <summary>Answers a question about the Dockerfile.</summary>
    /// <exception cref="GrpcException">It cannot be answered.</exception>
    public async Task<SolveResult> AnswerAsync(string question, CancellationToken cancel)
    {
        try
        {
            var isLocal = request.Attributes.GetValueOrDefault("context") is null or "" || request.Attributes.ContainsKey(DockerfileKey);
            return Questions.Answer(question, engine, isLocal ? await DockerfileAsync(isLocal, cancel)
                : throw new GrpcException(GrpcCode.Unimplemented, $"{question} of a context that is not a local directory is not supported"));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Located(e);
        }
    }

    private async Task<BuildOptions> DockerfileAsync(bool isLocal, CancellationToken cancel)
    {
        var path = options.Dockerfile;
        var key = request.Attributes.GetValueOrDefault(DockerfileKey) ?? "dockerfile";
        return await _teller.DoAsync($"[internal] load build definition from {Path.GetFileName(path)}", async work =>
        {
            _definition = work.Digest;
            var files = await SessionFiles.ReadAsync(session, new(key) { Paths = [path, path + ".dockerignore"] }, cancel);
            _dockerfile = files.Find(path) ?? throw new GrpcException(GrpcCode.Unknown, $"failed to read dockerfile: open {path}: no such file or directory");
            await work.StatusAsync("transferring dockerfile:", _dockerfile.Length, isDone: true);
            var ignore = files.Find(path + ".dockerignore") ?? (isLocal ? await IgnoreAsync(ContextName, cancel) : null);
            return options with { DockerfileContent = _dockerfile, IgnoreContent = isLocal ? ignore ?? [] : null };
        }, cancel);
    }

    private string ContextName => request.Attributes.GetValueOrDefault(ContextKey) ?? "context";

    private async Task<byte[]?> IgnoreAsync(string directory, CancellationToken cancel)
    {
        const string Name = ".dockerignore";
        return (await SessionFiles.ReadAsync(session, new(directory) { Paths = [Name] }, cancel)).Find(Name);
    }

    /// <summary>Brings the copy of the last build's context to what the client has now.</summary>
    private async Task UpdateAsync(IContextCopy copy, BuildOptions built, CancellationToken cancel)
    {
        var known = new KnownFiles(copy.Record, copy.Remove, TimeProvider.System.GetUtcNow());
        await using (var changes = await OpenContextAsync(built, known, cancel))
        {
            await copy.UpdateAsync(changes, cancel);
        }

        copy.Keep(known.ToBytes().Span, $"local source for {ContextName}", known.TotalBytes);
    }

    private async Task<Stream> OpenContextAsync(BuildOptions built, KnownFiles? known, CancellationToken cancel)
    {
        var work = await _teller.BeginAsync("[internal] load build context", cancel);
        return await OpenArchiveAsync(ContextName, built.IgnoreContent ?? [], known, "transferring context:", work, cancel);
    }

    private async Task<Stream> OpenArchiveAsync(
        string directory, byte[] ignore, KnownFiles? known, string what, Teller.Work work, CancellationToken cancel)
    {
        var reported = 0L;
        await work.StatusAsync(what);
        return SessionFiles.OpenArchive(session, new(directory) { Excludes = Patterns(ignore) }, known, Progress, Finished, cancel);

        // What the build itself leaves out, in the same words.
        static string[] Patterns(byte[] file) => [.. IgnoreMatcher.Parse(Encoding.UTF8.GetString(file)).Rules.Select(rule => (rule.IsException ? "!" : "") + rule.Pattern.Text)];

        async ValueTask Progress(long bytes)
        {
            const int EveryMs = 100;
            if (Environment.TickCount64 - reported >= EveryMs)
            {
                reported = Environment.TickCount64;
                await work.StatusAsync(what, bytes);
            }
        }

        async Task Finished(long bytes)
        {
            await work.StatusAsync(what, bytes, isDone: true);
            await work.TellAsync(GoTime.Format(TimeProvider.System.GetUtcNow()), null);
        }
    }

    private async Task<BuildOptions> ContextsAsync(BuildOptions built, CancellationToken cancel)
    {
        const string Local = "local:", Input = "input:", Layout = "oci-layout:";
        var (named, attachments) = (new Dictionary<string, string>(), new List<string>());
        foreach (var (name, source) in Frontend.Contexts(request))
        {
            if (source.StartsWith(Local, StringComparison.Ordinal))
            {
                var directory = source[Local.Length..];
                var ignore = await IgnoreAsync(directory, cancel) ?? [];
                var work = await _teller.BeginAsync($"[context {name}] load from client", cancel);
                await using var archive = await OpenArchiveAsync(directory, ignore, null, $"transferring {name}:", work, cancel);
                attachments.Add(await engine.AttachToBuildAsync(new("context", name, null), archive, cancel));
            }
            else if (source.StartsWith(Layout, StringComparison.Ordinal))
            {
                var (store, image) = Layouts(source[Layout.Length..].TrimStart('/'));
                named[name] = $"docker-image://{await LoadAsync($"[context {name}] load image from client", store, image, cancel)}";
            }
            else
            {
                named[name] = source.StartsWith(Input, StringComparison.Ordinal) ? ResultReference.Source(request.Inputs, source[Input.Length..]) : source;
            }
        }

        return built with { NamedContexts = named, Attachments = attachments };

        // STORE[:TAG]@DIGEST: the client has looked the tag up.
        static (string Store, Digest Image) Layouts(string text) => text.LastIndexOf('@') is var at and > 0 && Digest.TryParse(text[(at + 1)..], out var image)
            ? ($"oci:{text[..at].Split(':')[0]}", image) : throw new GrpcException(GrpcCode.InvalidArgument, $"invalid OCI layout '{text}': it has no digest");
    }

    /// <summary>Takes caches; one that is not to be had is told, and the build goes on without it, as with BuildKit.</summary>
    private async Task<List<string>> CachesAsync(IEnumerable<(string Directory, Digest Image)> caches, CancellationToken cancel)
    {
        var images = new List<string>();
        foreach (var (directory, image) in caches)
        {
            try
            {
                images.Add(await LoadAsync($"importing cache manifest from local:{directory}", $"local:{directory}", image, cancel));
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // LoadAsync has told the client.
            }
        }

        return images;
    }

    /// <summary>Takes an image of a layout of the client's; gives its ID.</summary>
    private Task<string> LoadAsync(string what, string store, Digest image, CancellationToken cancel) => _teller.DoAsync(what, async _ =>
    {
        const string Loaded = "Loaded image ID: ";
        var platform = options.Platform is { } wanted ? Platform.Parse(wanted) : Platform.Current;
        var before = (await engine.ListImagesAsync(all: true, [], sharedSize: false, digests: false, cancel)).ConvertAll(known => known.Id);
        await using var archive = ClientLayout.Open(new(session, store), image, platform, cancel);
        var id = "";
        await engine.LoadImagesAsync(archive, quiet: true, null, message =>
        {
            id = message.Stream?.StartsWith(Loaded, StringComparison.Ordinal) == true ? message.Stream[Loaded.Length..].Trim() : id;
            return ValueTask.CompletedTask;
        }, cancel);
        if (!before.Contains(id))
        {
            loose(id);
        }

        return id;
    }, cancel);

    private async ValueTask TellAsync(JsonMessage message)
    {
        if (message.Id == BuildStatus.MessageId && message.Aux?.Deserialize(ApiJson.Wire.BuildStatus) is { } status)
        {
            status.Warnings?.ForEach(warning => warning.Vertex = _definition ?? "");
            status.Vertexes?.ForEach(vertex => vertex.Digest = Unique(vertex.Digest));
            status.Statuses?.ForEach(moved => moved.Vertex = Unique(moved.Vertex));
            status.Logs?.ForEach(line => line.Vertex = Unique(line.Vertex));
            await log.WriteAsync(status, CancellationToken.None);
        }
        else if (message.Aux?.Deserialize(ApiJson.Wire.ImageID) is { ID.Length: > 0 } image)
        {
            _built = _built with { Image = image.ID };
            if (image.IsNew)
            {
                loose(image.ID);
            }
        }
        else if (message.Aux?.Deserialize(ApiJson.Wire.BuildCacheImage) is { CacheID.Length: > 0 } cache)
        {
            _built = _built with { CacheImage = cache.CacheID };
            loose(cache.CacheID);
        }
    }

    /// <summary>The name of a step among those of all builds: bake shows several in one view.</summary>
    private string Unique(string digest) => Digest.OfSha256(Encoding.UTF8.GetBytes($"{_run} {digest}")).ToString();

    /// <summary>The error with its place in the Dockerfile, as clients show it.</summary>
    private GrpcException Located(Exception e)
    {
        var error = GrpcException.Of(e);
        return e.Data["lines"] is not (int start, int end) || _dockerfile is null ? error
            : new(error.Code, error.Message, SourceDetail.Of(options.Dockerfile, _dockerfile, start, end));
    }
}
