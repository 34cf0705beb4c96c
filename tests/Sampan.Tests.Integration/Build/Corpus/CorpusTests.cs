using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build.Corpus;

/// <summary>
/// Small Dockerfiles of every kind, each with the configuration and the files that its image must have, worked out from the reference.
/// On dockerd (SAMPAN_TEST_REFERENCE) the same expectations hold for all that its classic builder can build.
/// </summary>
public abstract class CorpusTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    /// <summary>Each web server has one of its own: it ends with the machine.</summary>
    private static int s_port = 7000;

    /// <summary>Names of the cases that the engine under test can build and every command line can ask for.</summary>
    public static TheoryData<string> Names() => [.. CorpusCase.All.Values.Where(c => (!Subject.IsReference || !c.IsSampanOnly) && !c.NeedsOptions).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_image_is_what_its_Dockerfile_says(string name)
    {
        CorpusCase it = CorpusCase.All[name];
        string image = NewName("corpus");
        string folder = Path.Combine(Daemon.Folder, image), port = $"{Interlocked.Increment(ref s_port)}";
        await it.WriteAsync(folder, Daemon.Machine, $"http://127.0.0.1:{port}");
        await using Running? site = it.HasSite ? await ServeAsync(CorpusCase.SiteOf(folder), port) : null;
        CommandResult built = await Run($"build {it.Flags(folder)} -t {image} {folder}");
        if (it.Part("error") is { } error)
        {
            built.Fails();
            Assert.Contains(error.Trim(), built.Error + built.Output, StringComparison.OrdinalIgnoreCase);
            return;
        }
        built.Succeeds();
        string inspect = (await Run($"image inspect {image}")).Succeeds().Output;
        Assert.Equal(it.Part("config") ?? "", BuiltImage.Config(inspect));
        byte[] archive = (await Run($"save {image}")).Succeeds().OutputBytes;
        Assert.Equal(it.Part("files") ?? "", BuiltImage.Files(archive, it.BaseLayers));
        (await Run($"rmi {image}")).Succeeds();
    }

    private async Task<Running> ServeAsync(string folder, string port)
    {
        var server = new Running(Daemon.Machine.Inside("python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, port));
        await Eventually.IsTrue(
            async () => (await Daemon.Machine.ShellAsync($"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'")).ExitCode == 0, 20,
            () => "the web server does not answer");
        return server;
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class CorpusWithDockerTests(SharedDaemon shared) : CorpusTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class CorpusWithSampanTests(SharedDaemon shared) : CorpusTests(shared, CommandLine.Sampan)
{
    /// <summary>Names of the cases with flags that Docker's command line only has with buildx.</summary>
    public static TheoryData<string> WithOptions() => [.. CorpusCase.All.Values.Where(c => c.NeedsOptions).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(WithOptions))]
    public Task So_it_is_with_flags_of_BuildKit(string name) => An_image_is_what_its_Dockerfile_says(name);
}
