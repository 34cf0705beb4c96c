using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build.Corpus;

/// <summary>
/// Small Dockerfiles of every kind, each with the configuration and the files that its image must have, worked out from the reference.
/// On dockerd (SAMPAN_TEST_REFERENCE) the same expectations hold for all that its classic builder can build.
/// </summary>
public abstract class CorpusTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    /// <summary>Names of the cases that the engine under test can build.</summary>
    public static TheoryData<string> Names() => [.. CorpusCase.All.Values.Where(c => !Subject.IsReference || !c.IsSampanOnly).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_image_is_what_its_Dockerfile_says(string name)
    {
        CorpusCase it = CorpusCase.All[name];
        string image = NewName("corpus");
        string folder = Path.Combine(Daemon.Folder, image);
        await it.WriteAsync(folder, Daemon.Machine);
        CommandResult built = await Run($"build {it.Flags} -t {image} {folder}");
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
}

/// <summary>The group through Docker's command line.</summary>
public sealed class CorpusWithDockerTests(SharedDaemon shared) : CorpusTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class CorpusWithSampanTests(SharedDaemon shared) : CorpusTests(shared, CommandLine.Sampan);
