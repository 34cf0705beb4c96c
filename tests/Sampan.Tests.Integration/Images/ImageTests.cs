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
    public async Task Commit_keeps_what_the_container_was_told_and_makes_no_layer_when_nothing_changed()
    {
        string image = NewName();
        await using Container container = Cleaned(NewName());
        (await Run($"create --name {container} --expose 8080/udp -v /data --stop-signal SIGUSR1 --health-cmd true -l a=b -e V=1 -u 1:2 -w /tmp "
            + "--entrypoint sh busybox -c true")).Succeeds();
        (await Run($"commit {container} {image}")).Succeeds();
        Assert.Equal("""{"8080/udp":{}} {"/data":{}} SIGUSR1 ["CMD-SHELL","true"] b 1:2 /tmp ["sh"] ["-c","true"]""", await Inspect(
            "{{json .Config.ExposedPorts}} {{json .Config.Volumes}} {{.Config.StopSignal}} {{json .Config.Healthcheck.Test}} {{.Config.Labels.a}} "
            + "{{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Entrypoint}} {{json .Config.Cmd}}", image));
        Assert.Equal(await Inspect("{{json .RootFS.Layers}}", "busybox"), await Inspect("{{json .RootFS.Layers}}", image));
        (await Cli.Run(["history", "--format", "{{.CreatedBy}}|{{.Size}}", image])).Succeeds().Shows("-c true|0B");
        (await Run($"rmi {image}")).Succeeds();
    }

    /// <summary>Every instruction that changes the configuration alone.</summary>
    [Theory]
    [InlineData("CMD [\"a\", \"b\"]", "{{json .Config.Cmd}}", "[\"a\",\"b\"]")]
    [InlineData("CMD a b", "{{json .Config.Cmd}}", "[\"/bin/sh\",\"-c\",\"a b\"]")]
    [InlineData("ENTRYPOINT [\"e\"]", "{{json .Config.Entrypoint}} {{json .Config.Cmd}}", "[\"e\"] null")]
    [InlineData("ENV A=1 B=$HOME$A", "{{json .Config.Env}}", "A=1\",\"B=")]
    [InlineData("env OLD style", "{{json .Config.Env}}", "OLD=style")]
    [InlineData("EXPOSE 80 90-91/udp", "{{json .Config.ExposedPorts}}", "{\"80/tcp\":{},\"90/udp\":{},\"91/udp\":{}}")]
    [InlineData("HEALTHCHECK --interval=5s --retries=2 CMD [\"true\"]", "{{json .Config.Healthcheck}}", "{\"Test\":[\"CMD\",\"true\"],\"Interval\":5000000000,\"Retries\":2}")]
    [InlineData("LABEL a=1 \"b c\"=2", "{{json .Config.Labels}}", "{\"a\":\"1\",\"b c\":\"2\"}")]
    [InlineData("ONBUILD RUN true", "{{json .Config.OnBuild}}", "[\"RUN true\"]")]
    [InlineData("STOPSIGNAL SIGINT", "{{.Config.StopSignal}}", "SIGINT")]
    [InlineData("USER 7:8", "{{.Config.User}}", "7:8")]
    [InlineData("VOLUME /v /w", "{{json .Config.Volumes}}", "{\"/v\":{},\"/w\":{}}")]
    [InlineData("WORKDIR sub", "{{.Config.WorkingDir}}", "/sub")]
    public async Task Commit_applies_a_change(string change, string template, string expected)
    {
        string image = NewName();
        await using Container container = Cleaned(NewName());
        (await Run($"create --name {container} busybox true")).Succeeds();
        (await Cli.Run(["commit", "--change", change, container.Name, image])).Succeeds();
        Assert.Contains(expected, await Inspect(template, image), StringComparison.Ordinal);
        (await Run($"rmi {image}")).Succeeds();
    }

    [Theory]
    [InlineData("RUN true", "is not a valid change command")]
    [InlineData("COPY a b", "is not a valid change command")]
    [InlineData("SHELL [\"sh\"]", "is not a valid change command")]
    [InlineData("NONSENSE", "NONSENSE is not a valid change command")]
    [InlineData("EXPOSE x", "invalid")]
    [InlineData("STOPSIGNAL x", "invalid signal: x")]
    public async Task Commit_refuses_what_is_no_change(string change, string complaint)
    {
        await using Container container = Cleaned(NewName());
        (await Run($"create --name {container} busybox true")).Succeeds();
        (await Cli.Run(["commit", "--change", change, container.Name])).Exits(1).Complains(complaint);
    }

    [Fact]
    public async Task Commit_start_and_create_go_in_one_line()
    {
        string image = NewName();
        await using Container container = Cleaned(NewName());
        (await Daemon.Machine.ShellAsync($"export DOCKER_HOST={Daemon.Host}; d={Cli.Program}; "
            + $"$d commit $($d start $($d create --name {container} busybox sleep 1000)) {image}")).Succeeds();
        Assert.Equal("[\"sleep\",\"1000\"]", await Inspect("{{json .Config.Cmd}}", image));
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
