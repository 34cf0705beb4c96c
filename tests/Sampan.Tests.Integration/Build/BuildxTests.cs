using System.Formats.Tar;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>
/// Builds by Docker's own builder client: buildx, and compose, which speak BuildKit's API to the daemon (scripts/buildx.sh unpacks both).
/// </summary>
public sealed class BuildxTests(SharedDaemon shared) : SampanBuildTests(shared)
{
    [Fact]
    public async Task A_client_that_takes_its_time_before_its_first_call_is_served()
    {
        Assert.SkipWhen(Subject.IsReference, "it is Sampan's server of gRPC that is looked at");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Daemon.Socket));
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync("POST /grpc HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"u8.ToArray());
        byte[] answer = new byte[4096];
        int head = await stream.ReadAsync(answer);
        Assert.StartsWith("HTTP/1.1 101 ", Encoding.ASCII.GetString(answer, 0, head), StringComparison.Ordinal);

        // Longer than the second between two looks of the server at its connections.
        await Task.Delay(TimeSpan.FromSeconds(2.5));
        await stream.WriteAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0]);
        const byte settings = 4, acknowledged = 1;
        byte[] frame = new byte[9];
        do
        {
            await stream.ReadExactlyAsync(frame);
            await stream.ReadExactlyAsync(new byte[frame[0] << 16 | frame[1] << 8 | frame[2]]);
        }
        while (frame[3] != settings || frame[4] != acknowledged);
    }

    [Fact]
    public async Task An_image_is_built_with_arguments_labels_and_a_target()
    {
        string image = NewName(), folder = Folder((".dockerignore", "secret*\n!secret-not\n"), ("secret", "x"), ("secret-not", "y"), ("d/file", "content"), ("Dockerfile", """
            ARG WORD=none
            FROM busybox AS one
            ARG WORD
            COPY . /d/
            RUN echo "$WORD $(find /d -type f | sort | tr '\n' ' ')" >/result
            CMD cat /result
            FROM one AS two
            CMD echo two
            """));
        CommandResult built = (await Docker($"buildx build --progress plain --build-arg WORD=given --label l=v --target one -t {image} {folder}")).Succeeds();
        built.Complains("load build definition from Dockerfile").Complains("RUN echo").Complains("exporting to image").Complains($"naming to docker.io/library/{image}");
        (await Run($"run --rm {image}")).Succeeds().Prints("given /d/.dockerignore /d/Dockerfile /d/d/file /d/secret-not ");
        Assert.Equal("v", await Inspect("{{.Config.Labels.l}}", image));
        (await Docker($"buildx build --progress plain --build-arg WORD=given --label l=v --target one -t {image} {folder}")).Succeeds().Complains("CACHED");
    }

    [Fact]
    public async Task Docker_build_is_buildx_and_takes_a_Dockerfile_from_elsewhere()
    {
        string image = NewName(), folder = Folder(("c/f", "1"), ("other/My.Dockerfile", "FROM scratch\nCOPY f /\n"), ("other/My.Dockerfile.dockerignore", "x\n"));
        (await Docker($"build -q -f {folder}/other/My.Dockerfile -t {image} {folder}/c")).Succeeds().Shows("sha256:");
        (await Docker($"build - <{folder}/other/My.Dockerfile")).Fails().Complains("COPY");
        File.WriteAllText(Path.Combine(folder, "c/Dockerfile"), "FROM scratch\nCOPY f /\n");
        (await Docker($"build -q -t {image}-tar -", $"tar -C {folder}/c -cf - . |")).Succeeds();
        Assert.Equal(await Inspect("{{.RootFS.Layers}}", image), await Inspect("{{.RootFS.Layers}}", $"{image}-tar"));
    }

    [Fact]
    public async Task A_failed_step_shows_its_lines_and_its_output()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\n# comment\nRUN echo before && exit 7\n"));
        (await Docker($"buildx build --progress plain {folder}")).Exits(1)
            .Complains("before").Complains("Dockerfile:3").Complains("3 | >>> RUN echo before && exit 7").Complains("7");
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), "FROM busybox\nRNU true\n");
        (await Docker($"buildx build --progress plain {folder}")).Exits(1).Complains("2 | >>> RNU true").Complains("unknown instruction: RNU");
    }

    [Fact]
    public async Task Secrets_and_agents_are_asked_for_when_a_step_wants_them()
    {
        string image = NewName(), folder = Folder(("token", "of-the-file"), ("Dockerfile", """
            FROM busybox
            RUN --mount=type=secret,id=t,required cat /run/secrets/t | tr a-z A-Z >/result
            RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent
            RUN --mount=type=ssh,required test -S "$SSH_AUTH_SOCK" && echo agent >>/result
            CMD cat /result
            """));
        // Any socket is an agent as long as nobody asks it anything.
        string agent = $"export SSH_AUTH_SOCK={Daemon.Socket};";
        (await Docker($"buildx build --secret id=t,src={folder}/token --ssh default -t {image} {folder}", agent)).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("OF-THE-FILEagent");
        (await Docker($"buildx build --no-cache {folder}")).Exits(1).Complains("secret 't' is required");
    }

    [Fact]
    public async Task Files_and_archives_go_to_the_client()
    {
        string folder = Folder(("Dockerfile", "FROM busybox AS b\nRUN mkdir /d && echo 1 >/d/f && ln -s f /d/l && ln /d/f /d/h && chmod 750 /d\nFROM scratch\nCOPY --from=b /d /d\n"));
        File.AppendAllText(Path.Combine(folder, "Dockerfile"), $"LABEL own={Guid.NewGuid()}\n");
        (await Docker($"buildx build -o {folder}/out {folder}")).Succeeds();
        Assert.Equal("1\n", File.ReadAllText($"{folder}/out/d/f"));
        Assert.Equal("f", new FileInfo($"{folder}/out/d/l").LinkTarget);
        Assert.Equal((UnixFileMode)0b111_101_000, File.GetUnixFileMode($"{folder}/out/d"));
        (await Docker($"buildx build -o type=tar,dest={folder}/o.tar {folder}")).Succeeds();
        using (var tar = new TarReader(File.OpenRead($"{folder}/o.tar")))
            Assert.Equal("d/", tar.GetNextEntry()!.Name);
        (await Docker($"buildx build -o type=oci,dest={folder}/oci.tar {folder}")).Succeeds();
        string image = NewName();
        (await Docker($"buildx build -t {image} -o type=docker,dest={folder}/docker.tar {folder}")).Succeeds();

        // Nothing stays of it: not the name, and when the clients have gone not the image either.
        (await Run($"inspect {image}")).Fails();
        string id = JsonNode.Parse((await Daemon.Machine.ShellAsync($"tar -xOf {folder}/oci.tar manifest.json", 20)).Succeeds().Output)![0]!["Config"]!.ToString()[^64..];
        await Eventually.IsTrue(async () => !(await Run("images -aq --no-trunc")).Output.Contains(id), 20, () => $"image {id} stays");
        (await Run($"load -i {folder}/docker.tar")).Succeeds().Shows(image);
        (await Run($"load -i {folder}/oci.tar")).Succeeds().Shows(id);
    }

    [Fact]
    public async Task The_image_is_told_and_pushed()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/{NewName()}", folder = Folder(("Dockerfile", $"FROM busybox\nRUN echo {Guid.NewGuid()} >/f\n"));
        (await Docker($"buildx build --push --iidfile {folder}/iid --metadata-file {folder}/meta -t {image}:1 {folder}")).Succeeds();
        Assert.Equal(await Inspect("{{.Id}}", $"{image}:1"), File.ReadAllText($"{folder}/iid"));
        JsonNode meta = JsonNode.Parse(File.ReadAllText($"{folder}/meta"))!;
        Assert.Equal(await Inspect("{{.Id}}", $"{image}:1"), (string)meta["containerimage.config.digest"]!);
        Assert.Equal($"{image}:1", (string)meta["image.name"]!);
        Assert.True(registry.Count("PUT", $"/v2/{image.Split('/')[1]}/manifests/1") > 0);
        (await Docker($"buildx build --cache-to type=registry,ref={image}:cache --cache-from type=registry,ref={image}:cache -t {image}:2 {folder}")).Succeeds();
        Assert.True(registry.Count("PUT", $"/v2/{image.Split('/')[1]}/manifests/cache") > 0);
    }

    [Fact]
    public async Task Rights_of_steps_are_granted_by_the_client()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\nRUN --security=insecure --network=host mount -t tmpfs none /mnt && echo mounted; ls /sys/class/net\n"));
        (await Docker($"buildx build {folder}")).Exits(1).Complains("RUN --security=insecure is not allowed");
        (await Docker($"buildx build --allow security.insecure {folder}")).Exits(1).Complains("RUN --network=host is not allowed");
        (await Docker($"buildx build --progress plain --no-cache --allow security.insecure --allow network.host {folder}")).Succeeds().Complains("mounted").Complains("sampan0");
        (await Run($"build --allow security.insecure {folder}")).Exits(1).Complains("RUN --network=host is not allowed");
        (await Run($"build --no-cache --allow security.insecure --allow network.host {folder}")).Succeeds().Shows("mounted").Shows("sampan0");
        (await Run($"build --allow everything {folder}")).Fails().Complains("unknown right 'everything'");
    }

    [Fact]
    public async Task Contexts_by_name_and_linked_targets_of_bake()
    {
        string image = NewName(), folder = Folder(("more/f", "named"), ("c/Dockerfile", "FROM base\nCOPY --from=more f /f\n"), ("b/Dockerfile", "FROM busybox\nRUN echo base >/base\n"),
            ("docker-bake.json", $$"""
            {"target": {
                "base": { "context": "b" },
                "app": { "context": "c", "contexts": { "base": "target:base", "more": "more" }, "tags": ["{{image}}"] }
            } }
            """));
        (await Docker($"buildx bake -f docker-bake.json app", $"cd {folder};")).Succeeds();
        (await Run($"run --rm {image} cat /base /f")).Succeeds().Prints("base\nnamed");
    }

    [Fact]
    public async Task Compose_builds_and_starts()
    {
        string project = NewName(), folder = Folder(("app/Dockerfile", "FROM busybox\nARG WORD\nRUN echo built with $WORD >/f\nCMD cat /f\n"),
            ("compose.yaml", "services:\n  app:\n    build:\n      context: app\n      args: {WORD: compose}\n    network_mode: none\n"));
        (await Docker($"compose -p {project} build", $"cd {folder};")).Succeeds();
        (await Docker($"compose -p {project} up --build --abort-on-container-exit", $"cd {folder};")).Succeeds().Shows("built with compose");
        (await Docker($"compose -p {project} down --rmi local", $"cd {folder};")).Succeeds();
    }

    [Fact]
    public async Task A_build_that_is_interrupted_leaves_nothing()
    {
        string folder = Folder(("Dockerfile", $"FROM busybox\nRUN echo {Guid.NewGuid()} && sleep 471\n"));
        CommandResult stopped = await Docker($"buildx build --progress plain {folder}", "timeout -s INT 4");
        Assert.NotEqual(0, stopped.ExitCode);
        Assert.Contains("sleep 471", stopped.Error);
        await Eventually.IsTrue(async () => !(await Daemon.Machine.ShellAsync("ps -ef | grep '[s]leep 471'", 10)).Output.Contains("sleep 471"), 20, () => "the step goes on");
    }

    [Fact]
    public async Task The_cache_is_listed_and_what_cannot_be_done_is_said()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\nRUN true\n"));
        (await Docker($"buildx build {folder}")).Succeeds();
        (await Docker("buildx du --verbose")).Succeeds().Shows("RUN").Shows("Reclaimable:");
        (await Docker($"buildx build --platform linux/amd64,linux/arm64 {folder}")).Exits(1).Complains("one platform");
        foreach (string attestation in new[] { "--sbom=true", "--provenance=mode=max", "--attest type=sbom" })
            (await Docker($"buildx build {attestation} {folder}")).Exits(1).Complains("Attestations are not supported");
        (await Docker($"buildx build --cache-to type=azblob,name=n {folder}")).Exits(1).Complains("cache to type=azblob is not supported");
        (await Docker("buildx inspect")).Succeeds().Shows("linux/amd64");
    }
}
