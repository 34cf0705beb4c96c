using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>Tests of what only Sampan's command line can hand to a build and get from it.</summary>
public abstract class SampanBuildTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Sampan)
{
    /// <summary>A new folder with these files.</summary>
    protected string Folder(params (string Path, string Content)[] files)
    {
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        foreach ((string path, string content) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, path))!);
            File.WriteAllText(Path.Combine(folder, path), content);
        }
        return folder;
    }

    /// <summary>Runs sampan on the daemon's own machine, which is where its sockets and directories can be shared.</summary>
    protected async Task<CommandResult> Here(string words, string before = "") =>
        await Daemon.Machine.ShellAsync($"export DOCKER_HOST={Daemon.Host} DOCKER_CONFIG={Daemon.Folder}/none; {before} {Subject.Sampan} {words}", 120);

    /// <summary>docker with its plugins, on the daemon's own machine.</summary>
    /// <param name="before">Commands of the shell that come first, such as exports.</param>
    protected Task<CommandResult> Docker(string words, string before = "")
    {
        Assert.SkipWhen(Subject.IsReference, "Debian's dockerd 20.10 gives buildx images alone, and no other outputs and caches");
        return Daemon.Machine.ShellAsync(
            $"export DOCKER_HOST={Daemon.Host} DOCKER_CONFIG={Path.Combine(Subject.Root, "out", "buildx")} BUILDX_CONFIG={Daemon.Folder}/buildx TERM=dumb; "
            + $"{before} {Subject.Docker} {words}", 120);
    }
}
