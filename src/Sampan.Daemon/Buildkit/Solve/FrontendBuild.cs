using System.Text;
using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Session;
using Sampan.Dockerfile.Ignore;
using Sampan.Oci;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>One run of the Dockerfile frontend: (1) the Dockerfile, (2) contexts by name, (3) the context, (4) the build.</summary>
internal sealed class FrontendBuild(IEngine engine, ClientSession session, FrontendRequest request, BuildOptions options, StatusLog log)
{
    private const string UploadHost = "http://buildkit-session/";
    private const string ContextKey = "contextkey", DockerfileKey = "dockerfilekey";
    private readonly Teller _teller = new(log, TimeProvider.System);
    private readonly Guid _run = Guid.NewGuid();
    private string? _definition;
    private byte[]? _dockerfile;
    private (string Id, bool IsNew) _built = ("", false);

    /// <summary>Builds; gives the image's ID, and whether it was not there before.</summary>
    /// <exception cref="GrpcException">It failed; the details say where.</exception>
    public async Task<(string Image, bool IsNew)> RunAsync(CancellationToken cancel)
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

            // :: 2 contexts by name
            built = await ContextsAsync(built, cancel);

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
        const string Local = "local:", Input = "input:";
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
            else
            {
                named[name] = source.StartsWith(Input, StringComparison.Ordinal) ? ResultReference.Source(request.Inputs, source[Input.Length..])
                    : source.StartsWith("oci-layout:", StringComparison.Ordinal)
                        ? throw new GrpcException(GrpcCode.Unimplemented, $"context '{name}': an OCI layout is not supported over BuildKit's API: use sampan build, or docker load")
                    : source;
            }
        }

        return built with { NamedContexts = named, Attachments = attachments };
    }

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
            _built = (image.ID, image.IsNew);
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
