using System.Collections.Concurrent;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>What a frontend gave: an image of the store, and what is to be known of it.</summary>
/// <param name="Image">The image's ID; empty when the request was only a question.</param>
internal sealed record SolveResult(string Image)
{
    /// <summary>The image that holds the build's cache for the client; empty when it wants none.</summary>
    public string CacheImage { get; init; } = "";

    public IReadOnlyDictionary<string, byte[]> Metadata { get; init; } = new Dictionary<string, byte[]>();
}

/// <summary>
/// One build of a client. Its calls come side by side: <c>Control/Solve</c> says whose session it is and where the result goes, <c>Status</c>
/// listens, and when the frontend runs in the client, that asks for builds (<c>LLBBridge/Solve</c>) and says at last which is the result.
/// </summary>
internal sealed class SolveJob
{
    private readonly TaskCompletionSource<SolveRequest> _request = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _returned = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when <c>Control/Solve</c> has come.</summary>
    public Task<SolveRequest> Request => _request.Task;

    /// <summary>The name of the result that the client has chosen, empty for none; fails with the client's error.</summary>
    public Task<string> Returned => _returned.Task;

    public StatusLog Log { get; } = new();

    public ConcurrentDictionary<string, SolveResult> Results { get; } = new();

    /// <summary>True for the first.</summary>
    public bool Start(SolveRequest request) => _request.TrySetResult(request);

    public void Return(string result) => _returned.TrySetResult(result);

    public void Return(GrpcException error) => _returned.TrySetException(error);

    /// <summary>Keeps a result, and gives it a name.</summary>
    public string Add(SolveResult result)
    {
        var name = Guid.NewGuid().ToString("N");
        Results[name] = result;
        return name;
    }
}

/// <summary>The builds that are under way or have just ended, by the names that their clients gave them.</summary>
internal sealed class SolveJobs
{
    private const int MaxJobs = 1000;

    /// <summary>The calls of one build come side by side.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, SolveJob> _jobs = new();

    /// <summary>A short build has ended before its client's <c>Status</c> comes, which is to hear of it all the same.</summary>
    private static readonly TimeSpan Afterlife = TimeSpan.FromSeconds(10);

    /// <summary>A build by its name, whichever of its calls comes first.</summary>
    /// <exception cref="GrpcException">There are too many.</exception>
    public SolveJob Get(string id) => _jobs.TryGetValue(id, out var job) ? job
        : _jobs.Count < MaxJobs ? _jobs.GetOrAdd(id, _ => new()) : throw new GrpcException(GrpcCode.ResourceExhausted, $"{MaxJobs} builds are under way");

    /// <summary>A build whose <c>Control/Solve</c> has come or is on its way.</summary>
    /// <exception cref="GrpcException">NotFound.</exception>
    public async Task<(SolveJob Job, SolveRequest Request)> StartedAsync(string id, CancellationToken cancel)
    {
        var job = Get(id);
        try
        {
            return (job, await job.Request.WaitAsync(Patience, cancel));
        }
        catch (TimeoutException)
        {
            Remove(id, job);
            throw new GrpcException(GrpcCode.NotFound, $"no such job {id}");
        }
        catch (OperationCanceledException) when (!job.Request.IsCompleted)
        {
            Remove(id, job); // nobody asks for it any more
            throw;
        }
    }

    /// <summary>A build has ended; its name is free a little later.</summary>
    public void End(string id, SolveJob job) => _ = Task.Delay(Afterlife).ContinueWith(_ => Remove(id, job), TaskScheduler.Default);

    private void Remove(string id, SolveJob job) => _jobs.TryRemove(new(id, job));
}
