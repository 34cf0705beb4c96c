using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>Contexts by name, and contexts on other machines.</summary>
public sealed class BuildContextTests(SharedDaemon shared) : SampanBuildTests(shared)
{
    private const string Dockerfile = "FROM base AS built\nCOPY --from=lib /file /copied\nRUN --mount=from=lib,target=/m cat /m/file >/mounted\nCMD cat /copied /mounted\n";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_directory_is_read_in_place_or_sent(bool isHere)
    {
        string folder = Folder(("Dockerfile", Dockerfile)), lib = Folder(("file", "first\n"), ("big.log", "x"), (".dockerignore", "*.log\n"));
        string image = NewName();
        string words = $"build --build-context lib={lib} --build-context base=docker-image://busybox -t {image} {folder}";
        Task<CommandResult> Build() => isHere ? Here(words) : Run(words);
        (await Build()).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("first\nfirst");
        (await Build()).Succeeds().Shows("Using cache");
        File.WriteAllText(Path.Combine(lib, "file"), "second\n");
        (await Build()).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("second\nsecond");
    }

    [Fact]
    public async Task An_image_of_an_oci_layout_is_a_base_and_a_source()
    {
        string made = Folder(("Dockerfile", "FROM busybox\nRUN echo from layout >/file\n")), layout = Path.Combine(made, "layout");
        string image = NewName();
        (await Run($"build -o type=oci,tar=false,dest={layout},name={image}:tagged {made}")).Succeeds();
        (await Run($"rmi {image}:tagged")).Succeeds();
        string folder = Folder(("Dockerfile", "FROM base\nCOPY --from=base /file /copied\nCMD cat /file /copied\n"));
        (await Run($"build --build-context base=oci-layout://{layout}:tagged -t {image} {folder}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("from layout\nfrom layout");
        (await Run($"build --build-context base=oci-layout://{layout}:other {folder}")).Fails().Complains("no image 'other'");
        (await Run($"build --build-context base=oci-layout://{folder} {folder}")).Fails().Complains("index.json");
    }

    [Fact]
    public async Task A_wrong_context_is_named()
    {
        string folder = Folder(("Dockerfile", Dockerfile));
        (await Run($"build --build-context lib {folder}")).Fails().Complains("name=value");
        (await Run($"build --build-context lib={folder}/nowhere {folder}")).Fails().Complains("nowhere");
        (await Run($"build --build-context base=docker-image://no-such-image-here {folder}")).Fails().Complains("no-such-image-here");
    }

    [Fact]
    public async Task A_context_may_be_a_repository_an_archive_or_a_dockerfile_at_a_url()
    {
        string folder = Folder(("site/Dockerfile", "FROM busybox\nCMD echo lone dockerfile\n"), ("repo/sub/Dockerfile", "FROM busybox\nCOPY file /\nCMD cat /file\n"), ("repo/sub/file", "one\n"));
        (await Daemon.Machine.ShellAsync($"""
            cd {folder}/repo && export GIT_CONFIG_GLOBAL=/dev/null && git init -q -b main . && git config user.email a@b && git config user.name a
            git add . && git commit -qm 1 && git tag one && echo two >sub/file && git commit -qam 2
            git clone -q --bare . ../site/r.git && cd ../site/r.git && git update-server-info
            tar -C {folder}/repo/sub -czf {folder}/site/c.tar.gz .
            """)).Succeeds();
        string port = $"80{Own}";
        string image = NewName();
        await using var server = new Running(Daemon.Machine.Inside("python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", $"{folder}/site", port));
        string url = $"http://127.0.0.1:{port}";
        await Eventually.IsTrue(async () => (await Daemon.Machine.ShellAsync($"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'")).ExitCode == 0, 20, () => "the server does not answer");
        async Task Gives(string source, string printed)
        {
            (await Run($"build -t {image} {source}", timeoutSeconds: 120)).Succeeds();
            (await Run($"run --rm {image}")).Succeeds().Prints(printed);
        }
        await Gives($"{url}/r.git#main:sub", "two");
        await Gives($"{url}/r.git#one:sub", "one");
        await Gives($"{url}/c.tar.gz", "two");
        await Gives($"{url}/Dockerfile", "lone dockerfile");
        (await Run($"build {url}/r.git#main:nowhere")).Fails().Complains("nowhere");
        (await Run($"build {url}/r.git#no-such-branch")).Fails().Complains("no-such-branch");
        (await Run($"build {url}/missing")).Fails().Complains("404");

        // The same by Docker's parameter, and as a named context.
        using var api = new RawApi(Daemon.Socket);
        (await api.PostAsync($"/v1.43/build?t={image}&remote={Uri.EscapeDataString($"{url}/r.git#one:sub")}")).Is(200);
        (await Run($"run --rm {image}")).Succeeds().Prints("one");
        string local = Folder(("Dockerfile", "FROM busybox\nCOPY --from=src /sub/file /\nCMD cat /file\n"));
        (await Run($"build --build-context src={url}/r.git#one -t {image} {local}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("one");
    }
}
