using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary><c>registry serve</c>: two machines exchange images with nothing else installed.</summary>
public sealed class ServeTests
{
    private const string Address = "127.0.0.1:5055";

    [Fact]
    public async Task Images_of_one_daemon_are_pulled_by_another_and_pushed_back()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no registry");
        using var machine = new Machine();
        await using Daemon server = await Daemon.StartOnAsync(machine, "s");
        await using Daemon client = await Daemon.StartOnAsync(machine, "c");
        string id = (await server.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds().Output;
        await using Running registry = server.Sampan.Begin($"registry serve --addr {Address}");
        await registry.WaitForOutputAsync("registry listens on");

        (await client.Docker.Run($"pull {Address}/busybox")).Succeeds().Shows("Downloaded newer image");
        (await client.Docker.Run($"inspect --format {{{{.Id}}}} {Address}/busybox")).Succeeds().Prints(id);
        (await client.Docker.Run(["import", "-", $"{Address}/team/app:1"], new TarMaker().File("f", new string('x', 100000)).Finish())).Succeeds();
        string pushed = (await client.Docker.Run($"inspect --format {{{{.Id}}}} {Address}/team/app:1")).Output;
        (await client.Docker.Run($"push {Address}/team/app:1")).Succeeds().Shows("digest: sha256:");
        (await client.Sampan.Run($"push {Address}/team/app:1")).Succeeds();
        (await client.Docker.Run($"rmi {Address}/team/app:1")).Succeeds();
        (await client.Sampan.Run($"pull {Address}/team/app:1")).Succeeds();
        (await client.Docker.Run($"inspect --format {{{{.Id}}}} {Address}/team/app:1")).Succeeds().Prints(pushed);
        await registry.WaitForOutputAsync("GET /v2/team/app/manifests/1 200");

        // What was pushed survives a stop, a kill and a prune of images.
        await server.KillAsync();
        await server.LaunchAsync();
        (await server.Docker.Run("image prune -a -f")).Succeeds();
        await using Running again = server.Sampan.Begin($"registry serve --addr {Address}");
        await again.WaitForOutputAsync("registry listens on");
        (await client.Docker.Run($"rmi {Address}/team/app:1")).Succeeds();
        (await client.Docker.Run($"pull {Address}/team/app:1")).Succeeds();
        (await server.Sampan.Run("image fsck")).Exits(0);
    }

    [Fact]
    public async Task Skopeo_pulls_pushes_lists_and_deletes()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no registry");
        using var machine = new Machine();
        await using Daemon server = await Daemon.StartOnAsync(machine, "s");
        (await server.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
        await using Running registry = server.Sampan.Begin($"registry serve --addr {Address}");
        await registry.WaitForOutputAsync("registry listens on");
        string skopeo = $"{Path.Combine(Subject.PeersBin, "skopeo")} --insecure-policy";
        string script = $"set -e; cd {machine.Folder}; {skopeo} copy --src-tls-verify=false docker://{Address}/busybox:latest oci:layout:x; "
            + $"{skopeo} copy --dest-tls-verify=false oci:layout:x docker://{Address}/copied/box:1; "
            + $"{skopeo} copy --src-tls-verify=false --dest-tls-verify=false docker://{Address}/copied/box:1 docker://{Address}/mounted/box:2; "
            + $"{skopeo} list-tags --tls-verify=false docker://{Address}/copied/box; "
            + $"{skopeo} delete --tls-verify=false docker://{Address}/copied/box:1; "
            + $"{skopeo} inspect --tls-verify=false docker://{Address}/mounted/box:2";
        (await machine.ShellAsync(script)).Succeeds().Shows("\"1\"").Shows("\"Layers\"");
        (await machine.ShellAsync($"{skopeo} inspect --tls-verify=false docker://{Address}/copied/box:1")).Fails();
        (await server.Docker.Run($"pull {Address}/mounted/box:2")).Succeeds();
    }

    [Fact]
    public async Task A_mirror_fetches_once_and_serves_when_the_other_registry_is_gone()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no registry");
        using var machine = new Machine();
        await using Daemon origin = await Daemon.StartOnAsync(machine, "o");
        await using Daemon mirror = await Daemon.StartOnAsync(machine, "m");
        await using Daemon client = await Daemon.StartOnAsync(machine, "c");
        (await origin.Docker.Run(["import", "-", "team/app:1"], new TarMaker().File("f", new string('y', 50000)).Finish())).Succeeds();
        await using Running far = origin.Sampan.Begin("registry serve --addr 127.0.0.1:5056");
        await far.WaitForOutputAsync("registry listens on");
        await using Running near = mirror.Sampan.Begin($"registry serve --addr {Address} --mirror http://127.0.0.1:5056");
        await near.WaitForOutputAsync("registry listens on");

