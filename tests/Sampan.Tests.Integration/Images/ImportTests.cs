using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>`import`: a root file system becomes an image.</summary>
public abstract class ImportTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private static readonly byte[] s_small = new TarMaker().Folder("etc").File("etc/name", "small\n").Finish();

    [Theory]
    [InlineData("")]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("xz")]
    [InlineData("zstd")]
    public async Task Every_usual_compression_is_known(string program)
    {
        Assert.SkipWhen(Subject.IsReference && program == "zstd", "dockerd 20.10 does not know zstd");
        string file = Path.Combine(Daemon.Folder, NewName());
        File.WriteAllBytes(file, s_small);
        if (program.Length > 0)
            (await Daemon.Machine.ShellAsync($"{program} -c <{file} >{file}.z && mv {file}.z {file}")).Succeeds();
        string image = NewName();
        Assert.Matches("^sha256:[0-9a-f]{64}$", (await Run($"import {file} {image}")).Succeeds().Output);
        await using Container container = Cleaned(NewName());
        (await Run($"create --name {container} {image} /x")).Succeeds();
        (await Run($"rm {container}")).Succeeds();
        Assert.Equal("sha256:", (await Inspect("{{index .RootFS.Layers 0}}", image))[..7]);
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Standard_input_is_read_and_settings_are_applied()
    {
        string image = NewName() + ":tagged";
        CommandResult imported = await Cli.Run(["import", "--change", "CMD [\"cat\", \"/etc/name\"]", "-c", "ENV A=b", "--message", "made by a test", "-", image], s_small);
        imported.Succeeds();
        Assert.Equal("[cat /etc/name] [A=b]", await Inspect("{{.Config.Cmd}} {{.Config.Env}}", image));
        Assert.Equal("made by a test", await Inspect("{{.Comment}}", image));
        Assert.Equal(imported.Output, await Inspect("{{.Id}}", image));
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task The_platform_is_kept()
    {
        string image = NewName();
        (await Cli.Run(["import", "--platform", "linux/amd64", "-", image], s_small)).Succeeds();
        Assert.Equal("linux/amd64", await Inspect("{{.Os}}/{{.Architecture}}", image));
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task What_cannot_be_imported_is_told()
    {
        (await Run("import /no/such/file image")).Exits(1).Complains("/no/such/file");
        (await Cli.Run(["import", "-", "Bad:Name:Here"], s_small)).Exits(1).Complains("invalid reference format");
        (await Cli.Run(["import", "--change", "NONSENSE x", "-", NewName()], s_small)).Exits(1).Complains("nonsense");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class ImportWithDockerTests(SharedDaemon shared) : ImportTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class ImportWithSampanTests(SharedDaemon shared) : ImportTests(shared, CommandLine.Sampan);
