using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build.Corpus;

/// <summary>Debian's dockerd (its classic builder) and buildah on a machine of their own, with the base image that the corpus builds on.</summary>
public sealed class OtherBuilders : IAsyncLifetime
{
    private readonly Machine _machine = new();
    private Running? _dockerd;
    private Running? _buildkit;

    /// <summary>Docker's command line on dockerd.</summary>
    public Cli Docker => new(Path.Combine(Subject.ReferenceBin, "docker"), $"unix://{_machine.Folder}/docker.sock");

    /// <summary>Docker's command line, with buildx, on the newer dockerd.</summary>
    public Cli Buildkit => new(Subject.Docker, $"unix://{_machine.Folder}/buildkit.sock", Path.Combine(Subject.Root, "out", "buildx"));

    /// <summary>A folder that the builders can read.</summary>
    public string Folder => _machine.Folder;

    /// <summary>Runs buildah; its steps share the machine's network, for want of Debian's plugins for another.</summary>
    public Task<CommandResult> Buildah(string words) => _machine.ShellAsync(
        $"export DOCKER_CONFIG={Folder} PATH={Subject.ReferenceBin}:$PATH; buildah --root {Folder}/buildah-root --runroot {Folder}/buildah-run --storage-driver vfs {words}");

    /// <summary>Writes a case's context, for one builder: tests run beside each other.</summary>
    public async Task<string> WriteAsync(CorpusCase it, string builder)
    {
        string folder = Path.Combine(Folder, builder, it.Name);
        await it.WriteAsync(folder, _machine);
        return folder;
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Subject.IsReference)
            return;
        File.WriteAllText(Path.Combine(Folder, "config.json"), "{}");
        System.Diagnostics.ProcessStartInfo start = _machine.Inside("dockerd", "--data-root", $"{Folder}/docker", "--exec-root", $"{Folder}/docker-run",
            "--pidfile", $"{Folder}/docker.pid", "-H", $"unix://{Folder}/docker.sock");
        start.Environment["PATH"] = Subject.ReferenceBin + ":" + Environment.GetEnvironmentVariable("PATH");
        _dockerd = new Running(start);
        await Eventually.IsTrue(() => _dockerd.HasExited || _dockerd.ErrorSoFar.Contains("API listen on", StringComparison.Ordinal), 60, () => _dockerd.ErrorSoFar);
        (await Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
        if (Subject.BuildkitRoot is { } root)
            await StartBuildkitAsync(root);
        (await Docker.Run($"save -o {Folder}/busybox.tar busybox")).Succeeds();
        (await Buildah($"pull docker-archive:{Folder}/busybox.tar")).Succeeds();
    }

    /// <summary>The newer dockerd runs in a root of its own, which it needs for its libraries.</summary>
    private async Task StartBuildkitAsync(string root)
    {
        const string Script = """
            set -e
            mount --bind $0 $0
            for i in proc sys dev; do mount --rbind /$i $0/$i; done
            for i in run tmp; do mount -t tmpfs tmpfs $0/$i; done
            mkdir -p $0$1 $0/tmp/old
            mount --rbind $1 $0$1
            cd $0
            pivot_root . tmp/old
            exec dockerd --bridge none --iptables=false --data-root $1/buildkit --exec-root $1/buildkit-run --pidfile $1/buildkit.pid -H unix://$1/buildkit.sock
            """;
        _buildkit = new Running(_machine.Inside("unshare", "--mount", "--propagation", "private", "sh", "-c", Script, root, Folder));
        await Eventually.IsTrue(() => _buildkit.HasExited || _buildkit.ErrorSoFar.Contains("API listen on", StringComparison.Ordinal), 60, () => _buildkit.ErrorSoFar);
        (await Buildkit.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _machine.Dispose();
        if (_buildkit is not null)
            await _buildkit.DisposeAsync();
        if (_dockerd is not null)
            await _dockerd.DisposeAsync();
    }
}

/// <summary>What Sampan builds of the corpus beside what Debian's builders make of the same files in the same run.</summary>
public sealed class DifferentialTests(SharedDaemon shared, OtherBuilders others) : EngineTests(shared, CommandLine.Sampan), IClassFixture<OtherBuilders>
{
    /// <summary>Cases that give an image with the classic builder.</summary>
    public static TheoryData<string> ForDockerd() => [.. CorpusCase.All.Values.Where(c => !c.IsSampanOnly && !c.HasSite && c.Part("error") is null).Select(c => c.Name)];

    /// <summary>Cases that give an image with buildah, in which it follows the reference.</summary>
    public static TheoryData<string> ForBuildah() => [.. CorpusCase.All.Values.Where(c => c.Part("error") is null && !c.HasSite && !c.NeedsOptions && !s_buildahCannot.Contains(c.Name)).Select(c => c.Name)];

