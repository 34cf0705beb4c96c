using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>ADD of what a web server with a certificate has.</summary>
public sealed class AddHttpsTests
{
    [Fact]
    public async Task A_certificate_must_be_trusted_by_the_machine()
    {
        using var machine = new Machine();
        string folder = Path.Combine(machine.Folder, "web"), context = Path.Combine(machine.Folder, "context");
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(context);
        File.WriteAllText(Path.Combine(folder, "hello"), "over tls\n");
        File.WriteAllText(Path.Combine(context, "Dockerfile"), "FROM busybox\nADD https://localhost:8443/hello /hello\n");
        (await machine.ShellAsync($"cd {folder} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
            + "-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem && { openssl s_server -quiet -WWW -port 8443 -cert cert.pem -key key.pem "
            + ">log 2>&1 </dev/null & } && for i in $(seq 100); do ss -lnt | grep -q :8443 && break; sleep .1; done")).Succeeds();

        await using (Daemon careful = await Daemon.StartOnAsync(machine, "careful"))
        {
            (await careful.Docker.Run(["import", Subject.Busybox, "busybox"])).Succeeds();
            (await careful.Docker.Run($"build -t it {context}")).Fails().Complains("certificate");
        }

        (await machine.ShellAsync($"mount -t tmpfs none /etc/ssl/certs && cp {folder}/cert.pem /etc/ssl/certs/ca-certificates.crt "
            + "&& cp /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/$(openssl x509 -hash -noout -in /etc/ssl/certs/ca-certificates.crt).0")).Succeeds();
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "trusting");
        (await daemon.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox"])).Succeeds();
        (await daemon.Docker.Run($"build -t it {context}")).Succeeds();
        (await daemon.Docker.Run("run --rm it cat /hello")).Succeeds().Prints("over tls");
    }
}
