using System.Text;
using Sampan.Build;
using Sampan.Build.Planning;
using Sampan.Dockerfile;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Build;

public sealed class PlannerTests
{
    private const string Diamond = """
        ARG TAG=1
        FROM base:$TAG AS left
        RUN a
        FROM scratch AS right
        COPY --from=left /a /b
        FROM scratch AS unused
        RUN x
        FROM right AS last
        COPY --from=0 /a /c
        RUN --mount=from=right,target=/r true
        """;

    [Fact]
    public void Only_stages_that_the_target_needs_are_planned()
    {
        var plan = Plan(Diamond);
        Assert.Equal(["left", "right", "last"], plan.Stages.Select(s => s.DisplayName));
        Assert.Equal([2, 4, 6], plan.Stages.Select(s => s.FirstNumber));
        Assert.Equal(8, plan.TotalSteps);
        Assert.Equal(new ImageBase("base:1"), plan.Stages[0].Base);
        Assert.Equal(new EarlierStageBase(1), plan.Stages[2].Base);
        Assert.Equal([0, 1], plan.Stages[2].Uses.Order());
        Assert.Equal(["left"], Plan(Diamond, "left").Stages.Select(s => s.DisplayName));
        Assert.Equal(["unused"], Plan(Diamond, "2").Stages.Select(s => s.DisplayName));
    }

    [Fact]
    public void FROM_sees_global_arguments_and_build_arguments()
    {
        Assert.Equal(new ImageBase("base:9"), Plan(Diamond, null, new() { ["TAG"] = "9" }).Stages[0].Base);
        var plan = Plan("ARG A=x\nARG B=${A}y\nFROM --platform=$BUILDPLATFORM $B:$TARGETARCH", null, null, Platform.Parse("linux/arm64"));
        Assert.Equal(new ImageBase("xy:arm64"), plan.Stages[0].Base);
        Assert.Equal(Platform.Current, plan.Stages[0].Platform);
    }

    [Fact]
    public void A_stage_may_be_called_like_its_image() =>
        Assert.Equal([new ImageBase("alpine"), new EarlierStageBase(0)], Plan("FROM alpine AS alpine\nFROM alpine").Stages.Select(s => s.Base));

    [Theory]
    [InlineData("FROM a AS x\nCOPY --from=x / /", 2, "circular dependency between stages: x (line 1) → x")]
    [InlineData("FROM a AS x\nCOPY --from=y / /\nFROM a AS y\nCOPY --from=x / /", 2, "circular dependency between stages: y (line 3) → x (line 1) → y")]
    [InlineData("FROM a\nCOPY --from=7 / /", 2, "invalid from flag value 7: there is no stage of that number")]
    [InlineData("FROM a\nCOPY --from=$x / /", 2, "variables are not expanded in --from, use a stage 'FROM $name AS alias' and its alias instead")]
    [InlineData("FROM $none", 1, "base name ($none) should not be blank")]
    [InlineData("FROM --platform=plan9/x/y/z a", 1, "invalid platform 'plan9/x/y/z'")]
    public void Bad_references_name_their_line(string text, int line, string message)
    {
        var error = Assert.Throws<BuildException>(() => Plan(text));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(line, error.Lines?.Start);
        Assert.Contains(">>>", error.Excerpt, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_target_is_an_error_with_a_guess() =>
        Assert.Equal("target stage 'lsat' could not be found (did you mean last?)", Assert.Throws<BuildException>(() => Plan(Diamond, "lsat")).Message);

    [Fact]
    public void Build_arguments_that_nothing_declares_are_found() => Assert.Equal(["Z"], Scope.Unused(
        DockerfileModel.Parse("ARG A\nFROM a\nONBUILD ARG B"u8),
        new Dictionary<string, string?> { ["A"] = "", ["B"] = "", ["Z"] = "", ["HTTP_PROXY"] = "", ["SOURCE_DATE_EPOCH"] = "0", ["T"] = "" }, ["T"]));

    private static BuildPlan Plan(string text, string? target = null, Dictionary<string, string?>? args = null, Platform? platform = null) =>
        Planner.Create(DockerfileModel.Parse(Encoding.UTF8.GetBytes(text)), target, args, platform);
}