    /// <summary>Where Debian's buildah, 1.28, is behind the reference or goes its own way; the expectations of the corpus hold for Sampan there.</summary>
    private static readonly HashSet<string> s_buildahCannot =
    [
        // It refuses the syntax.
        "add-heredoc", "copy-chmod-big-x", "copy-chmod-symbolic", "copy-exclude", "copy-exclude-deep", "copy-heredoc", "copy-heredoc-chmod", "copy-heredoc-expands",
        "copy-heredoc-quoted", "copy-heredoc-tabs", "copy-heredocs-into-directory", "copy-link", "copy-parents", "copy-parents-double-star", "copy-parents-pivot",
        "env-modifiers-without-colon", "env-prefix-and-suffix", "env-replacement", "healthcheck-start-interval", "run-heredoc", "run-heredoc-input",
        "run-heredoc-interpreter", "run-heredoc-is-the-shells", "run-network-none", "stage-names-ignore-case",

        // It makes volumes' directories, leaves mount points, keeps ranges as written, makes what dots lead out of, and forgets arguments of base stages.
        "volume-expands", "volume-json", "volume-words", "run-mount-bind-file", "expose-range", "workdir-relative-to-dots", "arg-of-a-base-stage-is-kept",

        // It does not know TARGETSTAGE, takes backslashes for escapes whatever the directive says, and gives CMD and ENTRYPOINT /bin/sh
        // whatever SHELL says.
        "target-stage", "escape-backtick-in-words", "shell-changes-cmd", "shell-changes-entrypoint",
    ];

    /// <summary>Cases that give an image with BuildKit, when one was named.</summary>
    public static TheoryData<string> ForBuildkit() => Subject.BuildkitRoot is null ? []
        : [.. CorpusCase.All.Values.Where(c => !c.HasSite && c.Part("error") is null && !s_buildkitCannot.Contains(c.Name)).Select(c => c.Name)];

    /// <summary>What BuildKit 0.13, of dockerd 26.1, cannot build or builds otherwise than newer ones and the reference.</summary>
    private static readonly HashSet<string> s_buildkitCannot =
    [
        // Its frontend, 1.7, has not got the syntax, and would ask the network for another.
        "copy-chmod-big-x", "copy-chmod-symbolic", "copy-exclude", "copy-exclude-deep", "copy-parents", "copy-parents-double-star", "copy-parents-pivot",
        "secret-is-a-variable", "syntax-directive", "target-stage",

        // It takes no capitals in FROM, and COPY loses file capabilities.
        "stage-names-ignore-case", "copy-file-capability",
    ];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(ForBuildkit))]
    public async Task Buildkit_builds_the_same(string name)
    {
        CorpusCase it = CorpusCase.All[name];
        string folder = await others.WriteAsync(it, "buildkit");
        (await others.Buildkit.Run($"buildx build --network none {it.Flags(folder)} -t {name} {folder}", timeoutSeconds: 120)).Succeeds();
        Assert.Equal(await About(others.Buildkit, name, name), await Ours(it, folder));
        (await others.Buildkit.Run($"rmi {name}")).Succeeds();
    }

    [Theory]
    [MemberData(nameof(ForDockerd))]
    public async Task Dockerd_builds_the_same(string name)
    {
        Assert.SkipWhen(Subject.IsReference, "the reference is the other side");
        CorpusCase it = CorpusCase.All[name];
        string folder = await others.WriteAsync(it, "dockerd");
        (await others.Docker.Run($"build {it.Flags(folder)} -t {name} {folder}", timeoutSeconds: 120)).Succeeds();
        Assert.Equal(await About(others.Docker, name, name), await Ours(it, folder));
        (await others.Docker.Run($"rmi {name}")).Succeeds();
    }

    [Theory]
    [MemberData(nameof(ForBuildah))]
    public async Task Buildah_builds_the_same(string name)
    {
        Assert.SkipWhen(Subject.IsReference, "the reference is the other side");
        CorpusCase it = CorpusCase.All[name];
        string folder = await others.WriteAsync(it, "buildah"), image = NewName("buildah");
        (await others.Buildah($"bud --format docker --network host --runtime runc --identity-label=false {it.Flags(folder).Replace("'", "'\\''")} -t {image} {folder}")).Succeeds();
        (await others.Buildah($"push -q {image} docker-archive:{folder}.tar:{image}")).Succeeds();
        // Our own eyes on their image: its configuration and layers as buildah wrote them.
        (await Run($"load -i {folder}.tar")).Succeeds();
        Assert.Equal(WithoutTraces(await About(Cli, name, image)), WithoutTraces(await Ours(it, folder)));
        (await Run($"rmi {image}")).Succeeds();
    }

    /// <summary>Without the mount points that buildah leaves in its layers.</summary>
    private static string WithoutTraces(string about) =>
        string.Join('\n', about.Split('\n').Where(line => !s_traces.Any(path => line.StartsWith($"/{path} ", StringComparison.Ordinal))));

    private static readonly string[] s_traces = ["etc", "etc/hosts", "etc/resolv.conf", "etc/hostname", "run", "run/.containerenv", "run/secrets", "dev", "proc", "sys", "tmp"];

    private async Task<string> Ours(CorpusCase it, string folder)
    {
        string image = NewName("ours");
        (await Run($"build {it.Flags(folder)} -t {image} {folder}")).Succeeds();
        string about = await About(Cli, it.Name, image);
        (await Run($"rmi {image}")).Succeeds();
        return about;
    }

    private static async Task<string> About(Cli cli, string name, string image)
    {
        string inspect = (await cli.Run($"image inspect {image}")).Succeeds().Output;
        byte[] archive = (await cli.Run($"save {image}")).Succeeds().OutputBytes;
        return BuiltImage.Config(inspect) + "--\n" + BuiltImage.Files(archive, CorpusCase.All[name].BaseLayers);
    }
}
