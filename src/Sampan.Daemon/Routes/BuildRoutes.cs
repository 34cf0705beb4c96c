using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Engine;
using Sampan.Linux;

namespace Sampan.Daemon.Routes;

/// <summary>Builds and their cache.</summary>
internal static class BuildRoutes
{
    /// <summary>So many lines of a quiet build are kept, to be shown when it fails.</summary>
    private const int QuietLimit = 10_000;

    public static void Map(Router router)
    {
        router.Map("POST", "/build", BuildAsync);
        router.Map("POST", "/build/attachments", AttachAsync);
        router.Map("GET", "/build/output", OutputAsync);
        router.Map("GET", "/build/explain", ExplainAsync);
        router.Map("POST", "/build/prune", PruneAsync);
        router.Map("POST", "/build/cancel", ContainerRoutes.NoContent(
            c => c.Engine.CancelBuildAsync(c.Query["id"] ?? throw new ApiException(400, "build ID not provided"), c.Cancel)));
    }

    private static async Task BuildAsync(ApiCall call)
    {
        var options = Options(call);
        if (options.Version == "2")
        {
            throw new ApiException(400, "version 2 of this request is not supported: use docker with the buildx plugin, or the classic builder (DOCKER_BUILDKIT=0)");
        }

        var progress = new ProgressStream(call);
        if (options.Quiet)
        {
            await QuietAsync(call, options, progress);
            return;
        }

        await progress.RunAsync(() => BuildAsync(call, options, progress, progress.WriteAsync));
    }

    /// <summary>Who is told of steps learns by them where one failed; all others have it with the error.</summary>
    private static async Task<string> BuildAsync(ApiCall call, BuildOptions options, ProgressStream progress, Func<JsonMessage, ValueTask> tell)
    {
        try
        {
            return await call.Engine.BuildAsync(options, call.Body, tell, call.Cancel);
        }
        catch (EngineException e) when (!(options.TellsSteps && progress.Started) && e.Data["place"] is string place)
        {
            throw new EngineException(e.Kind, $"{e.Message}\n{place}", e) { Data = { ["exitCode"] = e.Data["exitCode"] } };
        }
    }

