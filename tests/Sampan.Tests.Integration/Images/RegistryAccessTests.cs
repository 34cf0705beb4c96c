using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>
/// How registries are reached: mirrors, insecure ones, authorities and certificates of their own. Each test has its daemon.
/// </summary>
public sealed class RegistryAccessTests
{
    // An address that is not loopback, so that nothing is allowed that was not asked for.
    private const string Ip = "192.0.2.7";

    private static async Task<Machine> MachineAsync()
    {
        Assert.SkipWhen(Subject.IsReference, "settings and messages are Sampan's");
        var machine = new Machine();
        // Only this machine sees its /etc.
        (await machine.ShellAsync($"""
            set -e; ip addr add {Ip}/32 dev lo && mkdir /run/etc /run/work && mount -t tmpfs tmpfs /run/work && mkdir /run/work/up /run/work/work
            mount -t overlay -o lowerdir=/etc,upperdir=/run/work/up,workdir=/run/work/work overlay /etc
            echo '{Ip} registry.test' >>/etc/hosts
            """)).Succeeds();
        return machine;
    }

    private static async Task<string> Pushed(Daemon daemon, Registry registry, string name)
    {
        (await daemon.Sampan.Run(["import", "-", $"{registry.Address}/{name}"], new TarMaker().File("file", name).Finish())).Succeeds();
        return (await daemon.Sampan.Run($"push {registry.Address}/{name}")).Succeeds().Output;
    }

