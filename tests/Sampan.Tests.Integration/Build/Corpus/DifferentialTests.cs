using System.Diagnostics;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build.Corpus;

/// <summary>Another builder on a machine of its own, with the base image that the corpus builds on.</summary>
public abstract class OtherBuilder : IAsyncLifetime
{
    private Running? _dockerd;

    /// <summary>The builder's machine.</summary>
    protected Machine Machine { get; } = new();

    /// <summary>A folder that the builder can read.</summary>
    public string Folder => Machine.Folder;

    /// <summary>Writes a case's context.</summary>
    public async Task<string> WriteAsync(CorpusCase it)
    {
        string folder = Path.Combine(Folder, "context", it.Name);
        await it.WriteAsync(folder, Machine);
        return folder;
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Subject.IsReference)
            return;
        File.WriteAllText(Path.Combine(Folder, "config.json"), "{}");
        await StartAsync();
    }

    /// <summary>Makes the builder ready, <c>busybox:latest</c> included.</summary>
    protected abstract Task StartAsync();

    /// <summary>Starts a dockerd and gives it the base image.</summary>
    protected async Task StartDockerdAsync(ProcessStartInfo start, Cli cli)
    {
        _dockerd = new Running(start);
        await Eventually.IsTrue(() => _dockerd.HasExited || _dockerd.ErrorSoFar.Contains("API listen on", StringComparison.Ordinal), 60, () => _dockerd.ErrorSoFar);
        (await cli.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Machine.Dispose();
        if (_dockerd is not null)
            await _dockerd.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}

/// <summary>What Sampan builds of the corpus beside what another builder makes of the same files in the same run.</summary>
public abstract class DifferentialTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Sampan)
{
    /// <summary>Builds a case's context with Sampan and says what is in the image.</summary>
    protected async Task<string> Ours(CorpusCase it, string folder)
    {
        string image = NewName("ours");
        (await Run($"build {it.Flags(folder)} -t {image} {folder}")).Succeeds();
        string about = await About(Cli, it.Name, image);
        (await Run($"rmi {image}")).Succeeds();
        return about;
    }

    /// <summary>An image's configuration and files, told the same way for every builder.</summary>
    protected static async Task<string> About(Cli cli, string name, string image)
    {
        string inspect = (await cli.Run($"image inspect {image}")).Succeeds().Output;
        byte[] archive = (await cli.Run($"save {image}")).Succeeds().OutputBytes;
        return BuiltImage.Config(inspect) + "--\n" + BuiltImage.Files(archive, CorpusCase.All[name].BaseLayers);
    }
}

/// <summary>Debian's dockerd and its classic builder.</summary>
public sealed class ClassicBuilder : OtherBuilder
{
    /// <summary>Docker's command line on it.</summary>
    public Cli Docker => new(Path.Combine(Subject.ReferenceBin, "docker"), $"unix://{Folder}/docker.sock");

    /// <inheritdoc/>
    protected override Task StartAsync()
    {
        ProcessStartInfo start = Machine.Inside("dockerd", "--data-root", $"{Folder}/docker", "--exec-root", $"{Folder}/docker-run",
            "--pidfile", $"{Folder}/docker.pid", "-H", $"unix://{Folder}/docker.sock");
        start.Environment["PATH"] = Subject.ReferenceBin + ":" + Environment.GetEnvironmentVariable("PATH");
        return StartDockerdAsync(start, Docker);
    }
}

/// <summary>Beside dockerd's classic builder.</summary>
public sealed class ClassicDifferentialTests(SharedDaemon shared, ClassicBuilder other) : DifferentialTests(shared), IClassFixture<ClassicBuilder>
{
    /// <summary>Cases that give an image with the classic builder.</summary>
    public static TheoryData<string> Cases() => [.. CorpusCase.All.Values.Where(c => !c.IsSampanOnly && !c.HasSite && c.Part("error") is null).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Dockerd_builds_the_same(string name)
    {
        Assert.SkipWhen(Subject.IsReference, "the reference is the other side");
        CorpusCase it = CorpusCase.All[name];
        string folder = await other.WriteAsync(it);
        (await other.Docker.Run($"build {it.Flags(folder)} -t {name} {folder}", timeoutSeconds: 120)).Succeeds();
        Assert.Equal(await About(other.Docker, name, name), await Ours(it, folder));
        (await other.Docker.Run($"rmi {name}")).Succeeds();
    }
}

/// <summary>Debian's buildah; its steps share the machine's network, for want of Debian's plugins for another.</summary>
public sealed class Buildah : OtherBuilder
{
    /// <summary>Runs it.</summary>
    public Task<CommandResult> Run(string words) => Machine.ShellAsync(
        $"export DOCKER_CONFIG={Folder} PATH={Subject.ReferenceBin}:$PATH; buildah --root {Folder}/buildah-root --runroot {Folder}/buildah-run --storage-driver vfs {words}");

