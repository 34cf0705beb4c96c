using Sampan.Build;
using Sampan.Build.Progress;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>What a failing build says, and that it leaves nothing behind.</summary>
public sealed class BuilderErrorTests : IDisposable
{
    private readonly BuildFixture _f = new();

    public void Dispose() => _f.Dispose();

    [Theory]
    [InlineData("FROM base\nRUN print oops; exit 3", BuildErrorKind.StepFailed, "Dockerfile:2: The command '/bin/sh -c print oops; exit 3' returned a non-zero code: 3")]
    [InlineData("FROM base\nRUN [\"exit 1\"]", BuildErrorKind.StepFailed, "Dockerfile:2: The command 'exit 1' returned a non-zero code: 1")]
    [InlineData("FROM base\nRNU x", BuildErrorKind.InvalidInput, "Dockerfile:2: unknown instruction: RNU (did you mean RUN?)")]
    [InlineData("FROM base\nCOPY foo /", BuildErrorKind.InvalidInput, "Dockerfile:2: COPY failed: file not found in build context or excluded by .dockerignore: stat foo: file does not exist")]
    [InlineData("FROM base\nCOPY ignored /", BuildErrorKind.InvalidInput, "Dockerfile:2: COPY failed: file not found in build context or excluded by .dockerignore: stat ignored: file does not exist")]
    [InlineData("FROM base\nCOPY Okay /", BuildErrorKind.InvalidInput, "Dockerfile:2: COPY failed: file not found in build context or excluded by .dockerignore: stat Okay: file does not exist")]
    [InlineData("FROM base\nCOPY oK /", BuildErrorKind.InvalidInput, "Dockerfile:2: COPY failed: file not found in build context or excluded by .dockerignore: stat oK: file does not exist (did you mean ok?)")]
    [InlineData("FROM base AS builder\nFROM base\nCOPY --from=bulider x /", BuildErrorKind.NotFound, "Dockerfile:3: base image 'bulider' not found: No such image: bulider:latest (did you mean builder?)")]
    [InlineData("FROM base AS builder\nFROM biulder", BuildErrorKind.NotFound, "Dockerfile:2: base image 'biulder' not found: No such image: biulder:latest (did you mean builder?)")]
    [InlineData("FROM base\nCOPY --chown=nobody ok /", BuildErrorKind.InvalidInput, "Dockerfile:2: invalid user: no such user 'nobody' in /etc/passwd")]
    [InlineData("FROM base\nCOPY --chmod=99 ok /", BuildErrorKind.InvalidInput, "Dockerfile:2: invalid chmod parameter: '99' is neither an octal number up to 7777 nor a symbolic mode")]
    [InlineData("FROM base\nCOPY ok /etc/passwd/x", BuildErrorKind.InvalidInput, "Dockerfile:2: COPY failed: '/etc/passwd' is not a directory")]
    [InlineData("FROM base\nWORKDIR /etc/passwd", BuildErrorKind.InvalidInput, "Dockerfile:2: WORKDIR failed: '/etc/passwd' is not a directory")]
    [InlineData("FROM base\nADD http://127.0.0.1:1/y /", BuildErrorKind.InvalidInput, "Dockerfile:2: failed to GET 'http://127.0.0.1:1/y'")]
    [InlineData("FROM base\nRUN --mount=type=ssh,id=k,required x", BuildErrorKind.InvalidInput, "Dockerfile:2: ssh agent 'k' is required, but was not given (--ssh k)")]
    [InlineData("FROM base\nENV A=${B:?unset}", BuildErrorKind.InvalidInput, "Dockerfile:2: failed to process '${B:?unset}': B: unset")]
    [InlineData("FROM base\nEXPOSE x", BuildErrorKind.InvalidInput, "Dockerfile:2: invalid containerPort: x")]
    [InlineData("FROM base\nRUN --mount=type=secret,id=s,required x", BuildErrorKind.InvalidInput, "Dockerfile:2: secret 's' is required, but was not given")]
    [InlineData("FROM base\nRUN --security=insecure x", BuildErrorKind.InvalidInput, "Dockerfile:2: RUN --security=insecure is not allowed: build with --allow security.insecure")]
    [InlineData("FROM base\nRUN --network=host x", BuildErrorKind.InvalidInput, "Dockerfile:2: RUN --network=host is not allowed: build with --allow network.host")]
    [InlineData("ARG X\nFROM none:1", BuildErrorKind.NotFound, "Dockerfile:2: base image 'none:1' not found: ")]
    [InlineData("FROM --platform=linux/s390x base", BuildErrorKind.InvalidInput, "Dockerfile:1: image with reference base was found but its platform (")]
    public async Task Errors_say_what_and_where(string dockerfile, BuildErrorKind kind, string message)
    {
        await _f.BaseAsync("base");
        _f.Files("ok=1", "ignored=1", ".dockerignore=ignored\n");
        var error = await Assert.ThrowsAsync<BuildException>(() => _f.BuildAsync(dockerfile));
        Assert.StartsWith(message, error.LocatedMessage, StringComparison.Ordinal);
        Assert.Equal(kind, error.Kind);
        Assert.Contains($"{error.Lines!.Value.Start,4} | >>> ", error.Excerpt, StringComparison.Ordinal);
        Assert.Empty(_f.Temporaries);
        Assert.Single(_f.Store.Images.List());
    }

