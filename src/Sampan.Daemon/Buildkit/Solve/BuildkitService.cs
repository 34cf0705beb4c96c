using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Session;
using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>
/// BuildKit's API as far as its clients need it for Dockerfiles: the services <c>Control</c>, and <c>LLBBridge</c> for frontends that run in the
/// client (which is how buildx builds). The builder behind it is Sampan's own.
/// </summary>
internal sealed class BuildkitService
{
    private const string Control = "/moby.buildkit.v1.Control/", Bridge = "/moby.buildkit.v1.frontend.LLBBridge/";

    /// <summary>The metadata by which a frontend in the client says whose it is.</summary>
    private const string BuildId = "buildkit-controlapi-buildid";

    private readonly IEngine _engine;
    private readonly SessionHub _sessions;
    private readonly SolveJobs _jobs = new();
    private readonly LooseImages _loose;

    public BuildkitService(IEngine engine, SessionHub sessions, LooseImages loose, GrpcServer server)
    {
        (_engine, _sessions, _loose) = (engine, sessions, loose);
        server.Map(Control + "ListWorkers", call => AnswerAsync(call, Workers.List()));
        server.Map(Control + "Info", call => AnswerAsync(call, Workers.Info()));
        server.Map(Control + "Solve", SolveAsync);
        server.Map(Control + "Status", StatusAsync);
        server.Map(Control + "DiskUsage", call => new CacheCalls(engine).DiskUsageAsync(call));
        server.Map(Control + "Prune", call => new CacheCalls(engine).PruneAsync(call));
        server.Map(Bridge + "Ping", PingAsync);
        server.Map(Bridge + "Solve", BridgeSolveAsync);
        server.Map(Bridge + "Return", ReturnAsync);
        server.Map(Bridge + "Inputs", call => AnswerAsync(call, default));
        server.Map(Bridge + "Evaluate", call => AnswerAsync(call, default)); // results are there when they have a name
        server.Map(Bridge + "StatFile", StatAsync);
        server.Map(Bridge + "Warn", WarnAsync);
    }

    private static async Task AnswerAsync(GrpcCall call, ReadOnlyMemory<byte> message)
    {
        await call.RequestAsync();
        await call.WriteAsync(message);
    }

    /// <summary>A whole build: (1) session, (2) the frontend's result, (3) where it goes.</summary>
    private async Task SolveAsync(GrpcCall call)
    {
        var request = SolveRequest.Parse(await call.RequestAsync());
        var job = _jobs.Get(request.Ref);
        if (request.Ref.Length == 0 || !job.Start(request))
        {
            throw new GrpcException(GrpcCode.AlreadyExists, $"a build '{request.Ref}' is under way");
        }

        try
        {
            // :: 1 session
            var session = request.Session.Length == 0 ? null : await _sessions.GetAsync(request.Session, call.Cancel);
            using var cancel = CancellationTokenSource.CreateLinkedTokenSource(call.Cancel, session?.Closed ?? CancellationToken.None);

            // :: 2 result
            var name = request.Frontend.Frontend.Length > 0 || request.Frontend.Definition.Length > 0
                ? await BuildAsync(call.Connection, job, request, request.Frontend, cancel.Token) : await job.Returned.WaitAsync(cancel.Token);

            // :: 3 export
            var response = name.Length == 0 || job.Results.GetValueOrDefault(name) is not { Image.Length: > 0 } result ? new Dictionary<string, string>()
                : await new Exports(_engine, session, _loose, new(job.Log, TimeProvider.System)).RunAsync(result, request, cancel.Token);
            job.Log.Complete();
            await call.WriteAsync(new ProtoWriter().Map(1, response).Written);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw GrpcException.Of(e).AsFailure();
        }
        finally
        {
            job.Log.Complete();
            _jobs.End(request.Ref, job);
        }
    }

    /// <summary>Runs a frontend; gives the result's name.</summary>
    private async Task<string> BuildAsync(string connection, SolveJob job, SolveRequest solve, FrontendRequest request, CancellationToken cancel)
    {
        try
        {
            return await RunAsync(connection, job, solve, request, cancel);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw GrpcException.Of(e).AsFailure();
        }
    }

