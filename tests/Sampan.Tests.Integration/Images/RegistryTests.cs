using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>Images to and from Debian's docker-registry on loopback.</summary>
public abstract class RegistryTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    // What `htpasswd -nbB tester secret` prints.
    private const string Htpasswd = "tester:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

    private async Task<string> NewImage(string name, string content = "x")
    {
        byte[] tar = new TarMaker().File("file", content).Finish();
        return (await Cli.Run(["import", "--change", "CMD [\"/file\"]", "-", name], tar)).Succeeds().Output;
    }

    [Fact]
    public async Task A_pushed_image_is_pulled_back_as_it_was()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/team/{NewName()}";
        await using Container maker = Cleaned(NewName());
        (await Run($"run --name {maker} busybox sh -c 'echo new >/new; rm /etc/group; ln -s new /link'")).Succeeds();
        (await Run($"commit {maker} {image}")).Succeeds();
        string id = await Inspect("{{.Id}} {{.RootFS.Layers}} {{.Config.Cmd}}", image);
        (await Run($"push {image}")).Succeeds().Shows("Using default tag: latest").Shows("latest: digest: sha256:");
        string digest = await Inspect("{{index .RepoDigests 0}}", image);
        (await Run($"rmi {image}")).Succeeds().Shows($"Untagged: {digest}");
        (await Run($"pull {image}")).Succeeds().Shows($"Digest: {digest[^71..]}")
            .Shows($"Status: Downloaded newer image for {image}:latest");
        (await Run($"pull {image}")).Succeeds().Shows($"Status: Image is up to date for {image}:latest");
        Assert.Equal(id, await Inspect("{{.Id}} {{.RootFS.Layers}} {{.Config.Cmd}}", image));
        (await Run($"run --rm {image} sh -c 'cat /link; ls /etc/group'")).Exits(1).Prints("new");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task All_tags_go_and_come_together()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/{NewName()}";
        await NewImage($"{image}:one", "1");
        await NewImage($"{image}:two", "2");
        (await Run($"push -a {image}:one")).Exits(1).Complains("tag can't be used with --all-tags/-a");
        (await Run($"push -a {image}")).Succeeds().Shows("one: digest: sha256:").Shows("two: digest: sha256:");
        (await Run($"rmi -f {image}:one {image}:two")).Succeeds();
        (await Run($"pull -a {image}")).Succeeds();
        (await Run($"images --format '{{{{.Tag}}}}' {image}")).Succeeds().Shows("one").Shows("two");
        (await Run($"rmi -f {image}:one {image}:two")).Succeeds();
    }

    [Fact]
    public async Task Quiet_prints_the_name_alone()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/{NewName()}";
        await NewImage(image);
        (await Run($"push -q {image}")).Succeeds().Prints($"{image}:latest");
        (await Run($"rmi -f {image}")).Succeeds();
        (await Run($"pull -q {image}")).Succeeds().Prints($"{image}:latest");
        (await Run($"rmi -f {image}")).Succeeds();
    }

    [Fact]
    public async Task An_image_is_pulled_by_its_digest()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/{NewName()}";
        string id = await NewImage(image);
        (await Run($"push {image}")).Succeeds();
        string byDigest = await Inspect("{{index .RepoDigests 0}}", image);
        (await Run($"rmi -f {image}")).Succeeds();
        (await Run($"pull {byDigest}")).Succeeds().Shows($"Status: Downloaded newer image for {byDigest}");
        Assert.Equal($"{id} []", await Inspect("{{.Id}} {{.RepoTags}}", byDigest));
        Assert.Contains($"<none> {byDigest[^71..]}", (await Run($"images --digests --format '{{{{.Tag}}}} {{{{.Digest}}}}' {image}"))
            .Succeeds().Lines);
        (await Run($"pull {image}@sha256:{new string('0', 64)}")).Exits(1).Complains("manifest unknown");
        (await Run($"rmi {byDigest}")).Succeeds();
    }

    [Fact]
    public async Task What_is_not_there_is_told()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/{NewName()}";
        (await Run($"pull {image}")).Exits(1).Complains($"manifest for {image}:latest not found: manifest unknown");
        (await Run($"push {image}")).Exits(1).Complains($"An image does not exist locally with the tag: {image}");
        (await Run($"tag busybox {image}:there")).Succeeds();
        (await Run($"push {image}")).Exits(1).Complains($"tag does not exist: {image}:latest");
        (await Run($"rmi {image}:there")).Succeeds();
        (await Run("pull a@sha256:12")).Exits(1).Complains("invalid reference format");
        (await Run("pull 127.0.0.1:1/x")).Exits(1).Complains("connection refused");
        (await Run($"run --rm --pull never {image}")).Exits(125).Complains($"No such image: {image}");
    }

    [Fact]
    public async Task Run_pulls_as_it_is_told()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/{NewName()}";
        (await Run($"tag busybox {image}")).Succeeds();
        (await Run($"push -q {image}")).Succeeds();
        (await Run($"rmi {image}")).Succeeds();
        (await Run($"run --rm {image} echo well")).Succeeds().Prints("well").Complains($"Unable to find image '{image}:latest' locally");
        int asked = registry.Requests().Count();
        (await Run($"run --rm --pull missing {image} echo well")).Succeeds().Prints("well");
        Assert.Equal(asked, registry.Requests().Count());
        (await Run($"run --rm --pull always {image} echo well")).Succeeds().Prints("well").Complains("Image is up to date");
        Assert.NotEqual(asked, registry.Requests().Count());
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Only_who_is_logged_in_gets_at_a_private_registry()
    {
        string htpasswd = Path.Combine(Daemon.Folder, NewName());
        await File.WriteAllTextAsync(htpasswd, Htpasswd + "\n");
        await using Registry registry = await Registry.StartAsync(Daemon.Machine,
            more: $"auth: {{htpasswd: {{realm: tests, path: {htpasswd}}}}}");
        string image = $"{registry.Address}/{NewName()}";
        Cli user = Cli.With(Directory.CreateDirectory(htpasswd + "-config").FullName, Daemon.Machine);
        await NewImage(image);
        (await user.Run($"push {image}")).Exits(1).Complains("no basic auth credentials");
        (await user.Run($"login -u tester --password-stdin {registry.Address}", "wrong")).Exits(1).Complains("unauthorized");
        (await user.Run($"login -u tester --password-stdin {registry.Address}", "secret\n")).Succeeds().Shows("Login Succeeded");
        (await user.Run($"push {image}")).Succeeds();
        (await user.Run($"rmi -f {image}")).Succeeds();
        (await user.Run($"pull {image}")).Succeeds();
        (await user.Run($"logout {registry.Address}")).Succeeds().Prints($"Removing login credentials for {registry.Address}");
        (await user.Run($"pull {image}")).Exits(1).Complains("no basic auth credentials");
        (await Run($"rmi -f {image}")).Succeeds();
    }

    [Fact]
    public async Task A_credential_helper_keeps_what_login_was_told()
    {
        const string Helper = """
            #!/bin/sh
            kept=$(dirname "$0")/kept
            case $1 in
                store) cat >"$kept" ;;
                get) cat >/dev/null; [ -e "$kept" ] && cat "$kept" || { echo 'credentials not found in native keychain'; exit 1; } ;;
                erase) cat >/dev/null; rm -f "$kept" ;;
                list) echo '{}' ;;
            esac
            """;
        string folder = Directory.CreateDirectory(Path.Combine(Daemon.Folder, NewName())).FullName;
        await File.WriteAllTextAsync($"{folder}/htpasswd", Htpasswd + "\n");
        await using Registry registry = await Registry.StartAsync(Daemon.Machine, more: $"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}");
        string image = $"{registry.Address}/{Path.GetFileName(folder)}";
        await File.WriteAllTextAsync($"{folder}/docker-credential-tests", Helper);
        File.SetUnixFileMode($"{folder}/docker-credential-tests", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await File.WriteAllTextAsync($"{folder}/config.json", $$$"""{"credHelpers":{"{{{registry.Address}}}":"tests"}}""");
        Cli user = Cli.With(folder, Daemon.Machine);
        await NewImage(image);
        (await user.Run($"login -u tester --password-stdin {registry.Address}", "secret")).Succeeds().Shows("Login Succeeded");
        Assert.Contains("\"Username\":\"tester\"", await File.ReadAllTextAsync($"{folder}/kept"));
        Assert.DoesNotContain("\"auth\"", await File.ReadAllTextAsync($"{folder}/config.json"));
        (await user.Run($"push {image}")).Succeeds();
        (await user.Run($"logout {registry.Address}")).Succeeds();
        Assert.False(File.Exists($"{folder}/kept"));
        (await user.Run($"push {image}")).Exits(1).Complains("no basic auth credentials");
        (await Run($"rmi -f {image}")).Succeeds();
    }

    [Fact]
    public async Task A_layer_is_mounted_from_another_repository_and_not_sent_twice()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string first = NewName(), second = NewName();
        await NewImage($"{registry.Address}/{first}", first);
        (await Run($"tag {registry.Address}/{first} {registry.Address}/{second}")).Succeeds();
        (await Run($"push {registry.Address}/{first}")).Succeeds().Shows(": Pushed");
        (await Run($"push {registry.Address}/{second}")).Succeeds().Shows($": Mounted from {first}");
        (await Run($"push {registry.Address}/{second}")).Succeeds().Shows(": Layer already exists");
        (await Run($"rmi -f {registry.Address}/{first} {registry.Address}/{second}")).Succeeds();
    }

    [Fact]
    public async Task Two_pulls_of_a_layer_fetch_it_once()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string name = NewName(), image = $"{registry.Address}/{name}";
        (await Cli.Run(["import", "-", image], new TarMaker().File("big", new string('x', 30_000_000)).File("which", image).Finish())).Succeeds();
        (await Run($"tag {image} {image}:again")).Succeeds();
        (await Run($"push -a {image}")).Succeeds();
        string id = await Inspect("{{.Id}}", image);
        (await Run($"rmi -f {image} {image}:again")).Succeeds();

        await using Daemon empty = await Kit.Daemon.StartOnAsync(Daemon.Machine, name);
        Cli cli = Cli == Daemon.Docker ? empty.Docker : empty.Sampan;
        foreach (CommandResult pull in await Task.WhenAll(cli.Run($"pull {image}"), cli.Run($"pull {image}:again")))
            pull.Succeeds().Shows("Digest: sha256:");

        // Each may ask for the configuration, whose digest is the image's; what else was fetched is the layer.
        Assert.Single(registry.Requests(), r => r.StartsWith("GET", StringComparison.Ordinal) && r.Contains("/blobs/") && !r.Contains(id));
    }

    [Fact]
    public async Task An_index_is_put_together_and_the_platform_that_fits_is_pulled()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd 20.10 imports for its own platform alone");
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string image = $"{registry.Address}/{NewName()}", arm = $"{registry.Address}/{NewName()}:arm";
        Cli user = Cli.With(Directory.CreateDirectory(Path.Combine(Daemon.Folder, NewName())).FullName, Daemon.Machine);
        foreach (string platform in (string[])["amd64", "arm64"])
        {
            string name = platform == "arm64" ? arm : $"{image}:amd";
            (await Cli.Run(["import", "--platform", $"linux/{platform}", "-", name], new TarMaker().File("platform", platform).Finish()))
                .Succeeds();
            (await Run($"push {name}")).Succeeds();
        }

        (await user.Run($"manifest create --insecure {image}:all {image}:amd {arm}")).Succeeds()
            .Prints($"Created manifest list {image}:all");
        (await user.Run($"manifest create --insecure {image}:all {arm}")).Exits(1).Complains("--amend");
        (await user.Run($"manifest annotate {image}:all {arm} --variant v8")).Succeeds();
        (await user.Run($"manifest inspect --insecure {image}:all")).Succeeds().Shows("\"architecture\": \"arm64\"")
            .Shows("\"variant\": \"v8\"");
        Assert.Matches("^sha256:[0-9a-f]{64}$", (await user.Run($"manifest push --insecure --purge {image}:all")).Succeeds().Lines[^1]);
        (await user.Run($"manifest inspect --insecure {image}:all")).Succeeds().Shows("\"manifests\": [").Shows("\"variant\": \"v8\"");
        (await user.Run($"manifest inspect --insecure -v {image}:amd")).Succeeds().Shows("\"Ref\": ").Shows("\"layers\": [");
        (await user.Run($"manifest rm {image}:all")).Exits(1).Complains("no such manifest");
        (await user.Run($"manifest inspect --insecure {image}:none")).Exits(1).Complains("no such manifest");

        (await Run($"rmi -f {image}:amd {arm}")).Succeeds();
        (await Run($"pull {image}:all")).Succeeds();
        Assert.Equal("amd64", await Inspect("{{.Architecture}}", $"{image}:all"));
        (await Run($"pull --platform linux/arm64 {image}:all")).Succeeds();
        Assert.Equal("arm64", await Inspect("{{.Architecture}}", $"{image}:all"));
        (await Run($"pull --platform linux/s390x {image}:all")).Exits(1).Complains("no matching manifest for linux/s390x");
        Assert.Equal("arm64", await Inspect("{{.Architecture}}", $"{image}:all"));
        (await Run($"rmi -f {image}:all")).Succeeds();
    }

    // A registry whose layer never ends.
    private const string Stalling = """
        import http.server, os, sys, time
        folder, port = sys.argv[1], int(sys.argv[2])
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            def do_GET(self):
                name = os.path.join(folder, os.path.basename(self.path) or 'root')
                body = open(name, 'rb').read() if os.path.exists(name) else b''
                self.send_response(200 if body else 404)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                if len(body) < 100000:
                    self.wfile.write(body)
                    return
                self.wfile.write(body[:len(body) // 2])
                print('half', flush=True)
                time.sleep(1000)
        http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler).serve_forever()
        """;

    [Fact]
    public async Task A_pull_that_is_given_up_leaves_nothing()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd's store is laid out otherwise");
        string name = NewName(), folder = Directory.CreateDirectory(Path.Combine(Daemon.Folder, name)).FullName,
            image = $"127.0.0.1:{Own * 1000 + 802}/{name}";
        string Blob(byte[] content, string type)
        {
            string digest = $"sha256:{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content))}";
            File.WriteAllBytes(Path.Combine(folder, digest), content);
            return $$"""{"mediaType":"application/vnd.oci.image.{{type}}","digest":"{{digest}}","size":{{content.Length}}}""";
        }

        string layer = Blob(new TarMaker().File($"{name}-file", "first").File("filler", new string('x', 4_000_000)).Finish(),
            "layer.v1.tar");
        string diffId = layer.Split('"')[7];
        string config = Blob(System.Text.Encoding.UTF8.GetBytes(
            $$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{diffId}}}"]}}"""), "config.v1+json");
        await File.WriteAllTextAsync(Path.Combine(folder, "latest"), $$"""{"schemaVersion":2,"config":{{config}},"layers":[{{layer}}]}""");
        await using var server = new Running(Daemon.Machine.Inside("python3", "-c", Stalling, folder, image.Split(':', '/')[1]));
        async Task<string> Unpacked() => (await Daemon.Machine.ShellAsync(
            $"cd {Daemon.DataRoot}; ls -d layers/*/diff/{name}-file tmp/*/{name}-file tmp/*/diff/{name}-file 2>/dev/null; true")).Output;

        await Eventually.IsTrue(async () => (await Daemon.Machine.ShellAsync(
            $"grep -q :{int.Parse(image.Split(':', '/')[1]):X4} /proc/net/tcp")).ExitCode == 0, 30, () => server.ErrorSoFar);
        await using Running pull = Cli.Begin($"pull {image}");
        await server.WaitForOutputAsync("half");
        await Eventually.IsTrue(async () => await Unpacked() != "", 30, () => "the layer is being unpacked");
        pull.Signal(9);
        await Eventually.IsTrue(async () => await Unpacked() == "", 30, () => "nothing is left of the layer");
        (await Run($"images -q {image}")).Succeeds().Prints("");
    }

    [Fact]
    public async Task A_private_registry_is_searched()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd searches docker.io's index alone");
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string name = NewName();
        await NewImage($"{registry.Address}/tools/{name}");
        (await Run($"push -q {registry.Address}/tools/{name}")).Succeeds();
        (await Run($"search --format '{{{{.Name}}}}' {registry.Address}/{name[..^2]}")).Succeeds()
            .Prints($"{registry.Address}/tools/{name}");
        (await Run($"search --limit 200 {registry.Address}/x")).Exits(1).Complains("limit");
        (await Run($"rmi -f {registry.Address}/tools/{name}")).Succeeds();
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class RegistryWithDockerTests(SharedDaemon shared) : RegistryTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class RegistryWithSampanTests(SharedDaemon shared) : RegistryTests(shared, CommandLine.Sampan);
