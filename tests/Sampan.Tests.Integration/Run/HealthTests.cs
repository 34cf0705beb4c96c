using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>Health checks: `--health-cmd` and HEALTHCHECK.</summary>
public abstract class HealthTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private Task<string> Health(string name) => Inspect("{{.State.Health.Status}}", name);

    [Fact]
    public async Task It_follows_what_the_command_finds()
    {
        await using Container container = await Idle(
            "--health-cmd 'cat /tmp/well' --health-interval 200ms --health-retries 2 --health-start-period 10m --health-start-interval 200ms");
        Assert.Equal("starting", await Health(container.Name));
        Assert.Contains("(health: starting)", (await Run($"ps --filter name={container} --format {{{{.Status}}}}")).Succeeds().Output);
        (await Run($"exec {container} sh -c 'echo fine >/tmp/well'")).Succeeds();
        await Eventually.IsTrue(async () => await Health(container.Name) == "healthy", 20, () => "it is healthy");
        Assert.Contains("fine", await Inspect("{{range .State.Health.Log}}{{.Output}}{{end}}", container.Name));
        Assert.Equal(container.Id[..12], (await Run("ps -q --filter health=healthy --filter name=" + container)).Succeeds().Output);
        (await Run($"exec {container} rm /tmp/well")).Succeeds();
        await Eventually.IsTrue(async () => await Health(container.Name) == "unhealthy", 20, () => "it is unhealthy");
        Assert.Contains("(unhealthy)", (await Run($"ps --filter name={container} --format {{{{.Status}}}}")).Succeeds().Output);
        Assert.Contains("No such file", await Inspect("{{range .State.Health.Log}}{{.Output}}{{end}}", container.Name));
    }

    [Fact]
    public async Task A_check_that_takes_too_long_is_ended_and_has_failed()
    {
        await using Container container = await Idle("--health-cmd 'sleep 999' --health-interval 100ms --health-timeout 300ms --health-retries 1");
        await Eventually.IsTrue(async () => await Health(container.Name) == "unhealthy", 20, () => "it is unhealthy");
        Assert.Contains("exceeded timeout (300ms)", await Inspect("{{(index .State.Health.Log 0).Output}}", container.Name));
        Assert.Equal("-1", await Inspect("{{(index .State.Health.Log 0).ExitCode}}", container.Name));
        await Eventually.IsTrue(
            async () => (await Run($"top {container}")).Succeeds().Output.Split("sleep 999").Length <= 2, 20, () => "at most one check runs");
    }

    [Fact]
    public async Task An_image_s_check_is_its_containers_unless_they_refuse_it()
    {
        string image = NewName(), name = NewName(), without = NewName();
        await using Container first = Cleaned(name), second = Cleaned(without);
        (await Run($"build -t {image} -", "FROM busybox\nHEALTHCHECK --interval=200ms --retries=1 CMD exit 0\nCMD sleep 1000\n")).Succeeds();
        (await Run($"run -d --name {name} {image}")).Succeeds();
        (await Run($"run -d --no-healthcheck --name {without} {image}")).Succeeds();
        await Eventually.IsTrue(async () => await Health(name) == "healthy", 20, () => "it is healthy");
        Assert.Equal("[NONE]", await Inspect("{{.Config.Healthcheck.Test}}", without));
        Assert.Equal("<nil>", await Inspect("{{.State.Health}}", without));
        (await Run($"rm -f {name} {without}")).Succeeds();
        (await Run($"rmi {image}")).Succeeds();
    }

    [Theory]
    [InlineData("--health-cmd true --health-interval 1us", "1ms")]
    [InlineData("--health-cmd true --health-retries -1", "negative")]
    public async Task What_is_no_check_is_refused(string options, string complaint) =>
        (await Run($"run {options} busybox true")).Exits(125).Complains(complaint);
}

[Trait("vm", "yes")]
public sealed class HealthWithDockerTests(SharedDaemon shared) : HealthTests(shared, CommandLine.Docker);

[Trait("vm", "yes")]
public sealed class HealthWithSampanTests(SharedDaemon shared) : HealthTests(shared, CommandLine.Sampan);
