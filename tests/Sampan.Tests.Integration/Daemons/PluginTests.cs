using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Daemons;

/// <summary>Docker's plugins as commands of Sampan's command line (scripts/buildx.sh unpacks buildx and compose).</summary>
public sealed class PluginTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Sampan)
{
    private readonly string _settings = Path.Combine(Subject.Root, "out", "buildx");

    private Task<CommandResult> Sampan(string globals, string words) => Daemon.Machine.ShellAsync(
        $"export DOCKER_HOST={Daemon.Host} BUILDX_CONFIG={Daemon.Folder}/plugin-buildx TERM=dumb; cd {Daemon.Folder}; {Subject.Sampan} {globals} {words}", 120);

    [Fact]
    public async Task Buildx_and_compose_work_with_Sampans_daemon()
    {
        string project = NewName(), folder = Path.Combine(Daemon.Folder, project);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "compose.yaml"), "services:\n  boat:\n    image: busybox\n    command: sleep 1000\n");
        (await Sampan($"--config {_settings}", "buildx version")).Succeeds().Shows("buildx");
        (await Sampan($"--config {_settings}", "buildx inspect")).Succeeds().Shows("docker");
        string compose = $"compose -p {project} -f {folder}/compose.yaml";
        (await Sampan($"--config {_settings}", $"{compose} up -d")).Succeeds();
        (await Sampan($"--config {_settings}", $"{compose} exec -T boat sh -c 'exit 7'")).Exits(7);
        (await Run($"inspect --format {{{{.State.Running}}}} {project}-boat-1")).Succeeds().Prints("true");
        (await Sampan($"--config {_settings}", $"{compose} down -t 0")).Succeeds();
    }

    [Fact]
    public async Task A_command_that_is_neither_ours_nor_a_plugin_is_unknown()
    {
        (await Sampan("", "compose-nothing up")).Exits(1).Complains("unknown command: sampan compose-nothing");
        (await Sampan("", "../buildx")).Exits(1).Complains("unknown command");
        (await Sampan("--config /nowhere", "version")).Succeeds();
        (await Sampan("-D", "daemon")).Exits(1).Complains("sampan daemon");
    }
}
