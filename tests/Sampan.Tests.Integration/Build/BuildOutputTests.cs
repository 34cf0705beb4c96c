using System.Formats.Tar;
using System.Text.Json.Nodes;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>What a build gives: files, archives, images and what is told of them; and what the options for its steps do.</summary>
public sealed class BuildOutputTests(SharedDaemon shared) : SampanBuildTests(shared)
{
    private string Unique() => Folder(("Dockerfile", $"FROM busybox AS b\nRUN mkdir /d && echo {Guid.NewGuid()} >/d/f && ln -s f /d/l && chmod 750 /d\nFROM scratch\nCOPY --from=b /d /d\n"));

    private async Task<string[]> Images() => (await Run("images -aq --no-trunc")).Succeeds().Lines;

    private static string[] TarNames(byte[] tar)
    {
        using var reader = new TarReader(new MemoryStream(tar));
        var names = new List<string>();
        while (reader.GetNextEntry() is { } entry)
            names.Add(entry.Name);
        return [.. names];
    }

    [Fact]
    public async Task Files_go_to_a_directory_or_a_tar_and_no_image_stays()
    {
        string folder = Unique(), output = Path.Combine(folder, "out");
        (await Run($"build -o {output} {folder}")).Succeeds();
        Assert.Equal(["d"], Directory.GetFileSystemEntries(output).Select(Path.GetFileName));
        Assert.Equal("f", new FileInfo(Path.Combine(output, "d/l")).LinkTarget);
        Assert.Equal((UnixFileMode)0b111_101_000, File.GetUnixFileMode(Path.Combine(output, "d")));
        Assert.Equal(36, File.ReadAllText(Path.Combine(output, "d/f")).Trim().Length);
        string id = (await Run($"build -q {folder}")).Succeeds().Output;
        (await Run($"rmi {id}")).Succeeds();
        CommandResult tar = (await Run($"build -o - {folder}")).Succeeds();
        Assert.Equal(["d/", "d/f", "d/l"], TarNames(tar.OutputBytes));
        (await Run($"build --output type=tar,dest={folder}/o.tar {folder}")).Succeeds();
        Assert.Equal(["d/", "d/f", "d/l"], TarNames(File.ReadAllBytes($"{folder}/o.tar")));
        Assert.DoesNotContain(id, await Images());

        // One that was there before, or has a name, is not taken away.
        (await Run($"build -q {folder}")).Succeeds();
        (await Run($"build -o {output} {folder}")).Succeeds();
        Assert.Contains(id, await Images());
        string image = NewName();
        (await Run($"build -o {output} -t {image} {folder}")).Succeeds();
        Assert.Equal(id, await Inspect("{{.Id}}", image));
    }

    [Fact]
    public async Task FROM_shows_the_base_itself_and_a_cgroup_parent_leads_nowhere_else()
    {
        string folder = Unique(), id = await Inspect("{{.Id}}", "busybox");
        (await Run($"build --no-cache --progress plain {folder}")).Succeeds().Shows(id[7..19]);
        (await Run($"build --cgroup-parent /a/../b {folder}")).Exits(1).Complains("invalid cgroup parent '/a/../b'");
    }

    [Fact]
    public async Task A_cgroup_parent_is_where_the_steps_run()
    {
        string parent = $"sampan-{Guid.NewGuid():n}", folder = Folder(("Dockerfile", "FROM busybox\nRUN sleep 30\n"));
        List<string> Cgroups() => [.. Kit.Cgroups.All().Where(path => path.Contains(parent, StringComparison.Ordinal))];
        await using (Running build = Cli.Begin($"build --cgroup-parent /{parent} {folder}"))
        {
            await Eventually.IsTrue(() => Cgroups().Exists(path => !path.EndsWith(parent, StringComparison.Ordinal)), 30, () => "no step's cgroup is below the parent");
            build.Kill();
        }
        await Eventually.IsTrue(() => !Cgroups().Exists(path => !path.EndsWith(parent, StringComparison.Ordinal)), 30, () => "the step's cgroup stays");
        Cgroups().ForEach(Kit.Cgroups.Remove);
    }

    [Fact]
    public async Task A_push_that_fails_says_that_the_build_did_not()
    {
        string folder = Unique(), image = $"127.0.0.1:1/{NewName()}";
        CommandResult result = (await Run($"build --push -t {image} {folder}")).Fails();
        result.Complains($"the build succeeded, its image is {await Inspect("{{.Id}}", image)} ({image}) here, but pushing it failed: ");
    }

