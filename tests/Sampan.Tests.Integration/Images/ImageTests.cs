using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>Images in the store: names, lists, history, save, load, commit, remove.</summary>
public abstract class ImageTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private async Task<string> NewImage(string name, string content = "x")
    {
        byte[] tar = new TarMaker().File("file", content + name).Finish();
        return (await Cli.Run(["import", "-", name], tar)).Succeeds().Output;
    }

    [Fact]
    public async Task Tags_are_further_names_and_the_last_takes_the_image_with_it()
    {
        string image = NewName();
        string id = await NewImage(image);
        (await Run($"tag {image} {image}:two")).Succeeds();
        (await Run($"tag {id} example.org:5000/{image}/deep:three")).Succeeds();
        Assert.Equal(id, await Inspect("{{.Id}}", $"example.org:5000/{image}/deep:three"));
        (await Run($"rmi {image}:two")).Succeeds().Prints($"Untagged: {image}:two");
        (await Run($"rmi {id[7..19]}")).Exits(1).Complains("must be forced");
        (await Run($"rmi {image}")).Succeeds();
        (await Run($"rmi example.org:5000/{image}/deep:three")).Succeeds().Shows("Untagged: ").Shows($"Deleted: {id}");
        (await Run($"image inspect {id}")).Exits(1).Complains("no such image");
    }

    [Theory]
    [InlineData("tag busybox Upper:case", "reference format")]
    [InlineData("tag busybox a:b:c", "reference format")]
    [InlineData("tag no-such-image x", "no such image: no-such-image")]
    [InlineData("rmi no-such-image", "no such image: no-such-image")]
    [InlineData("history no-such-image", "no-such-image")]
    [InlineData("save no-such-image", "no-such-image")]
    [InlineData("image inspect no-such-image", "no-such-image")]
    public async Task What_is_not_there_or_no_name_is_told(string command, string cause) => (await Run(command)).Exits(1).Complains(cause);

    [Fact]
    public async Task Images_are_listed()
    {
        string image = NewName();
        string id = await NewImage(image);
        Assert.Matches(@"^REPOSITORY\s+TAG\s+IMAGE ID\s+CREATED\s+SIZE", (await Run("images")).Succeeds().Lines[0]);
        (await Run($"images --format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.ID}}}}' {image}")).Succeeds().Prints($"{image}:latest {id[7..19]}");
        (await Run($"images -q --no-trunc {image}")).Succeeds().Prints(id);
        (await Run($"images -q --filter reference={image[..^1]}*")).Succeeds().Shows(id[7..19]);
        (await Run($"images -q {image}:none")).Succeeds().Prints("");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task History_tells_the_steps()
    {
        string image = NewName();
        (await Cli.Run(["import", "-m", "first step", "-", image], new TarMaker().File("f").Finish())).Succeeds();
        (await Run($"history --format {{{{.Comment}}}} {image}")).Succeeds().Prints("first step");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Saved_and_loaded_an_image_is_the_same()
    {
        string image = NewName();
        string file = Path.Combine(Daemon.Folder, NewName());
        string id = await NewImage(image);
        string layer = await Inspect("{{index .RootFS.Layers 0}}", image);
        (await Run($"save -o {file} {image}")).Succeeds();
        (await Daemon.Machine.ShellAsync($"tar -tf {file}")).Succeeds().Shows("manifest.json");
        (await Run($"rmi {image}")).Succeeds();
        (await Run($"load -i {file}")).Succeeds().Shows($"Loaded image: {image}:latest");
        Assert.Equal(id, await Inspect("{{.Id}}", image));
        Assert.Equal(layer, await Inspect("{{index .RootFS.Layers 0}}", image));
        (await Cli.Run(["load"], File.ReadAllBytes(file))).Succeeds().Shows($"Loaded image: {image}:latest");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Load_refuses_what_is_no_archive_of_images()
    {
        (await Cli.Run(["load"], "this is no archive"u8.ToArray())).Exits(1);
        (await Cli.Run(["load"], new TarMaker().File("x", "y").Finish())).Exits(1);
        (await Run("load -i /no/such/file")).Exits(1).Complains("/no/such/file");
        byte[] lie = new TarMaker().File("manifest.json", "[{\"Config\":\"../../../etc/passwd\",\"RepoTags\":[\"lie:latest\"],\"Layers\":[\"/etc/passwd\"]}]").Finish();
        (await Cli.Run(["load"], lie)).Exits(1);
        (await Run("images -q lie")).Succeeds().Prints("");
    }

    [Fact]
    public async Task Commit_makes_an_image_of_what_a_container_changed()
    {
        string image = NewName();
        string name = NewName();
        await using Container container = Cleaned(name);
        (await Run($"run --name {name} busybox sh -c 'echo new >/new; rm /etc/group; rm -r /var/www; mkdir /var/www; ln -s new /link'")).Succeeds();
        string id = (await Cli.Run(["commit", "-m", "changed", "-a", "tester", "-c", "CMD [\"cat\", \"/new\"]", name, image])).Succeeds().Output;
        Assert.Equal(id, await Inspect("{{.Id}}", image));
        (await Run($"run --rm {image}")).Succeeds().Prints("new");
        (await Run($"run --rm {image} sh -c 'cat /link; ls /etc/group; ls /var/www; ls /etc/passwd'")).Succeeds().Prints("new\n/etc/passwd")
            .Complains("/etc/group");
        Assert.Equal("changed tester", await Inspect("{{.Comment}} {{.Author}}", image));
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task An_image_in_use_is_not_removed()
    {
        string image = NewName();
        await using Container maker = Cleaned(NewName());
        (await Run($"run --name {maker} busybox touch /x")).Succeeds();
        (await Run($"commit {maker} {image}")).Succeeds();
        await using (Container user = Cleaned(NewName()))
        {
            (await Run($"run -d --name {user} {image} sleep 1000")).Succeeds();
            string userId = await Inspect("{{.Id}}", user.Name);
            (await Run($"rmi {image}")).Exits(1).Complains("conflict").Complains(userId[..12]);
            (await Run($"rmi -f {image}")).Exits(0);
        }
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class ImageWithDockerTests(SharedDaemon shared) : ImageTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class ImageWithSampanTests(SharedDaemon shared) : ImageTests(shared, CommandLine.Sampan);
