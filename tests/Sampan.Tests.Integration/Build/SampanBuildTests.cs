using Sampan.Tests.Integration.Kit;

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
}