    [Fact]
    public async Task A_mirror_is_asked_first_and_the_registry_when_it_has_nothing()
    {
        using Machine machine = await MachineAsync();
        await using Registry registry = await Registry.StartAsync(machine), mirror = await Registry.StartAsync(machine);
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d",
            $"--registry-mirror http://{mirror.Address} --registry-mirror {registry.Address}=http://{mirror.Address}");
        await Pushed(daemon, mirror, "library/tool");
        await Pushed(daemon, registry, "team/other");
        (await daemon.Docker.Run("pull tool")).Succeeds().Shows("docker.io/library/tool:latest");
        (await daemon.Sampan.Run("inspect --format '{{.RepoTags}}' tool")).Succeeds().Shows("tool:latest");
        (await daemon.Docker.Run($"rmi {registry.Address}/team/other")).Succeeds();
        (await daemon.Docker.Run($"pull {registry.Address}/team/other")).Succeeds();
        Assert.Contains(mirror.Requests(), r => r.StartsWith("GET /v2/team/other/manifests/latest", StringComparison.Ordinal)
            && r.EndsWith("404", StringComparison.Ordinal));
        Assert.Contains(registry.Requests(), r => r.StartsWith("GET /v2/team/other/manifests/latest", StringComparison.Ordinal)
            && r.EndsWith("200", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Plain_http_is_spoken_with_insecure_registries_alone()
    {
        using Machine machine = await MachineAsync();
        await using Registry registry = await Registry.StartAsync(machine, Ip);
        await using Daemon careful = await Daemon.StartOnAsync(machine, "careful");
        await using Daemon byRange = await Daemon.StartOnAsync(machine, "range", "--insecure-registry 192.0.2.0/24");
        await using Daemon byName = await Daemon.StartOnAsync(machine, "name",
            $"--insecure-registry registry.test:{registry.Address.Split(':')[1]}");
        await Pushed(byRange, registry, "x");
        (await careful.Sampan.Run($"pull {registry.Address}/x")).Exits(1).Complains("insecure-registries");
        (await byName.Sampan.Run($"pull registry.test:{registry.Address.Split(':')[1]}/x")).Succeeds();
        (await byName.Sampan.Run($"pull {registry.Address}/x")).Exits(1);
        (await byRange.Sampan.Run($"pull {registry.Address}/x")).Succeeds();
    }

    [Fact]
    public async Task Registries_are_reached_through_the_proxies_of_the_options_and_of_daemon_json()
    {
        using Machine machine = await MachineAsync();
        await using Registry registry = await Registry.StartAsync(machine, Ip);
        await using Running proxy = await StrangeRegistryTests.StartAsync(machine, Ip, 3128);
        string config = Path.Combine(machine.Folder, "daemon.json"), port = registry.Address.Split(':')[1];
        await File.WriteAllTextAsync(config, $$$"""
            {"insecure-registries": ["{{{Ip}}}", "registry.test:{{{port}}}"],
             "proxies": {"http-proxy": "http://{{{Ip}}}:3128", "https-proxy": "http://{{{Ip}}}:3128", "no-proxy": "other.test,registry.test"}}
            """);
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d", $"--config-file {config}");
        await Pushed(daemon, registry, "x");
        Assert.Contains($"CONNECT {registry.Address} ", proxy.OutputSoFar);
        Assert.Contains($"PUT http://{registry.Address}/v2/x/manifests/latest", proxy.OutputSoFar);
        (await daemon.Docker.Run($"pull registry.test:{port}/x")).Succeeds();
        Assert.DoesNotContain("registry.test", proxy.OutputSoFar);

        await using Daemon byOption = await Daemon.StartOnAsync(machine, "o", $"--insecure-registry {Ip} --http-proxy http://{Ip}:3128");
        (await byOption.Docker.Run($"pull {registry.Address}/x")).Succeeds();
        Assert.Contains($"GET http://{registry.Address}/v2/x/manifests/", proxy.OutputSoFar);
    }

    [Fact]
    public async Task A_proxy_of_the_environment_is_used_but_for_no_proxy_and_loopback()
    {
        using Machine machine = await MachineAsync();
        await using Registry registry = await Registry.StartAsync(machine, Ip), local = await Registry.StartAsync(machine);
        await using Running proxy = await StrangeRegistryTests.StartAsync(machine, Ip, 3127);
        string port = registry.Address.Split(':')[1];
        string options = $"--insecure-registry {Ip} --insecure-registry registry.test:{port}";
        await using Daemon upper = await Daemon.StartOnAsync(machine, "u", options, environment:
            [("HTTP_PROXY", $"http://{Ip}:3127"), ("HTTPS_PROXY", $"http://{Ip}:3127"), ("NO_PROXY", "other.test,registry.test")]);
        await Pushed(upper, registry, "x");
        Assert.Contains($"CONNECT {registry.Address} ", proxy.OutputSoFar);
        Assert.Contains($"PUT http://{registry.Address}/v2/x/manifests/latest", proxy.OutputSoFar);
        (await upper.Docker.Run($"pull registry.test:{port}/x")).Succeeds();
        await Pushed(upper, local, "y");
        Assert.DoesNotContain("registry.test", proxy.OutputSoFar);
        Assert.DoesNotContain(local.Address, proxy.OutputSoFar);

        await using Daemon lower = await Daemon.StartOnAsync(machine, "l", options, environment: [("http_proxy", $"http://{Ip}:3127")]);
        (await lower.Docker.Run($"pull {registry.Address}/x")).Succeeds();
        Assert.Contains($"GET http://{registry.Address}/v2/x/manifests/", proxy.OutputSoFar);
    }

    [Fact]
    public async Task Authorities_and_certificates_of_certs_d_count_for_their_host()
    {
        using Machine machine = await MachineAsync();
        string tls = $"{machine.Folder}/tls";
        (await machine.ShellAsync($"""
            set -e; mkdir {tls}; cd {tls}
            key() {"{ openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj /CN=$1 2>/dev/null; }"}
            openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj '/CN=tests authority' -days 30 2>/dev/null
            key server; key client
            printf 'subjectAltName=DNS:registry.test,IP:{Ip}\n' >san
            openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile san -out server.crt 2>/dev/null
            openssl x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out client.crt 2>/dev/null
            """)).Succeeds();
        await using Registry registry = await Registry.StartAsync(machine, Ip,
            http: $"  tls: {{certificate: {tls}/server.crt, key: {tls}/server.key, clientcas: [{tls}/ca.crt]}}");
        string port = registry.Address.Split(':')[1], there = $"registry.test:{port}/x",
            certs = $"/etc/docker/certs.d/registry.test:{port}";

        // One daemon after the other: a daemon reads a host's certificates once.
        async Task<CommandResult> Push(string name, string options = "")
        {
            await using Daemon daemon = await Daemon.StartOnAsync(machine, name, options);
            (await daemon.Sampan.Run(["import", "-", there], new TarMaker().File("f", "x").Finish())).Succeeds();
            CommandResult pushed = await daemon.Sampan.Run($"push {there}");
            if (pushed.ExitCode == 0)
                (await daemon.Docker.Run($"pull {there}")).Succeeds();
            return pushed;
        }

        (await Push("unknown")).Exits(1).Complains("certificate");
        (await machine.ShellAsync($"mkdir -p {certs} && cp {tls}/ca.crt {certs}/")).Succeeds();
        (await Push("authority")).Exits(1).Complains("registry.test");
        (await machine.ShellAsync($"cp {tls}/client.crt {certs}/client.cert && cp {tls}/client.key {certs}/client.key")).Succeeds();
        (await Push("client")).Succeeds();
        await using (Running proxy = await StrangeRegistryTests.StartAsync(machine, Ip, 3129))
        {
            (await Push("proxied", $"--https-proxy http://{Ip}:3129")).Succeeds();
            Assert.Contains($"CONNECT registry.test:{port} ", proxy.OutputSoFar);
        }

        (await machine.ShellAsync($"rm {certs}/client.key")).Succeeds();
        (await Push("half")).Exits(1).Complains("client.key");
    }
}
