using System.Diagnostics;

namespace Sampan.Tests.Integration.Kit;

/// <summary>
/// A command line, Docker's or Sampan's, that speaks to one daemon. Both take the same words and must give the same results.
/// </summary>
/// <param name="program">The program's path.</param>
/// <param name="host">The daemon's address, as in DOCKER_HOST.</param>
/// <param name="config">The folder of the client's settings and credentials; null is one that all share, and empty.</param>
/// <param name="inside">The machine the client runs on; null is the real one.</param>
public sealed class Cli(string program, string host, string? config = null, Machine? inside = null)
{
    // The user's own settings must not play in: contexts, credentials, plugins such as buildx.
    private static readonly string s_config = Directory.CreateTempSubdirectory("sampan-test-config-").FullName;

    static Cli() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(s_config, recursive: true);

    /// <summary>The program's path.</summary>
    public string Program => program;

    /// <summary>Runs a command typed as on a shell (<see cref="Words"/>) and waits for its end.</summary>
    public Task<CommandResult> Run(string words, string? stdin = null, int timeoutSeconds = 60) =>
        Run(Words.Split(words), stdin is null ? null : System.Text.Encoding.UTF8.GetBytes(stdin), timeoutSeconds);

    /// <summary>Runs a command given as arguments and waits for its end.</summary>
    public async Task<CommandResult> Run(string[] arguments, byte[]? stdin = null, int timeoutSeconds = 60)
    {
        await using var running = new Running(Start(arguments));
        if (stdin is not null)
            await FeedAsync(running, stdin);
        running.CloseInput();
        return await running.ResultAsync(timeoutSeconds);
    }

    /// <summary>Starts a command typed as on a shell and leaves its streams to the test.</summary>
    public Running Begin(string words) => new(Start(Words.Split(words)));

    /// <summary>Starts a command on a terminal of its own.</summary>
    public Terminal OnTerminal(string words, int rows = 24, int columns = 80) => new(Start(Words.Split(words)), rows, columns);

    /// <summary>The same client with settings of its own, on a machine that is not the real one.</summary>
    public Cli With(string config, Machine? machine = null) => new(program, host, config, machine);

    private ProcessStartInfo Start(string[] arguments)
    {
        ProcessStartInfo start = inside?.Inside(program, arguments) ?? new ProcessStartInfo(program, arguments);
        start.Environment["DOCKER_HOST"] = host;
        start.Environment["DOCKER_CONFIG"] = config ?? s_config;
        start.Environment["DOCKER_BUILDKIT"] = "0";
        start.Environment["DOCKER_CLI_HINTS"] = "false";
        start.Environment["TERM"] = "xterm";
        return start;
    }

    private static async Task FeedAsync(Running running, byte[] stdin)
    {
        try
        {
            await running.Input.WriteAsync(stdin);
        }
        catch (IOException)
        {
            // The command ended without reading everything; its exit code and output tell the rest.
        }
    }
}
