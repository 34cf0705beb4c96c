using System.Text;
using Sampan.Build.Planning;
using Sampan.Build.Stages;
using Sampan.Dockerfile;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>Instructions that only change settings.</summary>
public sealed class ConfigTests
{
    [Theory]
    [InlineData("CMD a b", "", "/bin/sh -c a b")]
    [InlineData("CMD [\"a\",\"b\"]", "", "a b")]
    [InlineData("ENTRYPOINT a", "/bin/sh -c a", "")]
    [InlineData("ENTRYPOINT [\"a\"]", "a", "")]
    [InlineData("ENTRYPOINT [\"a\"]\nCMD [\"b\"]", "a", "b")]
    [InlineData("CMD [\"b\"]\nENTRYPOINT [\"a\"]", "a", "b")]
    [InlineData("ENTRYPOINT a\nCMD b", "/bin/sh -c a", "/bin/sh -c b")]
    [InlineData("ENTRYPOINT [\"a\"]\nCMD b", "a", "/bin/sh -c b")]
    [InlineData("SHELL [\"bash\",\"-ec\"]\nCMD b", "", "bash -ec b")]
    [InlineData("CMD b\nSHELL [\"bash\",\"-ec\"]\nENTRYPOINT c", "bash -ec c", "/bin/sh -c b")]
    [InlineData("ENTRYPOINT []", "", "")]
    [InlineData("CMD []", "", "")]
    public void Shell_and_exec_forms_of_CMD_and_ENTRYPOINT(string text, string entrypoint, string cmd)
    {
        var config = Apply(text).Config;
        Assert.Equal((entrypoint, cmd), (string.Join(' ', config.Entrypoint ?? []), string.Join(' ', config.Cmd ?? [])));
    }

    [Fact]
    public void ENTRYPOINT_clears_a_CMD_of_the_base_but_not_its_own()
    {
        var based = new StageState { Platform = Platform.Current, Config = new() { Cmd = ["base"] } };
        Assert.Null(Apply("ENTRYPOINT [\"x\"]", based).Config.Cmd);
        Assert.Equal(["own"], Apply("CMD [\"own\"]\nENTRYPOINT [\"x\"]", based).Config.Cmd!);
    }

    [Theory]
    [InlineData("ARG A=1\nENV X=$A", "X=1")]
    [InlineData("ENV A=1 B=$A", "A=1|B=")]
    [InlineData("ENV A=1\nENV A=2 B=$A", "A=2|B=1")]
    [InlineData("ENV A=1\nARG A=2\nENV B=$A", "A=1|B=1")]
    [InlineData("ARG G\nENV B=$G", "B=global")]
    [InlineData("ENV B=$G", "B=")]
    [InlineData("ARG G=stage\nENV B=$G", "B=stage")]
    [InlineData("ARG P=default\nENV B=$P", "B=passed")]
    [InlineData("ARG P\nENV B=$P", "B=passed")]
    [InlineData("ARG TARGETOS\nENV B=$TARGETOS", "B=linux")]
    [InlineData("ENV a b c", "a=b c")]
    [InlineData("ENV a=\"b c\" d='$e' f=x\\ y", "a=b c|d=$e|f=x y")]
    public void ARG_and_ENV_are_seen_where_they_should_be(string text, string expected) =>
        Assert.Equal(expected, string.Join('|', Apply(text).Env));

    [Fact]
    public void All_other_settings()
    {
        var state = Apply("""
            LABEL a=b "c d"="e f"
            LABEL a=z
            EXPOSE 80 53/udp 8000-8002
            VOLUME /v /w
            VOLUME ["/x y"]
            USER u:g
            STOPSIGNAL SIGINT
            HEALTHCHECK --interval=5s --retries=2 CMD true
            ONBUILD RUN echo $x
            MAINTAINER me
            """);
        var config = state.Config;
        Assert.Equal(["a=z", "c d=e f"], config.Labels!.Select(l => $"{l.Key}={l.Value}"));
        Assert.Equal(["53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"], config.ExposedPorts!);
        Assert.Equal(["/v", "/w", "/x y"], config.Volumes!);
        Assert.Equal(("u:g", "SIGINT", "me"), (config.User, config.StopSignal, state.Author));
        Assert.Equal(["RUN echo $x"], config.OnBuild!);
        Assert.Equal((5_000_000_000L, 2), (config.Healthcheck!.IntervalNanoseconds, config.Healthcheck.Retries));
        Assert.All(state.History, entry => Assert.True(entry.EmptyLayer));
        Assert.Equal("LABEL a=b c d=e f", state.History[0].CreatedBy);
    }

    [Theory]
    [InlineData("EXPOSE 80x", "invalid containerPort: 80x")]
    [InlineData("EXPOSE 70000", "invalid containerPort: 70000")]
    [InlineData("EXPOSE 9-1", "invalid containerPort: 9-1")]
    [InlineData("EXPOSE 1/x", "invalid containerPort: 1/x")]
    [InlineData("STOPSIGNAL SIGNONE", "invalid signal: SIGNONE")]
    public void Bad_values_are_refused(string text, string message) =>
        Assert.Equal(message, Assert.Throws<FormatException>(() => Apply(text)).Message);

    private static StageState Apply(string text, StageState? state = null)
    {
        var model = DockerfileModel.Parse(Encoding.UTF8.GetBytes("ARG G=global\nFROM scratch\n" + text));
        var globals = Scope.Globals(model, new Dictionary<string, string?> { ["P"] = "passed" }, Platform.Current, Platform.Current);
        state ??= new() { Platform = Platform.Current };
        foreach (var instruction in model.Stages[0].Instructions)
        {
            var now = state;
            state = ConfigSteps.Apply(
                now, instruction, w => Scope.Expand(model, instruction, w, now.Lookup), w => Scope.ExpandToWords(model, instruction, w, now.Lookup),
                globals.Inherited, name => globals.BuildArgs.GetValueOrDefault(name))!;
        }

        return state;
    }
}
