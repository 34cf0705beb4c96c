using System.Text;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Instructions;
using Xunit;

namespace Sampan.Tests.Unit.Dockerfile;

public sealed class InstructionTests
{
    [Theory]
    [InlineData("FROM a\nRNU x", "Dockerfile:2: unknown instruction: RNU (did you mean RUN?)")]
    [InlineData("FROM a\nenvv x", "Dockerfile:2: unknown instruction: envv (did you mean ENV?)")]
    [InlineData("FROM a\nXYZZY x", "Dockerfile:2: unknown instruction: XYZZY")]
    [InlineData("FROM a b", "Dockerfile:1: FROM requires either one or three arguments")]
    [InlineData("FROM a AS 1x", "Dockerfile:1: invalid name for build stage: '1x', name can't start with a number or contain symbols")]
    [InlineData("RUN x", "Dockerfile:1: no build stage in current context: FROM must come before RUN")]
    [InlineData("ARG a", "Dockerfile:1: dockerfile contains no stages to build")]
    [InlineData("FROM a\nCOPY x", "Dockerfile:2: COPY requires at least two arguments, but only one was provided. Destination could not be determined")]
    [InlineData("FROM a\nCOPY --chwon=1 x y", "Dockerfile:2: unknown flag: --chwon (did you mean --chown?)")]
    [InlineData("FROM a\nCOPY --chown x y", "Dockerfile:2: missing a value on flag: --chown")]
    [InlineData("FROM a\nCOPY --chown=1 --chown=2 x y", "Dockerfile:2: duplicate flag specified: --chown")]
    [InlineData("FROM a\nCOPY --link=maybe x y", "Dockerfile:2: expecting boolean value for flag --link, not 'maybe'")]
    [InlineData("FROM a\nRUN", "Dockerfile:2: RUN requires at least one argument")]
    [InlineData("FROM a\nRUN --mount=type=bnd,target=/x y", "Dockerfile:2: unsupported mount type 'bnd' (did you mean bind?)")]
    [InlineData("FROM a\nRUN --mount=type=cache y", "Dockerfile:2: mount of type 'cache' needs a target")]
    [InlineData("FROM a\nRUN --network=x y", "Dockerfile:2: invalid network mode 'x' (default, none or host)")]
    [InlineData("FROM a\nWORKDIR", "Dockerfile:2: WORKDIR requires exactly one argument")]
    [InlineData("FROM a\nSHELL sh -c", "Dockerfile:2: SHELL requires the arguments to be in JSON form")]
    [InlineData("FROM a\nONBUILD FROM b", "Dockerfile:2: FROM isn't allowed as an ONBUILD trigger")]
    [InlineData("FROM a\nONBUILD RNU b", "Dockerfile:2: unknown instruction: RNU (did you mean RUN?)")]
    [InlineData("FROM a\nHEALTHCHECK CMD", "Dockerfile:2: missing command after HEALTHCHECK CMD")]
    [InlineData("FROM a\nHEALTHCHECK TCP 1", "Dockerfile:2: unknown type 'TCP' in HEALTHCHECK (try CMD)")]
    [InlineData("FROM a\nHEALTHCHECK --interval=5 CMD x", "Dockerfile:2: invalid duration '5'")]
    [InlineData("FROM a\nVOLUME []", "Dockerfile:2: VOLUME requires at least one argument")]
    [InlineData("FROM a\nENV =b", "Dockerfile:2: ENV names can not be blank")]
    [InlineData("FROM a\nARG =b", "Dockerfile:2: ARG names can not be blank")]
    [InlineData("# syntax=tonistiigi/x\nFROM a", "Dockerfile:1: unsupported frontend 'tonistiigi/x': only docker/dockerfile is built in")]
    public void Mistakes_are_named_with_file_and_line(string text, string message)
    {
        var error = Assert.Throws<DockerfileException>(() => DockerfileModel.Parse(Encoding.UTF8.GetBytes(text)));
        Assert.Equal(message, error.LocatedMessage);
        Assert.Contains(">>>", error.Excerpt, StringComparison.Ordinal);
    }

    [Fact]
    public void The_whole_language_is_understood()
    {
        var model = DockerfileModel.Parse("""
            # syntax=docker/dockerfile:1.20
            ARG BASE=busybox
            FROM --platform=$BUILDPLATFORM $BASE AS Build
            RUN --mount=type=cache,target=/c,sharing=locked,mode=0700 --mount=from=x,target=/b --network=none --security=insecure make
            RUN --mount=type=tmpfs,target=/t,size=1g --mount=type=secret,id=s,env=S,required --mount=type=ssh ["a"]
            COPY --from=x --chown=a:b --chmod=u+x --link --parents --exclude=*.o --exclude=*.d a b /c/
            ADD --checksum=sha256:00 --keep-git-dir=true --unpack=false https://x/y /z
            HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=2s --start-interval=500ms --retries=3 CMD a b
            ONBUILD COPY . /x
            STOPSIGNAL SIGQUIT
            SHELL ["bash", "-c"]
            MAINTAINER me
            USER 1:2
            FROM build
            """u8);
        Assert.Equal("BASE", model.GlobalArgs.Single().Args.Single().Name);
        Assert.Equal([("build", "$BASE", "$BUILDPLATFORM"), (null, "build", null)], model.Stages.Select(s => (s.Name, s.From.Image, s.From.Platform)));
        var run = (RunInstruction)model.Stages[0].Instructions[0];
        Assert.Equal(("none", "insecure", true), (run.Network, run.Security, run.Command.IsShellForm));
        Assert.Equal([("cache", "/c", "locked", 448u), ("bind", "/b", "shared", null)], run.Mounts.Select(m => (m.Type, m.Target, m.Sharing, m.Mode)));
        var copy = (CopyInstruction)model.Stages[0].Instructions[2];
        Assert.Equal(("x", "a:b", "u+x", true, true, "/c/"), (copy.From, copy.Chown, copy.Chmod, copy.Link, copy.Parents, copy.Destination));
        Assert.Equal(["*.o", "*.d"], copy.Exclude);
        var add = (AddInstruction)model.Stages[0].Instructions[3];
        Assert.Equal(("sha256:00", true, false), (add.Checksum, add.KeepGitDir, add.Unpack));
        var health = (HealthcheckInstruction)model.Stages[0].Instructions[4];
        Assert.Equal(["CMD-SHELL", "a b"], health.Test);
        Assert.Equal((90.0, 1.5, 2.0, 0.5, 3), (health.Interval!.Value.TotalSeconds, health.Timeout!.Value.TotalSeconds,
            health.StartPeriod!.Value.TotalSeconds, health.StartInterval!.Value.TotalSeconds, health.Retries));
        Assert.Same(model.Stages[0], model.Find("BUILD"));
        Assert.Same(model.Stages[1], model.Find("1"));
        Assert.Null(model.Find("none"));
    }

    [Fact]
    public void Heredocs_of_COPY_are_files()
    {
        var model = DockerfileModel.Parse("FROM a\nCOPY <<one src <<-'two' /d/\n1 $x\none\n\t2\n\ttwo\n"u8);
        var copy = (CopyInstruction)model.Stages[0].Instructions.Single();
        Assert.Equal(["src"], copy.Sources);
        Assert.Equal([new("one", "1 $x\n", true), new("two", "2\n", false)], copy.InlineFiles);
    }
}
