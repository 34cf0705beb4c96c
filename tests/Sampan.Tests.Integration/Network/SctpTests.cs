using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>SCTP packets, made by hand where the kernel has no sockets for them, find the container of a published port.</summary>
public sealed class SctpTests
{
    private static readonly string s_script = Path.Combine(Subject.Root, "tests", "Sampan.Tests.Integration", "Network", "Tools", "sctp.py");

    [Fact]
    public async Task A_published_port_of_SCTP_is_led_and_keeps_the_client_s_address()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        (await daemon.Docker.Run("run -d --name signals -p 8132:5132/sctp busybox sleep 1000")).Succeeds();
        (await daemon.Docker.Run("port signals")).Succeeds().Shows("5132/sctp -> 0.0.0.0:8132");
        string pid = (await daemon.Docker.Run("inspect -f {{.State.Pid}} signals")).Succeeds().Output;
        await using var listener = new Running(daemon.Machine.Inside("nsenter", "--target", pid, "--net", "/usr/bin/python3", s_script, "listen", "20"));
        await listener.WaitForOutputAsync("ready");
        (await daemon.Machine.ShellAsync($"nsenter --target $(cat /run/other) --net /usr/bin/python3 {s_script} ask 198.51.100.1 8132")).Succeeds();
        await listener.WaitForOutputAsync("198.51.100.2 5132");
        (await daemon.Docker.Run("run --rm -p 8132:80/sctp busybox true")).Exits(125).Complains("port is already allocated");
    }
}
