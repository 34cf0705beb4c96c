using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>`--restart`: what starts again by itself.</summary>
public abstract class RestartPolicyTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private Task<string> Restarts(string name) => Inspect("{{.RestartCount}}", name);

    private Task<string> Status(string name) => Inspect("{{.State.Status}}", name);

    [Fact]
    public async Task What_fails_starts_again_as_often_as_it_may_and_what_succeeds_does_not()
    {
        string failing = NewName(), succeeding = NewName();
        await using Container first = Cleaned(failing), second = Cleaned(succeeding);
        (await Run($"run -d --restart on-failure:2 --name {failing} busybox sh -c 'echo once; exit 4'")).Succeeds();
        (await Run($"run -d --restart on-failure --name {succeeding} busybox true")).Succeeds();
        await Eventually.IsTrue(async () => await Status(failing) == "exited", 20, () => "it gives up");
        Assert.Equal("2", await Restarts(failing));
        Assert.Equal("4", await Inspect("{{.State.ExitCode}}", failing));
        (await Run($"logs {failing}")).Succeeds().Prints("once\nonce\nonce");
        await Eventually.IsTrue(async () => await Status(succeeding) == "exited", 20, () => "it has ended");
        Assert.Equal("0", await Restarts(succeeding));
    }

    [Fact]
    public async Task Always_starts_again_until_it_is_stopped_also_while_it_waits()
    {
        string name = NewName();
        await using Container container = Cleaned(name);
        (await Run($"run -d --restart always --name {name} busybox true")).Succeeds();
        await Eventually.IsTrue(async () => int.Parse(await Restarts(name)) >= 3, 20, () => "it starts again");
        (await Run($"stop {name}")).Succeeds();
        Assert.Equal("exited", await Status(name));
        string count = await Restarts(name);
        await Task.Delay(2500);
        Assert.Equal(count, await Restarts(name));
        (await Run($"start {name}")).Succeeds();
        await Eventually.IsTrue(async () => int.Parse(await Restarts(name)) >= 1, 20, () => "started by hand it starts again");
        (await Run($"rm -f {name}")).Succeeds();
    }

    [Fact]
    public async Task Update_changes_the_policy()
    {
        await using Container container = await Idle("--restart always", "sleep 1000");
        (await Run($"update --restart no {container}")).Succeeds();
        Assert.Equal("no", await Inspect("{{.HostConfig.RestartPolicy.Name}}", container.Name));
        (await Run($"update --restart on-failure:1 {container}")).Succeeds();
        Assert.Equal("on-failure 1", await Inspect("{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}", container.Name));
        (await Run($"update --restart sometimes {container}")).Exits(1).Complains("sometimes");
    }

    [Theory]
    [InlineData("--restart sometimes", "sometimes")]
    [InlineData("--restart always:3", "on-failure")]
    [InlineData("--rm --restart always", "--rm")]
    public async Task What_is_no_policy_is_refused(string options, string complaint) =>
        (await Run($"run {options} busybox true")).Exits(125).Complains(complaint);
}

[Trait("vm", "yes")]
public sealed class RestartPolicyWithDockerTests(SharedDaemon shared) : RestartPolicyTests(shared, CommandLine.Docker);

[Trait("vm", "yes")]
public sealed class RestartPolicyWithSampanTests(SharedDaemon shared) : RestartPolicyTests(shared, CommandLine.Sampan);
