using System.Collections.Concurrent;
using Sampan.Api;
using Sampan.Build;
using Sampan.Build.Context;
using Sampan.Build.Sources;
using Sampan.Engine.Builds;
using Sampan.Oci;

namespace Sampan.Engine;

/// <summary>Building an image: (1) what goes in, (2) build, (3) cache and comparison; the progress goes to the client as it comes.</summary>
public sealed partial class EngineService
{
    /// <summary>Builds that were given an ID, to be stopped by it.</summary>
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _builds = new();

    public async Task<string> BuildAsync(BuildOptions options, Stream context, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        if (options.BuildId is { Length: > 0 } name && !_builds.TryAdd(name, stop))
        {
            throw EngineException.Conflict($"a build with the ID '{name}' is under way");
        }

        try
        {
            return await BuildOneAsync(options, context, OneAtATime(progress), stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw EngineException.Conflict("the build was cancelled");
        }
        finally
        {
            if (options.BuildId is { Length: > 0 } own)
            {
                _builds.TryRemove(new(own, stop));
            }
        }
    }

    public Task CancelBuildAsync(string id, CancellationToken cancel) => _builds.TryGetValue(id, out var stop) ? stop.CancelAsync() : Task.CompletedTask;

    private async Task<string> BuildOneAsync(BuildOptions options, Stream context, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        // :: 1 what goes in; a directory that cannot be reached comes back as an archive, with the same attachments
        await using var agents = options.Client is { } client ? new ClientAgents(client, _store.MemoryRoot ?? _store.DataRoot) : null;
        using var inputs = new BuildInputs();
        var local = options.LocalContext is { } own ? inputs.Hold(LocalDirectory.Open(own)) : null;
        inputs.Take(options.Attachments, _attachments);
        await inputs.FetchAsync(options.NamedContexts, _store, cancel);
        await OpenContextAsync(inputs, agents, local, options, context, cancel);

        // :: 2 build
        var caches = new BuildCaches(this, options, progress);
        BuildResult? result = null;
        try
        {
            var request = await caches.ApplyAsync(RequestOf(options, inputs, agents), cancel);
            await using var messages = new BuildMessages(options, progress, _time, cancel);
            result = await RunBuildAsync(new Builder(_store, new StepExecutor(this), BasePuller(options, progress)), request, messages, cancel);
        }
        finally
        {
            await caches.ForgetAsync(result);
        }

        // :: 3 cache and comparison
        await caches.ExportAsync(result, cancel);
        if (options.Verify is { } reference)
        {
            var difference = Build.Verification.ImageComparer.FirstDifference(_store, _store.Images.Resolve(reference), _store.Images.Get(result.ImageId)!);
            await progress(new JsonMessage { Stream = difference is null ? $"Verified: {reference} is what this build gives\n" : "" });
            _ = difference is null ? true : throw EngineException.Conflict($"{reference} is not what this build gives: {difference}");
        }

        _events.Publish("builder", "build", result.ImageId.ToString());
        CollectBuildCache();
        return result.ImageId.ToString();
    }

    private static async Task<BuildResult> RunBuildAsync(Builder builder, BuildRequest request, BuildMessages messages, CancellationToken cancel)
    {
        try
        {
            return await builder.BuildAsync(request, messages, cancel);
        }
        catch (BuildException e) when (e is { InnerException: Dockerfile.DockerfileException, Lines: { } lines })
        {
            throw ParseError(e, lines, e.FileName, e.Excerpt);
        }
        catch (BuildException e) when (e.Lines is { } lines)
        {
            throw new EngineException(EngineException.KindOf(e), e.Message, e)
            {
                Data = { ["exitCode"] = e.ExitCode, ["lines"] = (lines.Start, lines.End), ["place"] = $"{e.FileName}:{lines.Start}\n{e.Excerpt}" },
            };
        }
    }

    /// <summary>The context: a directory of the client's own, a URL, or the archive that is the body.</summary>
    private async Task OpenContextAsync(BuildInputs inputs, ClientAgents? agents, LocalDirectory? local, BuildOptions options, Stream body, CancellationToken cancel)
    {
        if (local is not null)
        {
            (inputs.Context, inputs.IsLive) = (local.Path, true);
            var dockerfile = await ReadAsync(body, Dockerfile.DockerfileLimits.Default.MaxBytes, "the Dockerfile", cancel);
            inputs.Dockerfile = dockerfile.Length == 0 ? (ReadOnlyMemory<byte>?)null : dockerfile;
        }
        else if (options.ContextCopy is KeptContext kept)
        {
            (inputs.Context, inputs.IsLive) = (kept.Path, true); // as a user's own: digests are remembered, no container changes it
        }
        else if (options.Remote is { Length: > 0 } url)
        {
            var agent = inputs.Agents.GetValueOrDefault("default") ?? (agents is null ? null : await agents.FindAsync("default", cancel));
            var remote = inputs.Hold(await RemoteContext.FetchAsync(_store, url, agent, null, cancel));
            inputs.Context = remote.Directory;
            inputs.DockerfilePath = remote.IsDockerfile ? "Dockerfile" : null;
        }
        else
        {
            inputs.Context = inputs.Hold(await ContextUnpacker.UnpackAsync(_store, body, null, cancel)).Path;
        }
    }

    private BuildRequest RequestOf(BuildOptions options, BuildInputs inputs, ClientAgents? agents) => new()
    {
        ContextDirectory = inputs.Context,
        ContextIsLive = inputs.IsLive,
        DockerfilePath = inputs.DockerfilePath ?? options.Dockerfile,
        Dockerfile = inputs.Dockerfile ?? Content(options.DockerfileContent),
        Ignore = Content(options.IgnoreContent),
        NamedContexts = inputs.Contexts,
        Secrets = inputs.Secrets,
        FindSecret = options.Client is { } client ? client.SecretAsync : null,
        SshAgents = inputs.Agents,
        FindAgent = agents is null ? null : agents.FindAsync,
        Squash = options.Squash,
        BuildArgs = options.BuildArgs,
        Target = string.IsNullOrEmpty(options.Target) ? null : options.Target,
        NoCache = options.NoCache || options.Verify is not null,
        NoCacheStages = options.NoCacheStages,
        Allow = options.Allow,
        HashAlways = options.HashAlways,
        ArchiveLimits = new Store.ApplyLimits { Entries = _options.MaxLayerEntries, TotalBytes = _options.MaxArchiveBytes },
        Origin = options.Origin.Length > 0 ? options.Origin : options.Tags.FirstOrDefault() ?? "",
        Tags = options.Verify is null ? [.. options.Tags.Select(ImageReference.Parse)] : [],
        Pull = options.Pull,
        Labels = options.Labels,
        Platform = string.IsNullOrEmpty(options.Platform) ? null : Platform.Parse(options.Platform),
        NetworkMode = string.IsNullOrEmpty(options.NetworkMode) ? "default" : options.NetworkMode,
        ShmSizeBytes = options.ShmSize,
        ExtraHosts = options.ExtraHosts,
        Limits = new StepLimits
        {
            MemoryBytes = options.Memory,
            MemorySwapBytes = options.MemorySwap,
            CpuShares = options.CpuShares,
            CpuPeriodMicroseconds = options.CpuPeriod,
            CpuQuotaMicroseconds = options.CpuQuota,
            CpusetCpus = options.CpusetCpus ?? "",
            CpusetMems = options.CpusetMems ?? "",
            CgroupParent = CgroupParentOf(options.CgroupParent),
            Ulimits = [.. options.Ulimits.Select(u => u.ToString())],
        },
    };

    private static EngineException ParseError(Exception e, Dockerfile.LineRange lines, string? file, string? excerpt) =>
        new(ErrorKind.InvalidParameter, $"dockerfile parse error on line {lines.Start}: {e.Message}", e)
        {
            Data = { ["lines"] = (lines.Start, lines.End), ["place"] = $"{file}:{lines.Start}\n{excerpt}" },
        };

    private static ReadOnlyMemory<byte>? Content(byte[]? given) => given is null ? (ReadOnlyMemory<byte>?)null : given;
}
