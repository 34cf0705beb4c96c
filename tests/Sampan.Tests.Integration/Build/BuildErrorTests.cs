using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>What a build says when it fails.</summary>
public abstract class BuildErrorTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private async Task<CommandResult> Build(string dockerfile)
    {
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), dockerfile);
        return (await Run($"build {folder}")).Fails();
    }

    [Theory]
    [InlineData("FROM busybox\n\nNONSENSE x\n", "NONSENSE", "3")]
    [InlineData("RUN true\n", "FROM", null)]
    [InlineData("FROM busybox\nCOPY missing /\n", "missing", null)]
    [InlineData("FROM busybox\nRUN exit 3\n", "3", null)]
    [InlineData("FROM busybox\nRUN no-such-program\n", "127", null)]
    [InlineData("FROM busybox\nRUN [\"/no-such-program\"]\n", "no-such-program", null)]
    [InlineData("FROM busybox\nRUN [\"/etc/passwd\"]\n", "/etc/passwd", null)]
    [InlineData("FROM busybox AS a\nFROM no-such-image:nowhere\n", "no-such-image", "2")]
    [InlineData("FROM busybox\nCOPY ../outside /\n", "outside", null)]
    [InlineData("FROM busybox\nENV\n", "ENV", null)]
    [InlineData("FROM busybox\nCOPY --from=nowhere a b\n", "nowhere", null)]
    [InlineData("FROM busybox\nEXPOSE 99999999\n", "99999999", null)]
    [InlineData("", "empty", null)]
    public async Task The_cause_is_named(string dockerfile, string cause, string? line)
    {
        // dockerd tries to pull what it does not have, and here it says only that there is no network.
        Assert.SkipWhen(Subject.IsReference && cause == "no-such-image", "no registry");
        CommandResult result = (await Build(dockerfile)).Complains(cause);
        if (line is not null)
            Assert.Contains(line, result.Error);
    }

    [Theory]
    [InlineData("FROM busybox\nRUN echo one\nRUN false\n", "RUN false")]
    [InlineData("FROM busybox\nRUN echo one\nCOPY missing /\n", "COPY missing /")]
    [InlineData("FROM busybox\n\nNONSENSE x\n", "NONSENSE x")]
    public async Task The_place_is_shown(string dockerfile, string line)
    {
        Assert.SkipWhen(Subject.IsReference, "the classic builder of 20.10 does not show it");
        (await Build(dockerfile)).Complains($"Dockerfile:3\n").Complains("   1 |     FROM busybox\n").Complains($"   3 | >>> {line}\n");
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), dockerfile);
        (await Run($"build -q {folder}")).Fails().Complains($"   3 | >>> {line}\n");
    }

    [Fact]
    public async Task A_missing_context_or_dockerfile_is_named()
    {
        (await Run("build /no/such/folder")).Fails().Complains("/no/such/folder");
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        (await Run($"build {folder}")).Fails().Complains("Dockerfile");
        (await Run($"build -t Bad:Tag:Name {folder}")).Fails().Complains("Bad:Tag:Name");
    }

    [Fact]
    public async Task A_failed_build_leaves_no_image_and_no_container()
    {
        string tag = NewName();
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), "FROM busybox\nRUN echo half >/made && exit 9\n");
        CommandResult result = (await Run($"build --force-rm -t {tag} {folder}")).Fails();
        result.Complains("9");
        (await Run($"images -q {tag}")).Succeeds().Prints("");
        (await Run("ps -aq --filter status=exited --filter label=no-such")).Succeeds().Prints("");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class BuildErrorWithDockerTests(SharedDaemon shared) : BuildErrorTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class BuildErrorWithSampanTests(SharedDaemon shared) : BuildErrorTests(shared, CommandLine.Sampan);
