using Sampan.Daemon.Buildkit.Solve;
using Xunit;

namespace Sampan.Tests.Unit.Daemon.Buildkit;

public sealed class SolveJobsTests
{
    [Fact]
    public async Task A_listener_that_comes_after_the_end_hears_of_the_build()
    {
        var jobs = new SolveJobs();
        var job = jobs.Get("short");
        Assert.True(job.Start(SolveRequest.Parse(Array.Empty<byte>())));
        await job.Log.WriteAsync(new() { Vertexes = [new() { Digest = "sha256:1", Name = "one" }] }, TestContext.Current.CancellationToken);
        job.Log.Complete();
        jobs.End("short", job);
        var (found, _) = await jobs.StartedAsync("short", TestContext.Current.CancellationToken);
        var told = 0;
        await found.Log.ReadAsync(_ => { told++; return ValueTask.CompletedTask; }, TestContext.Current.CancellationToken);
        Assert.Equal(1, told);
    }

    [Fact]
    public async Task Names_that_are_only_asked_for_leave_nothing()
    {
        var jobs = new SolveJobs();
        using var gone = new CancellationTokenSource();
        var listener = jobs.StartedAsync("never", gone.Token);
        var before = jobs.Get("never");
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => listener);
        Assert.NotSame(before, jobs.Get("never"));
    }
}