    private static async Task QuietAsync(ApiCall call, BuildOptions options, ProgressStream progress)
    {
        var kept = new Queue<JsonMessage>();
        await progress.RunAsync(async () =>
        {
            try
            {
                var id = await BuildAsync(call, options, progress, Keep);
                await progress.WriteAsync(new JsonMessage { Stream = id + "\n" });
            }
            catch (Exception) when (kept.Count > 0 && !call.Cancel.IsCancellationRequested)
            {
                foreach (var message in kept)
                {
                    await progress.WriteAsync(message);
                }

                throw;
            }
        });

        ValueTask Keep(JsonMessage message)
        {
            if (kept.Count == QuietLimit)
            {
                kept.Dequeue();
            }

            kept.Enqueue(message);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Takes a secret, an agent or a context for a build that follows.</summary>
    private static async Task AttachAsync(ApiCall call)
    {
        var kind = call.Query["kind"] ?? throw new ApiException(400, "the kind of the attachment is missing");
        var name = call.Query["name"] ?? throw new ApiException(400, "the name of the attachment is missing");
        var id = await call.Engine.AttachToBuildAsync(new(kind, name, LocalContext(call)), call.Body, call.Cancel);
        await call.AnswerAsync(new IdResponse { Id = id }, ApiJson.Wire.IdResponse, 201);
    }

    /// <summary>The files of a built image.</summary>
    private static async Task OutputAsync(ApiCall call)
    {
        var image = call.Query["image"] ?? throw new ApiException(400, "the image is missing");
        var write = await call.Engine.ImageFilesAsync(image, call.Cancel);
        call.Http.Response.ContentType = MediaTypes.Tar;
        await write(call.Http.Response.Body, call.Cancel);
    }

    private static BuildOptions Options(ApiCall call)
    {
        var query = call.Query;
        return new BuildOptions
        {
            Dockerfile = query["dockerfile"] ?? "Dockerfile",
            Tags = [.. query.All("t").Where(t => t.Length > 0)],
            Remote = query["remote"],
            BuildArgs = query.Json("buildargs", ApiJson.Wire.DictionaryStringString)?.ToDictionary(a => a.Key, a => (string?)a.Value)
                ?? new Dictionary<string, string?>(),
            Labels = query.Json("labels", ApiJson.Wire.DictionaryStringString) ?? [],
            CacheFrom = query.Json("cachefrom", ApiJson.Wire.ListString) ?? [],
            CacheTo = query.All("cacheto"),
            ExtraHosts = [.. query.All("extrahosts").Where(h => h.Length > 0)],
            Target = query["target"],
            Platform = call.Version >= 32 ? query["platform"] : null,
            NetworkMode = query["networkmode"],
            Quiet = query.Bool("q"),
            NoCache = query.Bool("nocache"),
            Pull = query.Bool("pull"),
            Squash = query.Bool("squash"),
            Remove = query.Bool("rm", absent: true),
            ForceRemove = query.Bool("forcerm"),
            Memory = query.Int64("memory"),
            MemorySwap = query.Int64("memswap"),
            CpuShares = query.Int64("cpushares"),
            CpuPeriod = query.Int64("cpuperiod"),
            CpuQuota = query.Int64("cpuquota"),
            CpusetCpus = query["cpusetcpus"],
            CpusetMems = query["cpusetmems"],
            CgroupParent = query["cgroupparent"],
            Ulimits = query.Json("ulimits", ApiJson.Wire.ListUlimit) ?? [],
            ShmSize = query.Int64("shmsize"),
            SecurityOpt = query.Json("securityopt", ApiJson.Wire.ListString) ?? [],
            Isolation = query["isolation"],
            Version = query["version"] ?? "1",
            BuildId = query["buildid"],
            SessionId = query["session"],
            Outputs = query["outputs"],
            LocalContext = LocalContext(call),
            Attachments = query.All("attachment"),
            NamedContexts = query.Json("namedcontexts", ApiJson.Wire.DictionaryStringString) ?? [],
            TellsSteps = query.Bool("status"),
            Origin = query["origin"] ?? "",
            Explain = query.Bool("explain"),
            NoCacheStages = query.All("nocachefilter"),
            Allow = query.All("allow"),
            HashAlways = query.Bool("hashalways"),
            Verify = query["verify"],
            AuthConfigs = ImageRoutes.Header(call, "X-Registry-Config", ApiJson.Wire.DictionaryStringAuthConfig) ?? [],
        };
    }

    /// <summary>The directory that <c>contextfd</c> names; the kernel says whose descriptor it is.</summary>
    private static LocalContext? LocalContext(ApiCall call)
    {
        if (!call.Query.Has("contextfd"))
        {
            return null;
        }

        var socket = call.Http.Features.Get<IConnectionSocketFeature>()?.Socket;
        var pid = socket is { AddressFamily: AddressFamily.Unix } ? UnixSocket.PeerPid((int)socket.SafeHandle.DangerousGetHandle()) : 0;
        return new(pid, call.Query.Int32("contextfd"), (ulong)call.Query.Int64("contextdev"), (ulong)call.Query.Int64("contextino"));
    }

    private static Task ExplainAsync(ApiCall call)
    {
        var origin = call.Query["origin"] ?? throw new ApiException(400, "the origin of the build is missing");
        var explanation = call.Engine.ExplainBuild(origin) ?? throw new ApiException(404, $"no build of '{origin}' is known: build it first");
        return call.AnswerAsync(explanation, ApiJson.Wire.BuildExplanation);
    }

    private static async Task PruneAsync(ApiCall call)
    {
        var query = call.Query;
        var options = new BuildPruneOptions
        {
            All = query.Bool("all"),
            ReservedSpace = call.Version >= 48 && query.Has("reserved-space") ? query.Int64("reserved-space") : query.Int64("keep-storage"),
            MaxUsedSpace = query.Int64("max-used-space"),
            MinFreeSpace = query.Int64("min-free-space"),
            Filters = query.Filters(),
        };
        await call.AnswerAsync(await call.Engine.PruneBuildCacheAsync(options, call.Cancel), ApiJson.Wire.BuildPruneResponse);
    }
}
