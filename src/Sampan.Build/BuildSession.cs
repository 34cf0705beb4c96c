using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using Sampan.Build.Cache;
using Sampan.Build.Context;
using Sampan.Build.Planning;
using Sampan.Build.Progress;
using Sampan.Build.Sources;
using Sampan.Build.Stages;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build;

/// <summary>What the stages of one build share.</summary>
internal sealed class BuildSession : IDisposable
{
    private readonly IBuildProgress _progress;
    private readonly Func<string, Platform, CancellationToken, Task<ImageRecord>> _findImage;
    private readonly ConcurrentDictionary<int, Lazy<Task<StageState>>> _stages = new();
    private readonly ConcurrentDictionary<string, Lazy<Task<ImageRecord>>> _images = new();
    private readonly ConcurrentDictionary<string, bool> _cached = new();
    private readonly SemaphoreSlim _places;
    private readonly Dictionary<int, HashSet<int>> _uses = [];
    private readonly Lock _reporting = new();
    private readonly CancellationToken _cancel;

    public BuildSession(
        Store.Store store, IStepExecutor executor, BuildRequest request, BuildContext context, NamedContexts named, BuildPlan plan, IBuildProgress progress,
        Func<string, Platform, CancellationToken, Task<ImageRecord>> findImage, CancellationToken cancel)
    {
        Store = store;
        Executor = executor;
        Request = request;
        Context = context;
        Plan = plan;
        _progress = progress;
        _findImage = findImage;
        _cancel = cancel;
        Cache = new(store, request, plan, context.Ignore, context.IgnoreDigest);
        Named = named;
        Files = new(context.View, context.Ignore, request.ContextDirectory, request.ContextIsLive);
        Epoch = ParseEpoch(request.BuildArgs.GetValueOrDefault("SOURCE_DATE_EPOCH"));
        _places = new(request.Parallelism > 0 ? request.Parallelism : Math.Max(2, Environment.ProcessorCount));
    }

    public Store.Store Store { get; }

    public IStepExecutor Executor { get; }

    public BuildRequest Request { get; }

    public BuildContext Context { get; }

    /// <summary>The context's files.</summary>
    public ContextFiles Files { get; }

    public NamedContexts Named { get; }

    public BuildPlan Plan { get; }

    public StepCache Cache { get; }

    /// <summary>SOURCE_DATE_EPOCH in seconds; null when it is not given.</summary>
    public long? Epoch { get; }

    public int StepsDone { get; private set; }

    public int StepsCached => _cached.Count;

    /// <summary>Passes an event on, one at a time.</summary>
    public void Report(BuildEvent what)
    {
        lock (_reporting)
        {
            StepsDone += what is StepFinished ? 1 : 0;
            _progress.Report(what);
        }
    }

    /// <summary>Passes output of a command on, as fast as the listener takes it.</summary>
    public Task ReportAsync(StepOutput output)
    {
        Report(output);
        return _progress.HeardAsync();
    }

    public void ReportCache(BuildStep step, CacheOutcome outcome)
    {
        if (outcome.IsHit)
        {
            _cached[step.Id] = true;
        }

        Report(new StepLookedUp(step, outcome));
    }

    public bool WasCached(BuildStep step) => _cached.ContainsKey(step.Id);

    /// <summary>The end of a stage; whoever asks first starts it.</summary>
    public Task<StageState> StageAsync(int index, CancellationToken cancel)
    {
        var planned = Plan.Find(index) ?? Planner.Create(Plan.Model, index.ToString(CultureInfo.InvariantCulture), Request.BuildArgs, Request.Platform, IsNamed).Find(index)!;
        var stage = _stages.GetOrAdd(index, _ => new(() => Task.Run(() => new StageRunner(this, planned).RunAsync(_cancel), _cancel)));
        return stage.Value.WaitAsync(cancel);
    }

    /// <summary>
    /// A stage that another one uses. The plan knows of most uses and that they make no circle; those of a base image's triggers show
    /// themselves only now.
    /// </summary>
    /// <exception cref="BuildException">The stages would wait for each other for ever.</exception>
    public Task<StageState> UseAsync(int user, int used, CancellationToken cancel)
    {
        lock (_uses)
        {
            if (Needs(used, user, []))
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"circular dependency between stages {user} and {used}, by a trigger of a base image");
            }

            (CollectionsMarshal.GetValueRefOrAddDefault(_uses, user, out _) ??= []).Add(used);
        }

        return StageAsync(used, cancel);
    }

    private bool IsNamed(string name) => Named.Find(name) is not null;

    private bool Needs(int stage, int other, HashSet<int> seen)
    {
        if (stage == other || !seen.Add(stage))
        {
            return stage == other;
        }

        IEnumerable<int> planned = Plan.Find(stage)?.Uses ?? new HashSet<int>();
        return planned.Concat(_uses.GetValueOrDefault(stage) ?? []).Any(next => Needs(next, other, seen));
    }

    /// <summary>Names of arguments that triggers of base images declare.</summary>
    public ConcurrentBag<string> TriggerArgs { get; } = [];

    /// <summary>An image by name, looked for once in a build.</summary>
    public Task<ImageRecord> ImageAsync(string name, Platform platform, CancellationToken cancel) =>
        _images.GetOrAdd($"{name} {platform}", _ => new(() => _findImage(name, platform, _cancel))).Value.WaitAsync(cancel);

    /// <summary>Waits for a place among the steps that may work at the same time; dispose it to give it back.</summary>
    public async Task<IDisposable> EnterAsync(CancellationToken cancel)
    {
        await _places.WaitAsync(cancel);
        return new Place(_places);
    }

    /// <summary>Waits until all stages that were begun have come to an end, whatever it is.</summary>
    public Task SettleAsync() => Task.WhenAll(_stages.Values.Select(s => s.Value.ContinueWith(
        _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default)));

    public void Dispose() => _places.Dispose();

    private static long? ParseEpoch(string? text) => string.IsNullOrEmpty(text) ? null
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= 253402300799 ? seconds
        : throw new BuildException(BuildErrorKind.InvalidInput, $"invalid SOURCE_DATE_EPOCH '{text}': it must be a number of seconds since 1970");

    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }
}
