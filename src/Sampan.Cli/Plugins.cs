using System.Collections;
using Sampan.Cli.Http;
using Sampan.Cli.Registries;
using Sampan.Linux;

namespace Sampan.Cli;

/// <summary>
/// Docker's command line plugins: <c>sampan compose</c> is the program <c>docker-compose</c> of one of Docker's plugin folders, which takes
/// this process over and speaks to the same daemon.
/// </summary>
internal static class Plugins
{
    private static readonly string[] SystemFolders =
    [
        "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
    ];

    /// <summary>The program of a command that is not ours; null when there is none.</summary>
    public static string? Find(string command) => command.Length > 0 && command.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))
        ? SystemFolders.Prepend(Path.Combine(CredentialFile.Folder, "cli-plugins")).Select(folder => Path.Combine(folder, "docker-" + command)).FirstOrDefault(File.Exists)
        : null;

    /// <summary>Becomes the plugin; comes back only by an exception.</summary>
    /// <param name="program">From <see cref="Find"/>.</param>
    /// <param name="args">The whole command line, without our own name: plugins know the flags before the command as well.</param>
    /// <param name="globals">Those flags.</param>
    /// <exception cref="SyscallException">It cannot be executed.</exception>
    public static void Run(string program, string[] args, GlobalFlags globals)
    {
        var variables = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(v => (string)v.Key, v => (string?)v.Value ?? "");
        variables["DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"] = Environment.ProcessPath ?? "sampan";
        if (globals.IsDefaultHost)
        {
            // A plugin would look for Docker's socket.
            DaemonStarter.Start();
            variables["DOCKER_HOST"] = DaemonAddress.Default.Text;
        }

        var path = CString.Of(program);
        Raw.ResetSignals();
        var result = Raw.Execve(path, new CStringArray([program, .. args]), new CStringArray([.. variables.Select(v => $"{v.Key}={v.Value}")]));
        throw new SyscallException("execve", $"'{program}'", -result);
    }
}
