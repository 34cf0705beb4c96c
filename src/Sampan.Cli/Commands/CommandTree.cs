using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Commands.Images;
using Sampan.Cli.Commands.Networks;
using Sampan.Cli.Commands.Host;
using Sampan.Cli.Commands.Volumes;

namespace Sampan.Cli.Commands;

/// <summary>All commands. A node's children are made when the word before them was said.</summary>
internal static class CommandTree
{
    private const string Management = "Management Commands";

    public static readonly Command Root = new()
    {
        Name = "sampan",
        Summary = "Builds images and runs containers",
        Synopsis = "[OPTIONS] COMMAND",
        Children = Top,
    };

    public static Command? Find(Command parent, string word)
    {
        foreach (var child in parent.Children!())
        {
            if (child.Name == word || Array.IndexOf(child.Aliases, word) >= 0) return child;
        }

        return null;
    }

    /// <summary>For the help page: Program.cs starts the daemon when this is the first word.</summary>
    private static readonly Command Daemon = new()
    {
        Name = "daemon",
        Summary = "Serve the Engine API; it starts by itself when there is none",
        Synopsis = "[OPTIONS]",
        Interspersed = false,
        Setup = _ => (_, _) => throw new CliException("no option goes before \"daemon\": say sampan daemon [OPTIONS]"),
    };

    private static Command[] Top() =>
    [
        RunCommand.Run("Common Commands"), ExecCommand.Exec("Common Commands"), PsCommand.Ps("ps", [], "Common Commands"),
        BuildCommand.Build("Common Commands"), RegistryCommands.Pull("Common Commands"),
        RegistryCommands.Push("Common Commands"), ImagesCommand.Images("images", [], "Common Commands"),
        VersionCommand.Version("Common Commands"), InfoCommand.Info("Common Commands"),
        Group("builder", "Manage builds", Builder), Group("container", "Manage containers", Container), Group("image", "Manage images", Image),
        Group("manifest", "Manage indexes of images for several platforms", Manifest), Group("net", "Look into networks", Net),
        Group("network", "Manage networks", Network), Group("registry", "Serve images", Registry), Group("system", "Manage Sampan", SystemCommands),
        Group("volume", "Manage volumes", Volume),
        AttachCommand.Attach(), CommitCommand.Commit(), CopyCommand.Copy(), RunCommand.Create(), Daemon, DiffCommand.Diff(), EventsCommand.Events(),
        ExportCommand.Export(), HistoryCommand.History(), ImportCommand.Import(), InspectCommand.Any(), LifecycleCommands.Kill(),
        LoadCommand.Load(), LoginCommands.Login(), LoginCommands.Logout(), LogsCommand.Logs(), LifecycleCommands.Pause(), PortCommand.Port(),
        LifecycleCommands.Rename(),
        LifecycleCommands.Restart(), RemoveCommands.Container("rm", []), RemoveCommands.Image("rmi", []), SaveCommand.Save(), RegistryCommands.Search(),
        StartCommand.Start(), StatsCommand.Stats(), LifecycleCommands.Stop(), TagCommand.Tag(), TopCommand.Top(), LifecycleCommands.Unpause(),
        UpdateCommand.Update(), LifecycleCommands.Wait(),
    ];

    private static Command[] Container() =>
    [
        AttachCommand.Attach(), CommitCommand.Commit(), CopyCommand.Copy(), RunCommand.Create(), DiffCommand.Diff(), ExecCommand.Exec(),
        ExportCommand.Export(), InspectCommand.Container(), LifecycleCommands.Kill(), LogsCommand.Logs(), PsCommand.Ps("ls", ["list", "ps"]),
        LifecycleCommands.Pause(), PortCommand.Port(), PruneCommands.Containers(), LifecycleCommands.Rename(), LifecycleCommands.Restart(),
        RemoveCommands.Container("rm", ["remove"]), RunCommand.Run(), StartCommand.Start(), StatsCommand.Stats(), LifecycleCommands.Stop(),
        TopCommand.Top(), LifecycleCommands.Unpause(), UpdateCommand.Update(), LifecycleCommands.Wait(),
    ];

    private static Command[] Image() =>
    [
        BuildCommand.Build(), HistoryCommand.History(), ImportCommand.Import(), InspectCommand.Image(), LoadCommand.Load(),
        ImagesCommand.Images("ls", ["list"]), PruneCommands.Images(), RegistryCommands.Pull(), RegistryCommands.Push(),
        RemoveCommands.Image("rm", ["remove"]),
        SaveCommand.Save(), TagCommand.Tag(),
        CheckCommand.Check(), LensCommands.Diff(), LensCommands.Tree(), LensCommands.Waste(),
    ];

    private static Command[] Builder() => [BuildCommand.Build(), PruneCommands.Builder()];

    private static Command[] Manifest() =>
        [ManifestCommands.Annotate(), ManifestCommands.Create(), ManifestCommands.Inspect(), ManifestCommands.Push(), ManifestCommands.Remove()];

    private static Command[] Network() =>
    [
        NetworkChanges.Connect(), NetworkChanges.Create(), NetworkChanges.Disconnect(), InspectCommand.Network(), NetworkCommands.List(),
        PruneCommands.Networks(), NetworkChanges.Remove(),
    ];

    private static Command[] Registry() => [ServeCommand.Serve()];

    private static Command[] Net() => [ExplainPort.Explain()];

    private static Command[] SystemCommands() => [DiskUsageCommand.DiskUsage(), EventsCommand.Events(), InfoCommand.Info(), PruneCommands.System()];

    private static Command[] Volume()
        => [VolumeCommands.Create(), InspectCommand.Volume(), VolumeCommands.List(), PruneCommands.Volumes(), VolumeCommands.Remove()];

    private static Command Group(string name, string summary, Func<Command[]> children)
        => new() { Name = name, Summary = summary, Synopsis = "COMMAND", Group = Management, Children = children };
}