    /// <inheritdoc/>
    protected override async Task StartAsync()
    {
        (await Run("from --name base scratch")).Succeeds();
        (await Run($"add -q base {Subject.Busybox} /")).Succeeds();
        (await Run("config --cmd '[\"sh\"]' base")).Succeeds();
        (await Run("commit -q --identity-label=false base busybox:latest")).Succeeds();
    }
}

/// <summary>Beside buildah.</summary>
public sealed class BuildahDifferentialTests(SharedDaemon shared, Buildah other) : DifferentialTests(shared), IClassFixture<Buildah>
{
    /// <summary>Cases that give an image with buildah, in which it follows the reference.</summary>
    public static TheoryData<string> Cases() => [.. CorpusCase.All.Values.Where(c => c.Part("error") is null && !c.HasSite && !c.NeedsOptions && !s_cannot.Contains(c.Name)).Select(c => c.Name)];

    /// <summary>Where Debian's buildah, 1.28, is behind the reference or goes its own way; the expectations of the corpus hold for Sampan there.</summary>
    private static readonly HashSet<string> s_cannot =
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

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Buildah_builds_the_same(string name)
    {
        Assert.SkipWhen(Subject.IsReference, "the reference is the other side");
        CorpusCase it = CorpusCase.All[name];
        string folder = await other.WriteAsync(it), image = NewName("buildah");
        (await other.Run($"bud --format docker --network host --runtime runc --identity-label=false {it.Flags(folder).Replace("'", "'\\''")} -t {image} {folder}")).Succeeds();
        (await other.Run($"push -q {image} docker-archive:{folder}.tar:{image}")).Succeeds();
        // Our own eyes on their image: its configuration and layers as buildah wrote them.
        (await Run($"load -i {folder}.tar")).Succeeds();
        Assert.Equal(WithoutTraces(await About(Cli, name, image)), WithoutTraces(await Ours(it, folder)));
        (await Run($"rmi {image}")).Succeeds();
    }

    /// <summary>Without the mount points that buildah leaves in its layers.</summary>
    private static string WithoutTraces(string about) =>
        string.Join('\n', about.Split('\n').Where(line => !s_traces.Any(path => line.StartsWith($"/{path} ", StringComparison.Ordinal))));

    private static readonly string[] s_traces = ["etc", "etc/hosts", "etc/resolv.conf", "etc/hostname", "run", "run/.containerenv", "run/secrets", "dev", "proc", "sys", "tmp"];
}

/// <summary>BuildKit of a newer dockerd, when one was named (docs/testing.md).</summary>
public sealed class Buildkit : OtherBuilder
{
    /// <summary>Docker's command line, with buildx, on it.</summary>
    public Cli Docker => new(Subject.Docker, $"unix://{Folder}/buildkit.sock", Path.Combine(Subject.Root, "out", "buildx"));

    /// <inheritdoc/>
    protected override Task StartAsync()
    {
        // The newer dockerd runs in a root of its own, which it needs for its libraries.
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
        return Subject.BuildkitRoot is { } root
            ? StartDockerdAsync(Machine.Inside("unshare", "--mount", "--propagation", "private", "sh", "-c", Script, root, Folder), Docker) : Task.CompletedTask;
    }
}

/// <summary>Beside BuildKit.</summary>
public sealed class BuildkitDifferentialTests(SharedDaemon shared, Buildkit other) : DifferentialTests(shared), IClassFixture<Buildkit>
{
    /// <summary>Cases that give an image with BuildKit, when one was named.</summary>
    public static TheoryData<string> Cases() => Subject.BuildkitRoot is null ? [""]
        : [.. CorpusCase.All.Values.Where(c => !c.HasSite && c.Part("error") is null && !s_cannot.Contains(c.Name)).Select(c => c.Name)];

    /// <summary>What BuildKit 0.13, of dockerd 26.1, cannot build or builds otherwise than newer ones and the reference.</summary>
    private static readonly HashSet<string> s_cannot =
    [
        // Its frontend, 1.7, has not got the syntax, and would ask the network for another.
        "copy-chmod-big-x", "copy-chmod-symbolic", "copy-exclude", "copy-exclude-deep", "copy-parents", "copy-parents-double-star", "copy-parents-pivot",
        "secret-is-a-variable", "syntax-directive", "target-stage",

        // It takes no capitals in FROM, COPY loses file capabilities, and WORKDIR /a/../b leaves an /a, which the classic builder does not.
        "stage-names-ignore-case", "copy-file-capability", "workdir-relative-to-dots",
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Buildkit_builds_the_same(string name)
    {
        Assert.SkipWhen(Subject.BuildkitRoot is null, "SAMPAN_TEST_BUILDKIT names no root with a newer dockerd (docs/testing.md)");
        CorpusCase it = CorpusCase.All[name];
        string folder = await other.WriteAsync(it);
        (await other.Docker.Run($"buildx build --network none {it.Flags(folder)} -t {name} {folder}", timeoutSeconds: 120)).Succeeds();
        Assert.Equal(await About(other.Docker, name, name), await Ours(it, folder));
        (await other.Docker.Run($"rmi {name}")).Succeeds();
    }
}
