using System.Runtime.CompilerServices;
using Sampan.Tests.Integration.Kit;
using Xunit;

[assembly: AssemblyFixture(typeof(SharedDaemon))]

namespace Sampan.Tests.Integration.Kit;

/// <summary>The one daemon that all tests share which do not harm it.</summary>
public sealed class SharedDaemon : IAsyncLifetime
{
    private Daemon? _daemon;

    /// <summary>The daemon.</summary>
    public Daemon Daemon => _daemon ?? throw new InvalidOperationException("the shared daemon has not been started");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync() => _daemon = await Daemon.StartAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
    }
}

/// <summary>Which command line a group of tests types its words into.</summary>
public enum CommandLine
{
    /// <summary>Docker's own.</summary>
    Docker,

    /// <summary>Sampan's.</summary>
    Sampan,
}

/// <summary>Tests against the shared daemon through one of the two command lines.</summary>
public abstract class EngineTests
{
    private static int s_names;

    /// <summary>Makes the group; Sampan's command line is left out where dockerd is tested and no binary has been built.</summary>
    protected EngineTests(SharedDaemon shared, CommandLine commandLine)
    {
        Assert.SkipWhen(Subject.IsReference && commandLine == CommandLine.Sampan && !File.Exists(Subject.Sampan), "no binary");
        Daemon = shared.Daemon;
        Own = commandLine == CommandLine.Docker ? 18 : 19;
        Cli = commandLine == CommandLine.Docker ? Daemon.Docker : Daemon.Sampan;
    }

    /// <summary>The shared daemon.</summary>
    protected Daemon Daemon { get; }

    /// <summary>The command line under test.</summary>
    protected Cli Cli { get; }

    /// <summary>Types a command and waits for its end.</summary>
    protected Task<CommandResult> Run(string words, string? stdin = null, int timeoutSeconds = 60) => Cli.Run(words, stdin, timeoutSeconds);

    /// <summary>The first digits of ports and subnets that the group may use: both groups run at the same time on one machine.</summary>
    protected int Own { get; }

    /// <summary>A name that no other test uses.</summary>
    protected static string NewName([CallerMemberName] string test = "") =>
        $"{(test.Length > 40 ? test[..40] : test).ToLowerInvariant().Trim('_')}-{Interlocked.Increment(ref s_names)}";

    /// <summary>Starts a container in the background that idles, and returns it; it is removed at the end of the test.</summary>
    protected async Task<Container> Idle(string options = "", string command = "sleep 1000", [CallerMemberName] string test = "")
    {
        string name = NewName(test);
        CommandResult started = await Run($"run -d --name {name} {options} busybox {command}");
        started.Succeeds();
        return new Container(Cli, name, started.Lines[^1]);
    }

    /// <summary>Makes a container for the clean-up at the end of a test.</summary>
    protected Container Cleaned(string name) => new(Cli, name, name);

    /// <summary>A Go template's value for an object.</summary>
    protected async Task<string> Inspect(string template, string name) =>
        (await Cli.Run(["inspect", "--format", template, name])).Succeeds().Output;
}

/// <summary>A container that is removed at the end of the test.</summary>
public sealed class Container(Cli cli, string name, string id) : IAsyncDisposable
{
    /// <summary>The name.</summary>
    public string Name => name;

    /// <summary>The whole id.</summary>
    public string Id => id;

    /// <inheritdoc/>
    public override string ToString() => name;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await cli.Run(["rm", "-f", "-v", name]);
}
