using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Daemons;

public sealed class EventTests
{
    private const string Format = "--format '{{.Type}} {{.Action}}'";

    [Fact]
    public async Task What_was_is_told_by_bounds_of_time_of_which_0_is_one()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("network create net")).Succeeds();
        (await daemon.Docker.Run("run --rm --name one --network net busybox true")).Succeeds();
        (await daemon.Docker.Run("network rm net")).Succeeds();
        string[] all = ["network create", "container create", "network connect", "container start", "network disconnect", "container die", "container destroy", "network destroy"];
        foreach (Cli client in (Cli[])[daemon.Docker, daemon.Sampan])
        {
            foreach (string bounds in (string[])["--since 0 --until 0", "--until 0"])
            {
                string[] lines = (await client.Run($"events {bounds} {Format}")).Succeeds().Lines;
                Assert.Equal(all, lines.Where(line => line != "container attach" && !line.StartsWith("image ", StringComparison.Ordinal)));
            }

            Assert.Equal(["network create", "network destroy"],
                (await client.Run($"events --since 0 --until 0 --filter type=network --filter event=create --filter event=destroy {Format}")).Succeeds().Lines);
            (await client.Run("events --since 1h --until 0")).Exits(1).Complains("cannot be after `until` time");
        }
    }
}
