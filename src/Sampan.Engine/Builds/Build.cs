using Sampan.Api;
using Sampan.Build;
using Sampan.Build.Context;
using Sampan.Build.Progress;
using Sampan.Engine.Builds;
using Sampan.Oci;

namespace Sampan.Engine;

/// <summary>Building an image: (1) context, (2) request, (3) build; the classic builder's text goes to the client as it comes.</summary>
public sealed partial class EngineService
{
    /// <summary>How many pieces of output may wait for a slow client before the build waits for it.</summary>
    private const int ProgressQueueLength = 1024;

    public async Task<string> BuildAsync(BuildOptions options, Stream context, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        if (options.Squash)
        {
            throw new EngineException(ErrorKind.NotImplemented, "squash is not supported yet");
        }

        // :: 1 context
        using var local = options.LocalContext is { } own ? LocalDirectory.Open(own) : null;
        using var directory = local is null ? await ContextUnpacker.UnpackAsync(_store, context, null, cancel) : null;

        // :: 2 request
        var request = RequestOf(options, local?.Path ?? directory!.Path) with
        {
            ContextIsLive = local is not null,
            Dockerfile = local is null ? null : await DockerfileAsync(context, cancel),
        };

        progress = OneAtATime(progress);
        var caches = new BuildCaches(this, options, progress);
        request = await caches.ApplyAsync(request, cancel);

        // :: 3 build — steps report from many threads, the client gets one stream
        var queue = System.Threading.Channels.Channel.CreateBounded<string>(ProgressQueueLength);
        var decoder = new System.Text.UTF8Encoding(false).GetDecoder();
        var classic = new ClassicProgress(bytes =>
        {
            var text = Decode(decoder, bytes.Span);
            if (text.Length > 0)
            {
                queue.Writer.WriteAsync(text, cancel).AsTask().GetAwaiter().GetResult();
            }
        })
        { Explain = options.Explain };
        var sending = SendAsync();
        BuildResult result;
        try
        {
            result = await new Builder(_store, new StepExecutor(this), BasePuller(options, progress)).BuildAsync(request, classic, cancel);
        }
        catch (BuildException e) when (e is { InnerException: Dockerfile.DockerfileException, Lines: { } lines })
        {
            throw EngineException.Invalid($"dockerfile parse error on line {lines.Start}: {e.Message}");
        }
        catch (BuildException e) when (e.ExitCode is { } code)
        {
            throw new EngineException(ErrorKind.InvalidParameter, e.Message, e) { Data = { ["exitCode"] = code } };
        }
        finally
        {
            queue.Writer.Complete();
            await sending;
        }

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

        async Task SendAsync()
        {
            await foreach (var text in queue.Reader.ReadAllAsync(CancellationToken.None))
            {
                // Line by line: clients look at the last message for what was built.
                foreach (var line in text.Split('\n').SkipLast(1).Select(l => l + "\n").Append(text[(text.LastIndexOf('\n') + 1)..]).Where(l => l.Length > 0))
                {
                    await progress(new JsonMessage { Stream = line });
                }
            }
        }
    }

    /// <summary>The body beside a local directory: the Dockerfile, or nothing when it is in there.</summary>
    private static async Task<ReadOnlyMemory<byte>?> DockerfileAsync(Stream body, CancellationToken cancel)
    {
        var limit = Dockerfile.DockerfileLimits.Default.MaxBytes;
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int n; (n = await body.ReadAsync(buffer, cancel)) > 0;)
        {
            all.Write(buffer, 0, n);
            if (all.Length > limit)
            {
                throw EngineException.Invalid($"the Dockerfile has more than the {limit:N0} bytes that it may have");
            }
        }

        return all.Length == 0 ? (ReadOnlyMemory<byte>?)null : all.ToArray();
    }

    private static BuildRequest RequestOf(BuildOptions options, string context) => new()
    {
        ContextDirectory = context,
        DockerfilePath = options.Dockerfile,
        BuildArgs = options.BuildArgs,
        Target = string.IsNullOrEmpty(options.Target) ? null : options.Target,
        NoCache = options.NoCache || options.Verify is not null,
        NoCacheStages = options.NoCacheStages,
        HashAlways = options.HashAlways,
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
            Ulimits = [.. options.Ulimits.Select(u => $"{u.Name}={u.Soft}:{u.Hard}")],
        },
    };

    private static string Decode(System.Text.Decoder decoder, ReadOnlySpan<byte> bytes)
    {
        // A letter may be cut in two by the end of a piece: the decoder keeps its first half.
        var letters = new char[bytes.Length + 1];
        lock (decoder)
        {
            return new string(letters, 0, decoder.GetChars(bytes, letters, flush: false));
        }
    }
}
