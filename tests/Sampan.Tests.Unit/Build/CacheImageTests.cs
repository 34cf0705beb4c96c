using Sampan.Build;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>A build on one machine spares steps on another: the cache travels as an image.</summary>
public sealed class CacheImageTests : IDisposable
{
    private const string Dockerfile = """
        FROM base AS tools
        RUN write /tool 1
        RUN write /more 2
        FROM base
        COPY src /src
        RUN write /made 1
        COPY --from=tools /tool /tool
        ENV A=b
        """;

    private readonly BuildFixture _here = new(), _there = new();

    public void Dispose()
    {
        _here.Dispose();
        _there.Dispose();
    }

    [Fact]
    public async Task A_cache_of_all_stages_spares_every_step_elsewhere()
    {
        var (image, cache) = await BuildHereAsync(CacheExport.AllStages);
        var again = await _there.BuildAsync(Dockerfile, await FromAsync(cache!));
        Assert.Equal(image.Id, again.Id);
        Assert.Empty(_there.Reasons);
        Assert.Empty(_there.Executor.Steps);
        Assert.Equal(["/made", "/src/", "/src/a", "/tool"], _there.Paths(again));
    }

    [Fact]
    public async Task A_cache_of_the_result_spares_the_steps_that_it_is_made_of()
    {
        var (image, cache) = await BuildHereAsync(CacheExport.Result);
        var again = await _there.BuildAsync(Dockerfile, await FromAsync(cache!));
        Assert.Equal(image.Id, again.Id);
        Assert.Equal(["RUN write /tool 1: it was not built before", "RUN write /more 2: it was not built before"], _there.Reasons);
    }

    [Fact]
    public async Task An_image_carries_the_cache_of_its_own_layers()
    {
        var (plain, none) = await BuildHereAsync(CacheExport.None);
        var image = await _here.BuildAsync(Dockerfile, r => r with { InlineCache = true });
        Assert.Null(none);
        Assert.NotEqual(plain.Id, image.Id);
        Assert.Equal(plain.Config with { CachedSteps = null }, image.Config with { CachedSteps = null, Config = plain.Config.Config, History = plain.Config.History, RootFs = plain.Config.RootFs });
        var again = await _there.BuildAsync(Dockerfile, await FromAsync(image));
        Assert.Equal(plain.Id, again.Id);
        Assert.Equal(["RUN write /tool 1", "RUN write /more 2"], _there.Reasons.Select(reason => reason.Split(':')[0]));
    }

    [Fact]
    public async Task The_history_of_an_image_spares_its_commands()
    {
        var (image, _) = await BuildHereAsync(CacheExport.None);
        var again = await _there.BuildAsync(Dockerfile, await FromAsync(image));
        Assert.Equal(image.Id, again.Id);
        Assert.Equal(["/tool", "/more"], _there.Executor.Steps.Select(step => step.Args[^1].Split(' ')[1]));
    }

    [Fact]
    public async Task What_differs_is_made()
    {
        var (_, cache) = await BuildHereAsync(CacheExport.AllStages);
        var change = await FromAsync(cache!);
        _there.Files("src/a=other");
        var other = await _there.BuildAsync(Dockerfile, change);
        Assert.Equal("other", _there.Read(other, "/src/a"));
        Assert.Equal(["COPY src /src", "RUN write /made 1", "COPY --from=tools /tool /tool", "ENV A=b"], _there.Reasons.Select(reason => reason.Split(':')[0]));
    }

    [Theory]
    [InlineData("sha256:1", 0)]
    [InlineData("sha256:0000000000000000000000000000000000000000000000000000000000000000", 7)]
    public async Task Nonsense_is_refused(string key, int layer)
    {
        var image = await _there.BaseAsync("base");
        var bad = _there.Store.Images.Put(image.Config with { CachedSteps = [new() { Key = key, Layers = [layer] }] });
        var error = await Assert.ThrowsAsync<BuildException>(() => _there.BuildAsync("FROM base\nRUN write /a b", r => r with { CacheFrom = [bad] }));
        Assert.StartsWith($"image {bad.Id} holds no valid build cache", error.Message, StringComparison.Ordinal);
    }

    private async Task<(ImageRecord Image, ImageRecord? Cache)> BuildHereAsync(CacheExport export)
    {
        await _here.BaseAsync("base");
        _here.Files("src/a=A");
        var image = await _here.BuildAsync(Dockerfile, r => r with { CacheExport = export });
        return (image, _here.Result!.CacheImage);
    }

    /// <summary>Carries an image over, and gives the change that makes a build there use it.</summary>
    private async Task<Func<BuildRequest, BuildRequest>> FromAsync(ImageRecord image)
    {
        await _there.BaseAsync("base");
        _there.Files("src/a=A");
        using var archive = new MemoryStream();
        await _here.Store.Images.SaveAsync([image.Id.ToString()], archive);
        archive.Position = 0;
        await _there.Store.Images.LoadAsync(archive, new());
        var carried = _there.Store.Images.Get(image.Id)!;
        return r => r with { CacheFrom = [carried] };
    }
}
