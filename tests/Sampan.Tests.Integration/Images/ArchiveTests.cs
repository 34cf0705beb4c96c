using System.Security.Cryptography;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary><c>save</c>, <c>load</c>, <c>import</c>, and what lists tell of images.</summary>
public abstract class ArchiveTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    protected async Task<string> NewImage(string name, string content = "x", string options = "")
    {
        byte[] tar = new TarMaker().File("file", content + name).Finish();
        return (await Cli.Run(["import", .. Words.Split(options), "-", name], tar)).Succeeds().Output;
    }

    private string NewPath(string name) => Path.Combine(Daemon.Folder, name);

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("xz")]
    [InlineData("zstd")]
    public async Task Compressed_archives_are_loaded(string program)
    {
        Assert.SkipWhen(Subject.IsReference && program == "zstd", "dockerd 20.10 does not know zstd");
        string image = NewName(), file = NewPath(image);
        string id = await NewImage(image);
        (await Run($"save -o {file} {image}")).Succeeds();
        (await Run($"rmi {image}")).Succeeds();
        (await Daemon.Machine.ShellAsync($"{program} -c <{file} >{file}.z")).Succeeds();
        (await Run($"load -q -i {file}.z")).Succeeds().Prints($"Loaded image: {image}:latest");
        Assert.Equal(id, await Inspect("{{.Id}}", image));
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Several_images_go_into_an_archive_and_what_they_share_goes_once()
    {
        string one = NewName(), two = NewName(), file = NewPath(one);
        await using Container maker = Cleaned(NewName());
        (await Run($"run --name {maker} busybox touch /{one}")).Succeeds();
        (await Run($"commit {maker} {one}")).Succeeds();
        (await Run($"commit -c 'ENV A=b' {maker} {two}:a")).Succeeds();
        (await Run($"tag {two}:a {two}:b")).Succeeds();
        string id = await Inspect("{{.Id}}", one);
        (await Run($"save -o {file} {one} {two} {id[7..]}")).Succeeds();
        (await Daemon.Machine.ShellAsync($"stat -c %a {file}; tar -tf {file} | sort | uniq -d")).Succeeds().Prints("600");
        (await Run($"rmi {one} {two}:a {two}:b")).Succeeds();
        (await Run($"load -i {file}")).Succeeds().Shows($"{one}:latest").Shows($"{two}:a").Shows($"{two}:b");
        (await Run($"save -o {file}.2 {one} {two} {id[7..]}")).Succeeds();
        // dockerd 20.10 writes an archive now in this order, now in that.
        Assert.True(Subject.IsReference || File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(file + ".2")), "save, load, save gives other bytes");
        (await Run($"rmi {one} {two}:a {two}:b")).Succeeds();
    }

    [Fact]
    public async Task Archives_of_docker_before_1_10_are_loaded()
    {
        Assert.SkipWhen(Subject.IsReference, "new releases of dockerd refuse them");
        string image = NewName(), low = new('1', 64), top = new('2', 64);
        byte[] archive = new TarMaker()
            .Folder(low).File($"{low}/VERSION", "1.0").File($"{low}/layer.tar", new TarMaker().File("low", "low\n").Finish())
            .File($"{low}/json", $$$"""{"id":"{{{low}}}","created":"2014-01-02T03:04:05Z","container_config":{"Cmd":["/bin/sh","-c","#(nop) ADD low"]}}""")
            .Folder(top).File($"{top}/VERSION", "1.0").File($"{top}/layer.tar", new TarMaker().File("top", image).Finish())
            .File($"{top}/json", $$"""{"id":"{{top}}","parent":"{{low}}","created":"2014-01-02T03:04:06Z","config":{"Cmd":["cat","/low"]},"architecture":"amd64","os":"linux"}""")
            .File("repositories", $$$"""{"{{{image}}}":{"old":"{{{top}}}"}}""").Finish();
        (await Cli.Run(["load"], archive)).Succeeds().Shows($"Loaded image: {image}:old");
        Assert.Equal("[cat /low] 2 linux", await Inspect("{{.Config.Cmd}} {{len .RootFS.Layers}} {{.Os}}", $"{image}:old"));
        Assert.Equal(["", "/bin/sh -c #(nop) ADD low"], (await Run($"history --no-trunc --format {{{{.CreatedBy}}}} {image}:old"))
            .Succeeds().Output.Split('\n'));
        (await Run($"rmi {image}:old")).Succeeds();

        byte[] own = new TarMaker().File($"{top}/layer.tar", new TarMaker().File("top", image).Finish())
            .File($"{top}/json", $$"""{"id":"{{top}}","parent":"{{top}}"}""").File("repositories", $$$"""{"{{{image}}}":{"old":"{{{top}}}"}}""").Finish();
        (await Cli.Run(["load"], own)).Exits(1).Complains("parents");
        (await Run($"images -q {image}")).Succeeds().Prints("");
    }

    [Fact]
    public async Task Of_several_platforms_the_wanted_one_is_loaded()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd 20.10 does not read OCI layouts");
        string image = NewName();
        var archive = new TarMaker();
        string Blob(byte[] content, string type, string more = "")
        {
            string hex = Convert.ToHexStringLower(SHA256.HashData(content));
            archive.File($"blobs/sha256/{hex}", content);
            return $$$"""{"mediaType":"application/vnd.oci.image.{{{type}}}","digest":"sha256:{{{hex}}}","size":{{{content.Length}}}{{{more}}}}""";
        }

        string Manifest(string architecture)
        {
            byte[] layer = new TarMaker().File("platform", architecture).Finish();
            string diff = Convert.ToHexStringLower(SHA256.HashData(layer));
            string config = Blob(Bytes($$$"""{"architecture":"{{{architecture}}}","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:{{{diff}}}"]}}"""), "config.v1+json");
            string manifest = $$"""{"schemaVersion":2,"config":{{config}},"layers":[{{Blob(layer, "layer.v1.tar")}}]}""";
            return Blob(Bytes(manifest), "manifest.v1+json", $$$""","platform":{"os":"linux","architecture":"{{{architecture}}}"}""");
        }

        static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);
        string index = Blob(Bytes($$"""{"schemaVersion":2,"manifests":[{{Manifest("arm64")}},{{Manifest("amd64")}},{{Manifest("s390x")}}]}"""), "index.v1+json",
            $$$""","annotations":{"io.containerd.image.name":"docker.io/library/{{{image}}}:1"}""");
        byte[] bytes = archive.File("oci-layout", """{"imageLayoutVersion":"1.0.0"}""").File("index.json", $$"""{"schemaVersion":2,"manifests":[{{index}}]}""").Finish();

        (await Cli.Run(["load", "--platform", "linux/arm64"], bytes)).Succeeds().Shows($"Loaded image: {image}:1");
        Assert.Equal("arm64", await Inspect("{{.Architecture}}", $"{image}:1"));
        (await Run($"rmi {image}:1")).Succeeds();
        (await Cli.Run(["load", "--platform", "linux/riscv64"], bytes)).Exits(1).Complains("linux/riscv64");
        string[] before = (await Run("images -q --no-trunc")).Succeeds().Lines;
        (await Cli.Run(["load"], bytes)).Succeeds().Shows($"Loaded image: {image}:1");
        Assert.Equal("amd64", await Inspect("{{.Architecture}}", $"{image}:1"));
        foreach (string id in (await Run("images -q --no-trunc")).Succeeds().Lines.Except(before))
        {
            if (await Inspect("{{.Architecture}} {{.RepoTags}}", id) is "arm64 []" or "s390x []"
                || id == await Inspect("{{.Id}}", $"{image}:1"))
                (await Run($"rmi -f {id}")).Succeeds();
        }
    }

    [Fact]
    public async Task A_platform_that_an_image_does_not_have_is_not_saved()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd 20.10 knows no --platform here");
        string image = NewName(), file = NewPath(image);
        await NewImage(image, options: "--platform linux/arm64");
        (await Run($"save --platform linux/arm64 -o {file} {image}")).Succeeds();
        (await Run($"save --platform linux/s390x -o {file}.2 {image}")).Exits(1)
            .Complains("does not provide the specified platform (linux/s390x)");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task An_archive_of_which_an_image_is_damaged_leaves_none()
    {
        string image = NewName();
        byte[] layer = new TarMaker().File("a", image).Finish();
        string diff = Convert.ToHexStringLower(SHA256.HashData(layer));
        byte[] archive = new TarMaker().File("l.tar", layer)
            .File("good.json", $$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:{{{diff}}}"]}}""")
            .File("bad.json", $$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:{{{diff[..^1]}}}{{{(diff[^1] == '0' ? '1' : '0')}}}"]}}""")
            .File("manifest.json", $$"""
                [{"Config":"good.json","RepoTags":["{{image}}:good"],"Layers":["l.tar"]},{"Config":"bad.json","RepoTags":["{{image}}:bad"],"Layers":["l.tar"]}]
                """).Finish();
        (await Cli.Run(["load"], archive)).Exits(1);
        Assert.SkipWhen(Subject.IsReference, "dockerd loads the images before the bad one");
        (await Run($"images -q {image}")).Succeeds().Prints("");
    }

    [Fact]
    public async Task An_archive_is_imported_from_a_web_server()
    {
        string image = NewName(), folder = Directory.CreateDirectory(NewPath(image)).FullName;
        int port = Own * 1000 + 801;
        File.WriteAllBytes($"{folder}/root.tar", new TarMaker().File("from", "the web").Finish());
        await using var server = new Running(Daemon.Machine.Inside("python3", "-u", "-m", "http.server", "-d", folder, "-b", "127.0.0.1",
            $"{port}"));
        await server.WaitForOutputAsync("Serving HTTP");
        (await Run($"import http://127.0.0.1:{port}/root.tar {image}")).Succeeds().Shows("Downloading from http://127.0.0.1:")
            .Shows("sha256:");
        Assert.Equal($"Imported from http://127.0.0.1:{port}/root.tar", await Inspect("{{.Comment}}", image));
        (await Run($"import http://127.0.0.1:{port}/none.tar {image}-2")).Exits(1).Complains("404");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Lists_are_filtered()
    {
        string image = NewName(), other = NewName();
        string id = (await NewImage($"{image}:a", options: $"--change 'LABEL own={image}'"))[7..19];
        (await Run($"tag {image}:a {image}:b")).Succeeds();
        (await Run($"tag {image}:a example.org/deep/{image}:c")).Succeeds();
        await NewImage(other);
        const string Names = "--format '{{.Repository}}:{{.Tag}}'";
        (await Run($"images {Names} {image}:b")).Succeeds().Prints($"{image}:b");
        (await Run($"images {Names} --filter reference=*/*/{image}")).Succeeds().Prints($"example.org/deep/{image}:c");
        (await Run($"images -q --filter label=own={image} --filter reference={image}:a")).Succeeds().Prints(id);
        (await Run($"images -q --filter since={image}:a {other}")).Succeeds().Shows(await Inspect("{{slice .Id 7 19}}", other));
        (await Run($"images -q --filter before={image}:a {other}")).Succeeds().Prints("");
        (await Run($"images {Names} --filter reference='{image[..^1]}[0-9]:[^b]'")).Succeeds().Prints($"{image}:a");
        (await Run($"images -q --filter until=1h --filter reference={image}")).Succeeds().Prints("");
        string dangling = await NewImage($"{other}:gone", "first");
        await NewImage($"{other}:gone", "second");
        (await Run($"images -q --no-trunc --filter dangling=true")).Succeeds().Shows(dangling);
        Assert.DoesNotContain(dangling, (await Run($"images --no-trunc --filter dangling=false")).Succeeds().Shows($"{other} ").Output, StringComparison.Ordinal);
        (await Run($"images -q --filter nonsense=1")).Exits(1).Complains("invalid filter");
        (await Run($"rmi -f {id} {other} {other}:gone {dangling}")).Succeeds();
    }

    [Fact]
    public async Task History_is_told_in_every_format()
    {
        string image = NewName();
        await using Container maker = Cleaned(NewName());
        (await Run($"run --name {maker} busybox sh -c 'echo 12345 >/{image}'")).Succeeds();
        string id = (await Run($"commit -m 'a comment' {maker} {image}")).Succeeds().Output;
        string[] lines = (await Run($"history {image}")).Succeeds().Lines;
        Assert.Matches(@"^IMAGE\s+CREATED\s+CREATED BY\s+SIZE\s+COMMENT", lines[0]);
        Assert.Equal(3, lines.Length);
        Assert.Matches($"^{id[7..19]} .* ago .* a comment$", lines[1]);
        Assert.Equal([id, await Inspect("{{.Id}}", "busybox")], (await Run($"history -q --no-trunc {image}")).Succeeds().Lines);
        (await Run($"history -H=false --format '{{{{.Size}}}} {{{{.Comment}}}}' {image}")).Succeeds().Shows("6 a comment");
        (await Run($"history --format json {image}")).Succeeds().Shows("\"Comment\":\"a comment\"");
        (await Run($"rmi {image}")).Succeeds();
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class ArchiveWithDockerTests(SharedDaemon shared) : ArchiveTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class ArchiveWithSampanTests(SharedDaemon shared) : ArchiveTests(shared, CommandLine.Sampan)
{
    [Fact]
    public async Task Images_are_a_tree_with_their_platforms()
    {
        string image = NewName();
        string id = (await NewImage(image, options: "--platform linux/arm64"))[7..19];
        string[] lines = (await Run($"image ls --tree {image}")).Succeeds().Lines;
        Assert.Matches(@"^IMAGE +ID +SIZE", lines[0]);
        Assert.StartsWith($"{image}:latest", lines[1]);
        Assert.Matches($"^└─ linux/arm64 +{id} ", lines[2]);
        (await Run("image ls --tree -q")).Exits(1).Complains("--quiet");
        (await Run($"rmi {image}")).Succeeds();
    }
}