    [Fact]
    public async Task Rights_are_the_clients_to_grant()
    {
        await _f.BaseAsync("base");
        await _f.BuildAsync("FROM base\nRUN --security=insecure --network=host print a", r => r with { Allow = ["security.insecure", "network.host"] });
        await _f.BuildAsync("FROM base\nRUN --network=host print b", r => r with { NetworkMode = "host" });
        Assert.Equal([(true, "host"), (false, "host")], _f.Executor.Steps.Select(step => (step.Insecure, step.NetworkMode)));
        await Assert.ThrowsAsync<BuildException>(() => _f.BuildAsync("FROM base\nRUN --security=insecure --network=host print a"));
    }

    [Fact]
    public async Task A_failed_command_shows_its_last_lines_and_status()
    {
        await _f.BaseAsync("base");
        var error = await Assert.ThrowsAsync<BuildException>(() => _f.BuildAsync("FROM base\nRUN " + string.Concat(Enumerable.Range(0, 50).Select(i => $"print line {i};")) + "exit 7"));
        Assert.Equal(7, error.ExitCode);
        Assert.StartsWith("line 30\n", error.OutputTail, StringComparison.Ordinal);
        Assert.EndsWith("line 49", error.OutputTail, StringComparison.Ordinal);
        Assert.Single(_f.Events.OfType<StepFailed>());
    }

    [Fact]
    public async Task A_missing_Dockerfile_is_named()
    {
        var error = await Assert.ThrowsAsync<BuildException>(() => _f.BuildAsync("", r => r with { Dockerfile = null, DockerfilePath = "sub/Df" }));
        Assert.Equal("Cannot locate specified Dockerfile: sub/Df", error.Message);
    }

    [Fact]
    public async Task Cancelling_stops_all_stages_and_leaves_nothing()
    {
        await _f.BaseAsync("base");
        using var cancel = new CancellationTokenSource();
        var build = _f.BuildAsync("FROM base AS a\nRUN hang\nFROM base\nRUN hang\nCOPY --from=a / /", null, cancel.Token);
        await _f.Executor.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => build);
        Assert.Empty(_f.Temporaries);
        Assert.Single(_f.Store.Images.List());
    }

    [Fact]
    public async Task The_failure_of_one_stage_stops_the_others()
    {
        await _f.BaseAsync("base");
        var error = await Assert.ThrowsAsync<BuildException>(() => _f.BuildAsync("FROM base AS a\nRUN hang\nFROM base AS b\nRUN exit 2\nFROM a\nCOPY --from=b / /"));
        Assert.Equal((2, 4), (error.ExitCode, error.Lines?.Start));
        Assert.Empty(_f.Temporaries);
    }

    [Fact]
    public async Task Unused_build_arguments_are_mentioned()
    {
        await _f.BaseAsync("base");
        await _f.BuildAsync("FROM base", r => r with { BuildArgs = new Dictionary<string, string?> { ["NOPE"] = "1" }, Tags = [ImageReference.Parse("x")] });
        Assert.Contains("[Warning] One or more build-args [NOPE] were not consumed\n", _f.Text, StringComparison.Ordinal);
    }
}
