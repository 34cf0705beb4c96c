using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>What scripts that were written for <c>docker buildx build</c> say.</summary>
public sealed class BuildxFlagTests(SharedDaemon shared) : SampanBuildTests(shared)
{
    [Fact]
    public async Task A_build_that_switches_attestations_off_and_loads_is_a_build()
    {
        string image = NewName(), folder = Folder(("Dockerfile", "FROM busybox\nCMD echo loaded\n"));
        (await Run($"build --load --provenance=false --sbom=false --attest type=sbom,disabled=true --builder default -t {image} {folder}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("loaded");
        (await Run($"build --load -t {image}2 -o type=tar,dest={folder}.tar {folder}")).Succeeds();
        (await Run($"run --rm {image}2")).Succeeds().Prints("loaded");
        Assert.True(File.Exists($"{folder}.tar"));
    }

    [Theory]
    [InlineData("--provenance=true", "attestations are not made here")]
    [InlineData("--sbom=generator=x", "attestations are not made here")]
    [InlineData("--attest type=provenance", "attestations are not made here")]
    [InlineData("--builder remote", "no builder \"remote\" found")]
    public async Task What_is_not_here_is_said(string flag, string message) => (await Run($"build {flag} -", "FROM busybox\n")).Exits(125).Complains(message);
}
