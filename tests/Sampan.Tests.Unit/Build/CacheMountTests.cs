using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>The directories of <c>RUN --mount=type=cache</c> are listed and removed, but not under a step that works with them.</summary>
public sealed class CacheMountTests : IDisposable
{
    private readonly BuildFixture _f = new();

    public void Dispose() => _f.Dispose();

    [Fact]
    public async Task A_cache_mount_is_listed_with_its_size_and_step()
    {
        await _f.BaseAsync("base");
        await _f.BuildAsync("FROM base\nRUN --mount=type=cache,target=/c write /a b");
        await File.WriteAllTextAsync(Path.Combine(_f.Executor.Steps.Single().Mounts.Single().Source!, "file"), "12345");
        var mount = Assert.Single(_f.Store.CacheMounts.List());
        Assert.Equal((5, false), (mount.Size, mount.InUse));
        Assert.EndsWith("write /a b", mount.Description, StringComparison.Ordinal);
        Assert.True(mount.LastUsed >= mount.Created - TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task It_is_removed_when_no_step_works_with_it()
    {
        await _f.BaseAsync("base");
        using var stop = new CancellationTokenSource();
        var building = _f.BuildAsync("FROM base\nRUN --mount=type=cache,target=/c hang", cancel: stop.Token);
        await _f.Executor.Hanging.Task;
        var name = Assert.Single(_f.Store.CacheMounts.List(), mount => mount.InUse).Name;
        Assert.False(_f.Store.CacheMounts.Remove(name));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => building);
        Assert.True(_f.Store.CacheMounts.Remove(name));
        Assert.False(_f.Store.CacheMounts.Remove(name));
        Assert.Empty(_f.Store.CacheMounts.List());
        Assert.Empty(_f.Temporaries);
    }

    [Fact]
    public async Task A_step_after_the_removal_gets_a_new_one()
    {
        await _f.BaseAsync("base");
        await _f.BuildAsync("FROM base\nRUN --mount=type=cache,target=/c write /a b");
        var path = _f.Executor.Steps.Single().Mounts.Single().Source!;
        await File.WriteAllTextAsync(Path.Combine(path, "file"), "12345");
        Assert.True(_f.Store.CacheMounts.Remove(Path.GetFileName(path)));
        await _f.BuildAsync("FROM base\nRUN --mount=type=cache,target=/c write /a c");
        Assert.Empty(Directory.GetFileSystemEntries(path));
    }
}
