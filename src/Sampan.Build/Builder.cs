using Sampan.Build.Cache;
using Sampan.Build.Context;
using Sampan.Build.Planning;
using Sampan.Build.Progress;
using Sampan.Build.Sources;
using Sampan.Build.Stages;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Lint;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build;

/// <summary>Builds images from Dockerfiles. Thread-safe: builds may run side by side.</summary>
/// <param name="store">Where layers, images and the cache are.</param>
/// <param name="executor">Runs commands.</param>
/// <param name="findImage">
/// Finds a base image that is not in the store, e.g. by pulling it; null when there is no such way. Throws what the user shall see.
/// </param>
public sealed class Builder(
    Store.Store store, IStepExecutor executor, Func<string, Platform, CancellationToken, Task<ImageRecord>>? findImage = null)
{
    /// <summary>Builds: (1) Dockerfile, (2) plan, (3) stages, (4) image. On failure and cancellation nothing stays but layers in the cache.</summary>
    /// <exception cref="BuildException">The Dockerfile or context is wrong, or a command failed; knows where.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; all containers of the build are gone.</exception>
    public async Task<BuildResult> BuildAsync(BuildRequest request, IBuildProgress progress, CancellationToken cancel)
    {
        BuildSession? session = null;
        Digest? built = null;
        try
        {
            // :: 1 Dockerfile
            var digests = new FileDigests(request.ContextIsLive && !request.HashAlways ? store.FileMemo : null, request.ContextIsLive);
            var context = BuildContext.Open(request, digests);
            var model = DockerfileModel.Parse(context.Dockerfile.Span, request.DockerfilePath);

            // :: 2 plan
            var names = new NamedContexts(request, store);
            var plan = Planner.Create(model, request.Target, request.BuildArgs, request.Platform, name => names.Find(name) is not null);
            using var failure = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            session = new BuildSession(store, executor, request, context, names, plan, progress,
                (name, platform, stop) => FindAsync(name, platform, request.Pull, stop), failure.Token);
            Announce(session, model, Lint(model, request, context));

            // :: 3 stages
            using var lease = store.Lease();
            foreach (var image in request.CacheFrom)
            {
                await CacheImage.ImportAsync(store, image, cancel);
            }

            var state = await RunStagesAsync(session, failure, cancel);

            // :: 4 image
            var result = Finish(session, request.Squash ? await Squasher.SquashAsync(store, state, cancel) : state);
            built = result.ImageId;
            return request.CacheExport == CacheExport.None ? result : result with
            {
                CacheImage = await CacheImage.ExportAsync(store, state, session.Cache, request.CacheExport == CacheExport.AllStages, cancel),
            };
        }
        catch (DockerfileException e)
        {
            throw BuildException.Of(e);
        }
        finally
        {
            session?.Cache.Finish(built);
            session?.Context.View.Digests?.Save();
            session?.Named.Save();
            session?.Dispose();
        }
    }

    /// <summary>What is odd in the Dockerfile; a base image that has not been pulled yet has unknown variables.</summary>
    private IReadOnlyList<DockerfileWarning> Lint(DockerfileModel model, BuildRequest request, BuildContext context)
    {
        var report = Linter.Check(model, new()
        {
            BuildArgs = request.BuildArgs,
            Ignore = context.Ignore,
            BaseEnvironment = BaseEnvironment,
        });
        return report.Failure is { } failure ? throw new BuildException(BuildErrorKind.InvalidInput, failure) : report.Warnings;
    }

    /// <summary>The names of the variables that an image sets; null when it is not here, or is no image.</summary>
    public IReadOnlyCollection<string>? BaseEnvironment(string image)
    {
        try
        {
            return [.. (store.Images.Resolve(image).Config.Config?.Env ?? []).Select(entry => entry.Split('=', 2)[0])];
        }
        catch (Exception e) when (e is StoreException or FormatException)
        {
            return null; // the stage itself will say what is wrong with it
        }
    }

    private static void Announce(BuildSession session, DockerfileModel model, IReadOnlyList<DockerfileWarning> warnings)
    {
        var plan = session.Plan;
        session.Report(new BuildPlanned([.. plan.Stages.Select(s => s.Stage.Index)], plan.TotalSteps));
        foreach (var warning in warnings)
        {
            session.Report(new BuildWarning($"{warning.Rule}: {warning.Message} (line {warning.Lines})"));
        }

        for (var i = 0; i < model.GlobalArgs.Count; i++)
        {
            var node = model.GlobalArgs[i].Node;
            var step = new BuildStep($"global.{i}", -1, "", i + 1, plan.TotalSteps, node.Original, node.Lines);
            session.Report(new StepStarted(step));
            session.Report(new StepFinished(step, null, IsCached: false, TimeSpan.Zero));
        }
    }

    private static async Task<StageState> RunStagesAsync(BuildSession session, CancellationTokenSource failure, CancellationToken cancel)
    {
        var tasks = session.Plan.Stages.Select(stage => session.StageAsync(stage.Stage.Index, CancellationToken.None)).ToList();
        try
        {
            await foreach (var done in Task.WhenEach(tasks))
            {
                await done;
            }
        }
        catch
        {
            // The first failure stops the rest, and nobody leaves before all are quiet: their directories are still in use.
            await failure.CancelAsync();
            await session.SettleAsync();
            cancel.ThrowIfCancellationRequested();
            throw;
        }

        return await session.StageAsync(session.Plan.Target, cancel);
    }

    private BuildResult Finish(BuildSession session, StageState state)
    {
        var request = session.Request;
        if (request.Labels.Count > 0)
        {
            var labels = new SortedDictionary<string, string>(state.Config.Labels ?? [], StringComparer.Ordinal);
            foreach (var (name, value) in request.Labels)
            {
                labels[name] = value;
            }

            state = state with { Config = state.Config with { Labels = labels } };
        }

        var config = state.ToImage() with
        {
            CachedSteps = request is { InlineCache: true, Squash: false } ? CacheImage.InlineSteps(store, state, session.Cache) : null,
        };
        var isNew = store.Images.Get(Digest.OfSha256(ImageJson.Serialize(config))) is null;
        var image = store.Images.Put(config, state.BaseImage);
        foreach (var tag in request.Tags.Where(tag => !image.RepoTags.Contains(tag.FamiliarString)))
        {
            store.Images.Tag(image.Id, tag);
        }

        foreach (var unused in Scope.Unused(session.Plan.Model, request.BuildArgs, session.TriggerArgs) is { Count: > 0 } names ? [string.Join(' ', names)] : (string[])[])
        {
            session.Report(new BuildWarning($"One or more build-args [{unused}] were not consumed"));
        }

        session.Report(new BuildFinished(image.Id, [.. request.Tags.Select(tag => tag.FamiliarString)], isNew));
        return new(image.Id, session.StepsDone, session.StepsCached);
    }

    private async Task<ImageRecord> FindAsync(string name, Platform platform, bool pull, CancellationToken cancel)
    {
        if (pull && findImage is not null && !store.Images.IsId(name))
        {
            return await findImage(name, platform, cancel);
        }

        try
        {
            return store.Images.Resolve(name);
        }
        catch (StoreException e) when (e.Kind == StoreErrorKind.NotFound)
        {
            return findImage is not null ? await findImage(name, platform, cancel)
                : throw new BuildException(BuildErrorKind.NotFound, $"base image '{name}' not found: {e.Message}", e);
        }
        catch (Exception e) when (e is StoreException or FormatException)
        {
            throw new BuildException(BuildErrorKind.InvalidInput, $"base image '{name}': {e.Message}", e);
        }
    }
}