    [Theory]
    [InlineData("--push")]
    [InlineData("--output type=registry")]
    [InlineData("--output type=image,push=true")]
    public async Task What_is_built_can_go_to_its_registry(string option)
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string folder = Unique(), image = $"{registry.Address}/{NewName()}";
        (await Run($"build {option} {folder}")).Exits(1).Complains("needs a name");
        (await Run($"build {option} -t {image} {folder}")).Succeeds();
        string id = await Inspect("{{.Id}}", image);
        (await Run($"rmi {image}")).Succeeds();
        (await Run($"pull -q {image}")).Succeeds();
        Assert.Equal(id, await Inspect("{{.Id}}", image));
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Archives_can_be_loaded_again()
    {
        string folder = Unique(), image = NewName();
        (await Run($"build --output type=docker,dest={folder}/d.tar -t {image} {folder}")).Succeeds();
        (await Run($"build --output type=oci,dest={folder}/o.tar {folder}")).Succeeds();
        string id = await Inspect("{{.Id}}", image);
        (await Run($"rmi {image}")).Succeeds();
        (await Run($"load -i {folder}/d.tar")).Succeeds().Shows(image);
        Assert.Equal(id, await Inspect("{{.Id}}", image));
        (await Run($"rmi {image}")).Succeeds();
        (await Run($"load -i {folder}/o.tar")).Succeeds().Shows(id);
        (await Run($"build --output type=image,name={image}:x {folder}")).Succeeds();
        Assert.Equal(id, await Inspect("{{.Id}}", $"{image}:x"));
    }

    [Fact]
    public async Task A_device_is_written_to_and_stays_one()
    {
        string folder = Unique(), devices = Folder(("file", ""));
        (await Daemon.Machine.ShellAsync($"mknod {devices}/null c 1 3 && ln -s null {devices}/link")).Succeeds();
        foreach (string name in (string[])["null", "link"])
        {
            (await Run($"build --output type=tar,dest={devices}/{name} {folder}")).Succeeds();
            (await Run($"save -o {devices}/{name} busybox")).Succeeds();
            (await Run($"build -q --iidfile {devices}/{name} --metadata-file {devices}/{name} {folder}")).Succeeds();
        }
        (await Daemon.Machine.ShellAsync($"stat -c '%F' {devices}/null {devices}/link")).Succeeds().Prints("character special file\nsymbolic link");
    }

    [Fact]
    public async Task The_image_is_told_in_files()
    {
        string folder = Unique(), image = NewName();
        (await Run($"build --iidfile {folder}/id --metadata-file {folder}/meta -t {image} {folder}")).Succeeds();
        string id = await Inspect("{{.Id}}", image);
        Assert.Equal(id, File.ReadAllText($"{folder}/id"));
        JsonNode meta = JsonNode.Parse(File.ReadAllText($"{folder}/meta"))!;
        Assert.Equal(id, (string?)meta["containerimage.config.digest"]);
        Assert.Equal($"docker.io/library/{image}:latest", (string?)meta["image.name"]);

        // Docker's command line learns it from the stream.
        (await Daemon.Docker.Run($"build --iidfile {folder}/id2 {folder}")).Succeeds();
        Assert.Equal(id, File.ReadAllText($"{folder}/id2"));
    }

    [Fact]
    public async Task Squash_leaves_one_layer_on_the_base()
    {
        string image = NewName();
        string folder = Folder(("Dockerfile", "FROM busybox\nRUN echo a >/a && echo b >/b\nRUN rm /b && rm -r /var/www && mkdir /var/www && echo c >/var/www/c\nRUN rm /etc/group\nLABEL x=y\nCMD ls /a /b /var/www /etc/group\n"));
        (await Run($"build -t {image}:plain {folder}")).Succeeds();
        (await Run($"build --squash -t {image}:squashed {folder}")).Succeeds();
        Assert.Equal("2 map[x:y]", await Inspect("{{len .RootFS.Layers}} {{.Config.Labels}}", $"{image}:squashed"));
        CommandResult plain = await Run($"run --rm {image}:plain"), squashed = await Run($"run --rm {image}:squashed");
        Assert.Equal((plain.Output, plain.Error, plain.ExitCode), (squashed.Output, squashed.Error, squashed.ExitCode));
        squashed.Shows("/var/www:\nc");
        (await Run($"history {image}:squashed")).Succeeds().Shows("merge of 3 layers");
    }

    [Fact]
    public async Task Limits_and_names_take_effect_in_steps()
    {
        string folder = Folder(("Dockerfile", """
            FROM busybox
            RUN ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1 | awk '{print $2}'; grep friend /etc/hosts
            RUN cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us
            """));
        CommandResult built = (await Run($"build --no-cache --label a=b --ulimit nofile=100:200 --shm-size 8m --add-host friend:10.9.8.7 --memory 64m --cpus 0.5 {folder}")).Succeeds();
        built.Shows("100\n200\n8192\n10.9.8.7\tfriend").Shows("67108864\n50000");
        string last = built.Lines[^1].Split(' ')[^1];
        Assert.Equal("map[a:b]", await Inspect("{{.Config.Labels}}", last));
    }
}