        (await client.Docker.Run($"pull {Address}/team/app:1")).Succeeds();
        (await client.Docker.Run($"pull {Address}/team/absent")).Fails();
        await far.DisposeAsync();
        (await client.Docker.Run($"rmi {Address}/team/app:1")).Succeeds();
        (await client.Docker.Run($"pull {Address}/team/app:1")).Succeeds();
        (await mirror.Sampan.Run("registry serve --addr nowhere")).Fails().Complains("invalid address");
        (await mirror.Sampan.Run("registry serve --mirror ftp://x")).Fails().Complains("invalid mirror");
        (await mirror.Sampan.Run($"registry serve --addr {Address}")).Fails().Complains("in use");
    }

    [Fact]
    public async Task It_speaks_tls_and_lets_in_only_who_is_in_the_htpasswd()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no registry");
        const string Secured = "127.0.0.1:5057";
        using var machine = new Machine();
        await using Daemon server = await Daemon.StartOnAsync(machine, "s");
        await using Daemon client = await Daemon.StartOnAsync(machine, "c");
        (await machine.ShellAsync($"""
            cd {machine.Folder} && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=registry -days 30 \
                -addext subjectAltName=IP:127.0.0.1 2>/dev/null
            """)).Succeeds();
        string users = Path.Combine(machine.Folder, "users"), tls = $"--tls-cert {machine.Folder}/cert.pem --tls-key {machine.Folder}/key.pem";
        await File.WriteAllTextAsync(users, "ann:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n");

        (await server.Sampan.Run("registry serve --addr :5057")).Exits(1).Complains("--tls-cert");
        (await server.Sampan.Run($"registry serve --addr {Secured} --tls-cert {machine.Folder}/cert.pem")).Exits(1).Complains("belong together");
        (await server.Sampan.Run($"registry serve --addr {Secured} --tls-cert {users} --tls-key {users}")).Exits(1).Complains("PEM");
        (await server.Sampan.Run($"registry serve --addr {Secured} --htpasswd {machine.Folder}/cert.pem")).Exits(1).Complains("htpasswd, line 1");
        await using (Running open = server.Sampan.Begin("registry serve --addr :5057 --insecure"))
            await open.WaitForOutputAsync("registry listens on");

        await using Running registry = server.Sampan.Begin($"registry serve --addr :5057 {tls} --htpasswd {users}");
        await registry.WaitForOutputAsync("registry listens on");
        (await machine.ShellAsync($"openssl s_client -connect {Secured} -CAfile {machine.Folder}/cert.pem -verify_return_error </dev/null")).Succeeds();
        (await client.Docker.Run(["import", "-", $"{Secured}/app"], new TarMaker().File("f", "x").Finish())).Succeeds();
        (await client.Docker.Run($"push {Secured}/app")).Exits(1);
        (await client.Docker.Run($"login -u ann -p wrong {Secured}")).Exits(1);
        (await client.Docker.Run($"login -u ann -p secret {Secured}")).Succeeds();
        (await client.Docker.Run($"push {Secured}/app")).Succeeds();
        (await client.Docker.Run($"rmi {Secured}/app")).Succeeds();
        (await client.Docker.Run($"pull {Secured}/app")).Succeeds();
    }

    [Fact]
    public async Task Without_libcrypt_an_htpasswd_is_refused_at_the_start()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no registry");
        using var machine = new Machine();
        // An empty file is no library, and only this machine sees it.
        (await machine.ShellAsync("for l in $(ldconfig -p | sed -n 's/.*libcrypt.so.1 .*=> //p'); do mount --bind /dev/null $(readlink -f $l); done")).Succeeds();
        await using Daemon server = await Daemon.StartOnAsync(machine, "s");
        string users = Path.Combine(machine.Folder, "users");
        await File.WriteAllTextAsync(users, "ann:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n");
        (await server.Sampan.Run($"registry serve --addr 127.0.0.1:5058 --htpasswd {users}")).Exits(1).Complains("libcrypt.so.1 cannot be loaded");
    }
}
