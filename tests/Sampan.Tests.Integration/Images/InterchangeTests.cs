using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>
/// Debian's dockerd, podman, skopeo and umoci take images from Sampan and give them back, by archives and through docker-registry: with
/// the same configuration, the same layers and the same files.
/// </summary>
public sealed class InterchangeTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Sampan), IAsyncLifetime
{
    private string _folder = "";
    private string _image = "";
    private string _archive = "";

    /// <summary>What must be the same everywhere.</summary>
    private const string Essence = "{{.RootFS.Layers}} {{.Config.Cmd}} {{.Config.Env}} {{.Config.Labels}} {{.Architecture}} {{.Os}} {{.Author}}";

    // Modes, owners, links, what a layer removes and replaces.
    private const string Changes = "mkdir -p /data/sub /gone && echo one >/data/one && ln /data/one /data/two && ln -s ../bin /data/link && chmod 4711 /data/one"
        + " && echo x >/data/sub/x && chown 1234:5678 /data/sub/x && touch -d 2001-02-03 /data/sub/x && rm /etc/group && rm -r /var && mkdir /var && touch /var/new";

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(Subject.IsReference, "the reference is one of the peers");
        _folder = Directory.CreateDirectory(Path.Combine(Daemon.Machine.Folder, NewName("i"))).FullName;
        _image = $"example.org/{NewName("team")}/app:1";
        _archive = Path.Combine(_folder, "sampan.tar");
        await using Container maker = Cleaned(NewName("maker"));
        (await Run($"run --name {maker} busybox sh -c '{Changes}'")).Succeeds();
        (await Cli.Run(["commit", "-a", "a tester", "-c", "CMD [\"cat\", \"/data/one\"]", "-c", "ENV A=b", "-c", "LABEL l=m", maker.Name,
            _image])).Succeeds();
        (await Run($"save -o {_archive} {_image}")).Succeeds();
    }

    public async ValueTask DisposeAsync()
    {
        if (_image.Length > 0)
            await Run($"rmi -f {_image}");
    }

    [Fact]
    public async Task Dockerd_loads_pulls_saves_and_pushes_it()
    {
        await using Running dockerd = await Dockerd();
        var docker = new Cli(Path.Combine(Subject.ReferenceBin, "docker"), $"unix://{_folder}/docker.sock");
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string id = await Inspect("{{.Id}} " + Essence, _image);
        (await docker.Run($"load -i {_archive}")).Succeeds().Shows($"Loaded image: {_image}");
        (await docker.Run(["inspect", "--format", "{{.Id}} " + Essence, _image])).Succeeds().Prints(id);
        Assert.Equal(await Files(await Exported(Cli)), await Files(await Exported(docker)));

        (await docker.Run($"save -o {_folder}/docker.tar {_image}")).Succeeds();
        await LoadedAgain($"{_folder}/docker.tar", id, "{{.Id}} " + Essence);
        (await Run($"save -o {_folder}/again.tar {_image}")).Succeeds();
        Assert.True(File.ReadAllBytes(_archive).AsSpan().SequenceEqual(File.ReadAllBytes($"{_folder}/again.tar")),
            "save, load, save gives other bytes");

        string there = $"{registry.Address}/app:1";
        (await Run($"tag {_image} {there}")).Succeeds();
        (await Run($"push -q {there}")).Succeeds();
        (await docker.Run($"rmi -f {_image}")).Succeeds();
        (await docker.Run($"pull {there}")).Succeeds();
        (await docker.Run(["inspect", "--format", "{{.Id}} " + Essence, there])).Succeeds().Prints(id);
        string back = $"{registry.Address}/back:1";
        (await docker.Run($"tag {there} {back}")).Succeeds();
        (await docker.Run($"push {back}")).Succeeds();
        (await Run($"rmi -f {_image} {there}")).Succeeds();
        (await Run($"pull {back}")).Succeeds();
        Assert.Equal(id, await Inspect("{{.Id}} " + Essence, back));
        (await Run($"rmi -f {back}")).Succeeds();
    }

    [Fact]
    public async Task Podman_loads_pulls_saves_and_pushes_it()
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string id = await Inspect("{{.Id}} " + Essence, _image);
        string there = $"{registry.Address}/app:1", back = $"{registry.Address}/back:1";
        (await Run($"tag {_image} {there}")).Succeeds();
        (await Run($"push -q {there}")).Succeeds();
        await Peers($"""
            podman load -i sampan.tar
            test "$(podman image inspect --format '{Essence}' {_image})" = '{id[(id.IndexOf(' ') + 1)..]}'
            podman save --format docker-archive -o docker.tar {_image}
            podman save --format oci-archive -o oci.tar {_image}
            ( cd $(podman image mount {_image}) && {Listing} ) >podman.txt
            podman rmi -f {_image}
            podman pull --tls-verify=false {there}
            test sha256:$(podman image inspect --format '{"{{.Id}}"}' {there}) = {id.Split(' ')[0]}
            podman push --tls-verify=false {there} {back}
            """);
        Assert.Equal(await Files(await Exported(Cli)), File.ReadAllText($"{_folder}/podman.txt"));
        await LoadedAgain($"{_folder}/docker.tar", id, "{{.Id}} " + Essence);
        await LoadedAgain($"{_folder}/oci.tar", id, "{{.Id}} " + Essence);
        (await Run($"rmi -f {_image} {there}")).Succeeds();
        (await Run($"pull {back}")).Succeeds();
        Assert.Equal(id, await Inspect("{{.Id}} " + Essence, back));
        (await Run($"rmi -f {back}")).Succeeds();
    }

    [Theory]
    [InlineData("docker-archive", "gzip", "v2s2")]
    [InlineData("oci-archive", "gzip", "oci")]
    [InlineData("oci-archive", "zstd", "oci")]
    public async Task Skopeo_copies_it_to_all_formats_and_back(string format, string compression, string manifest)
    {
        await using Registry registry = await Registry.StartAsync(Daemon.Machine);
        string essence = await Inspect(Essence, _image);
        await Peers($"""
            skopeo copy docker-archive:sampan.tar {format}:skopeo.tar:{_image}
            skopeo copy --dest-tls-verify=false --format {manifest} --dest-compress-format {compression} {format}:skopeo.tar:{_image} docker://{registry.Address}/skopeo:1
            """);
        await LoadedAgain($"{_folder}/skopeo.tar", essence, Essence);
        (await Run($"rmi -f {_image}")).Succeeds();
        (await Run($"pull {registry.Address}/skopeo:1")).Succeeds();
        Assert.Equal(essence, await Inspect(Essence, $"{registry.Address}/skopeo:1"));

        // What was pulled is pushed as it came, and read by skopeo again.
        (await Run($"tag {registry.Address}/skopeo:1 {registry.Address}/other:1")).Succeeds();
        (await Run($"push {registry.Address}/other:1")).Succeeds().Shows("Mounted from skopeo");
        await Peers($"skopeo copy --src-tls-verify=false docker://{registry.Address}/other:1 {format}:other.tar:{_image}");
        (await Run($"rmi -f {registry.Address}/skopeo:1 {registry.Address}/other:1")).Succeeds();
        await LoadedAgain($"{_folder}/other.tar", essence, Essence);
    }

    [Fact]
    public async Task Umoci_unpacks_it_and_adds_a_layer()
    {
        await Peers($"""
            mkdir layout && tar -C layout -xf sampan.tar
            umoci unpack --image layout:1 bundle
            ( cd bundle/rootfs && {Listing} ) >umoci.txt
            echo more >bundle/rootfs/more && umoci repack --image layout:2 bundle
            umoci config --image layout:2 --config.cmd cat --config.cmd /more
            umoci rm --image layout:1
            rm layout/manifest.json layout/repositories && tar -C layout -cf umoci.tar .
            """);
        Assert.Equal(await Files(await Exported(Cli)), File.ReadAllText($"{_folder}/umoci.txt"));
        (await Run($"rmi -f {_image}")).Succeeds();
        (await Run($"load -i {_folder}/umoci.tar")).Succeeds().Shows("Loaded image");
        (await Run($"run --rm {_image}")).Succeeds().Prints("more");
    }

    /// <summary>Debian's dockerd, without a network of its own.</summary>
    private async Task<Running> Dockerd()
    {
        System.Diagnostics.ProcessStartInfo start = Daemon.Machine.Inside("dockerd", "--data-root", $"{_folder}/docker", "--exec-root",
            $"{_folder}/docker-run",
            "--pidfile", $"{_folder}/docker.pid", "-H", $"unix://{_folder}/docker.sock", "--storage-driver", "vfs", "--bridge", "none",
            "--iptables=false",
            "--ip-forward=false");
        start.Environment["PATH"] = Subject.ReferenceBin + ":" + Environment.GetEnvironmentVariable("PATH");
        var dockerd = new Running(start);
        await Eventually.IsTrue(() => dockerd.HasExited || dockerd.ErrorSoFar.Contains("API listen on", StringComparison.Ordinal), 60,
            () => dockerd.ErrorSoFar);
        return dockerd;
    }

    // What every engine puts into a container by itself.
    private const string OfEngines = "find . \\( -path ./dev -o -path ./proc -o -path ./sys -o -path ./.dockerenv -o -path ./etc/hosts -o -path ./etc/hostname"
        + " -o -path ./etc/resolv.conf -o -path ./etc/mtab \\) -prune -o";

    /// <summary>Everything about the files of a folder but times of folders.</summary>
    private const string Listing = OfEngines + " -printf '%P %y %m %U %G %n %l\\n' | sed -E 's/^(.* d [0-7]+ [0-9]+ [0-9]+) [0-9]+ /\\1 /' | sort; "
        + OfEngines + " -type f -printf '%P %T@\\n' | sort; " + OfEngines + " -type f -exec sha256sum {} + | sort";

    private async Task<string> Files(string folder) => (await Daemon.Machine.ShellAsync($"cd {folder} && {Listing}"))
        .Succeeds().Output + "\n";

    /// <summary>The image's files in a folder, by an export of a container that never ran.</summary>
    private async Task<string> Exported(Cli cli)
    {
        string folder = Directory.CreateDirectory($"{_folder}/{NewName("export")}").FullName;
        string name = Path.GetFileName(folder);
        (await cli.Run($"create --network none --name {name} {_image}")).Succeeds();
        (await cli.Run($"export -o {folder}.tar {name}")).Succeeds();
        (await cli.Run($"rm {name}")).Succeeds();
        (await Daemon.Machine.ShellAsync($"tar -C {folder} -xpf {folder}.tar")).Succeeds();
        return folder;
    }

    private async Task LoadedAgain(string archive, string expected, string template)
    {
        await Run($"rmi -f {_image}");
        (await Run($"load -i {archive}")).Succeeds().Shows($"Loaded image: {_image}");
        Assert.Equal(expected, await Inspect(template, _image));
    }

    /// <summary>Runs lines of the peers' commands in the test's folder.</summary>
    private async Task Peers(string script)
    {
        await File.WriteAllTextAsync($"{_folder}/script", $$"""
            set -e; cd {{_folder}}; PATH={{Subject.PeersBin}}:$PATH; export HOME={{_folder}}
            mkdir -p .config/containers && cp {{Subject.PeersBin}}/../policy.json .config/containers/
            podman() { command podman --root $HOME/podman --runroot $HOME/podman-run --storage-driver vfs --cgroup-manager cgroupfs "$@"; }
            {{script}}
            """);
        (await Daemon.Machine.ShellAsync($"unset DOCKER_CONFIG; bash {_folder}/script", timeoutSeconds: 120)).Succeeds();
    }
}