    private async Task<string> RunAsync(string connection, SolveJob job, SolveRequest solve, FrontendRequest request, CancellationToken cancel)
    {
        if (request.Definition.Length > 0)
        {
            var known = ResultReference.Image(request.Definition);
            return job.Add(new((await _engine.InspectImageAsync(known, null, cancel)).Id));
        }

        Frontend.Require(request);
        var options = Frontend.Options(request, solve);
        var session = await _sessions.GetAsync(solve.Session, cancel);
        var build = new FrontendBuild(_engine, session, request, options, job.Log, image => _loose.Add(connection, image));
        if (request.Attributes.GetValueOrDefault("requestid") is { Length: > 0 } question)
        {
            return job.Add(await build.AnswerAsync(question, cancel));
        }

        return job.Add(await build.RunAsync(Frontend.LocalImports(request, solve), cancel));
    }

    private async Task StatusAsync(GrpcCall call)
    {
        var reader = new Fields(await call.RequestAsync());
        var (job, _) = await _jobs.StartedAsync(reader.Text(1), call.Cancel);
        await job.Log.ReadAsync(call.WriteAsync, call.Cancel);
    }

    private async Task PingAsync(GrpcCall call)
    {
        await call.RequestAsync();
        await JobOf(call);
        await call.WriteAsync(Workers.Pong());
    }

    private async Task BridgeSolveAsync(GrpcCall call)
    {
        var request = FrontendRequest.ParseGateway(await call.RequestAsync());
        var (job, solve) = await JobOf(call);
        if (request.Frontend.Length == 0 && request.Definition.Length == 0)
        {
            await call.WriteAsync(new ProtoWriter().Message(3, _ => { }).Written); // nothing, as a result
            return;
        }

        var name = await BuildAsync(call.Connection, job, solve, request, call.Cancel);
        var result = job.Results[name];
        await call.WriteAsync(new ProtoWriter().Message(3, message =>
        {
            if (result.Image.Length > 0)
            {
                message.Message(3, reference => reference.String(1, name).Message(2, definition => ResultReference.Write(definition, result.Image)));
            }

            foreach (var (key, value) in result.Metadata)
            {
                message.Message(10, entry => entry.String(1, key).Bytes(2, value));
            }
        }).Written);
    }

    private async Task ReturnAsync(GrpcCall call)
    {
        var message = await call.RequestAsync();
        var (job, _) = await JobOf(call);
        var (result, error) = Returned(message);
        if (error is not null)
        {
            job.Return(error);
        }
        else
        {
            job.Return(result);
        }

        await call.WriteAsync(default);
    }

    /// <summary>From <c>ReturnRequest</c>: the chosen result's name, or the client's error.</summary>
    private static (string Result, GrpcException? Error) Returned(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        var (name, error) = ("", (GrpcException?)null);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    name = ResultName(reader.Bytes());
                    break;
                case 2:
                    error = GrpcException.Parse(reader.Bytes());
                    break;
            }
        }

        return (name, error);
    }

    private static string ResultName(ReadOnlySpan<byte> result)
    {
        var reader = new ProtoReader(result);
        var name = "";
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    name = reader.String();
                    break;
                case 3:
                    name = new Fields(reader.Bytes().ToArray()).Text(1);
                    break;
                case 2 or 4:
                    throw new GrpcException(GrpcCode.Unimplemented, "a result of several platforms is not supported");
            }
        }

        return name;
    }

    /// <summary>Asked of a result's root to make sure that it is there.</summary>
    private async Task StatAsync(GrpcCall call)
    {
        var request = new Fields(await call.RequestAsync());
        if (request.Text(2) is not ("." or "/" or ""))
        {
            throw new GrpcException(GrpcCode.Unimplemented, "reading files of a result is not supported");
        }

        await call.WriteAsync(new ProtoWriter().Message(1, new FileEntry("/") { Mode = FileEntry.Directory | 0x1ED }.Write).Written);
    }

    private async Task WarnAsync(GrpcCall call)
    {
        var message = new Fields(await call.RequestAsync());
        var (job, _) = await JobOf(call);
        await job.Log.WriteAsync(new() { Warnings = [new() { Vertex = message.Text(1), Short = System.Text.Encoding.UTF8.GetBytes(message.Text(3)) }] }, call.Cancel);
        await call.WriteAsync(default);
    }

    private Task<(SolveJob Job, SolveRequest Request)> JobOf(GrpcCall call) =>
        _jobs.StartedAsync(call.Metadata(BuildId) ?? throw new GrpcException(GrpcCode.InvalidArgument, "no buildid found in context"), call.Cancel);
}
