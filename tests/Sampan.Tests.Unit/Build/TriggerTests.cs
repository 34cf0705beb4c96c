using Sampan.Build;
using Sampan.Build.Progress;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>What base images do in a build by ONBUILD, and what every stage begins with.</summary>
public sealed class TriggerTests : IDisposable
{
    private readonly BuildFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task A_trigger_copies_from_a_stage_that_nothing_else_needs()
    {
        await _fixture.BaseAsync("base", new() { OnBuild = ["COPY --from=made /file /copied"] });
        var image = await _fixture.BuildAsync("FROM scratch AS made\nCOPY <<x /file\ncontent\nx\nFROM base\n");
        Assert.Equal("content\n", _fixture.Read(image, "/copied"));
    }

    [Fact]
    public async Task An_argument_of_a_trigger_is_consumed()
    {
        await _fixture.BaseAsync("base", new() { OnBuild = ["ARG WHO", "RUN env WHO"] });
        await _fixture.BuildAsync("FROM base\n", r => r with { BuildArgs = new Dictionary<string, string?> { ["WHO"] = "me", ["NOBODY"] = "x" } });
        Assert.Equal("One or more build-args [NOBODY] were not consumed", Assert.Single(_fixture.Events.OfType<BuildWarning>()).Text);
    }

    [Fact]
    public async Task A_trigger_that_needs_its_own_stage_is_refused()
    {
        await _fixture.BaseAsync("base", new() { OnBuild = ["COPY --from=last /file /copied"] });
        var error = await Assert.ThrowsAsync<BuildException>(() => _fixture.BuildAsync("FROM base AS last\n"));
        Assert.Contains("circular dependency", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_stage_has_a_path()
    {
        await _fixture.BaseAsync("base");
        var image = await _fixture.BuildAsync("FROM base\nENV PATH=$PATH:/app\n");
        Assert.Equal(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/app"], image.Config.Config!.Env);
    }

    [Fact]
    public async Task The_target_is_an_argument()
    {
        var image = await _fixture.BuildAsync("FROM scratch AS one\nARG TARGETSTAGE\nLABEL stage=$TARGETSTAGE\n", r => r with { Target = "one" });
        Assert.Equal("one", image.Config.Config!.Labels!["stage"]);
    }
}
