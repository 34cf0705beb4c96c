using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>docker-compose, as Debian has it, brings a project up and takes it down.</summary>
public sealed class ComposeTests(SharedDaemon shared)
{
    private const string Project = """
        version: "3.8"
        services:
          db:
            image: busybox
            command: sh -c 'while true; do echo from-db | nc -l -p 7000; done'
            networks:
              back:
                aliases: [store]
          web:
            image: busybox
            depends_on: [db]
            command: sh -c 'until nc -w 1 db 7000 </dev/null >/tmp/got && grep -q from-db /tmp/got; do sleep 0.1; done; while true; do echo from-web | nc -l -p 8000; done'
            ports: ["18765:8000"]
            networks: [front, back]
        networks:
          front: {}
          back: {internal: true}
        """;

    [Fact]
    public async Task Services_find_one_another_publish_ports_and_leave_nothing()
    {
        string folder = Path.Combine(shared.Daemon.Folder, "composed");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "docker-compose.yml"), Project);
        try
        {
            (await Compose(folder, "up -d")).Succeeds();
            await Eventually.IsTrue(
                async () => (await shared.Daemon.Machine.ShellAsync("busybox nc -w 2 127.0.0.1 18765 </dev/null")).Output == "from-web", 30, () => "the port leads nowhere");
            (await Compose(folder, "exec -T web nslookup -type=a store")).Succeeds().Shows("Address: 172.");
            (await Compose(folder, "exec -T web nslookup -type=a composed_db_1")).Succeeds();
            // The database is on the internal network only: it knows its neighbour by the service's name.
            (await Compose(folder, "exec -T db ping -c 1 -w 5 web")).Succeeds();
            (await Compose(folder, "ps")).Succeeds().Shows("composed_web_1").Shows("18765");
        }
        finally
        {
            (await Compose(folder, "down -t 1")).Succeeds();
        }
        (await shared.Daemon.Docker.Run("ps -aq --filter label=com.docker.compose.project=composed")).Succeeds().Prints("");
        (await shared.Daemon.Docker.Run("network ls -q --filter label=com.docker.compose.project=composed")).Succeeds().Prints("");
    }

    private Task<CommandResult> Compose(string folder, string words) => shared.Daemon.Machine.ShellAsync(
        $"cd {folder} && DOCKER_HOST={shared.Daemon.Host} docker-compose --no-ansi {words}", 120);
}
