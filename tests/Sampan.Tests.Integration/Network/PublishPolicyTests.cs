using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Which firewall decides over a published port.</summary>
public sealed class PublishPolicyTests
{
    private const string Drop = "nft add table inet own; nft add chain inet own input '{ type filter hook input priority 0; }'; nft add rule inet own input ";

    [Fact]
    public async Task Under_the_hosts_firewall_a_rule_of_INPUT_drops_what_comes_to_a_published_port()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no such policy");
        await using Daemon daemon = await Daemon.StartAsync("--publish-policy host-firewall");
        await OtherHost.AddAsync(daemon);
        var reach = new Reach(daemon);
        await reach.RunAsync("web", "-p 8080:80 -p 8080:80/udp -p 8081:80");
        await reach.ServeAsync("web", 80);
        string gateway = await reach.GatewayAsync("bridge", six: false);
        string[] questions = ["tcp 198.51.100.1 8080", "udp 198.51.100.1 8080", "tcp 198.51.100.1 8081", "tcp 2001:db8::1 8080"];
        Assert.Equal([gateway, gateway, gateway, gateway], await reach.AskAsync("other machine", questions));
        (await daemon.Machine.ShellAsync(Drop + "meta l4proto { tcp, udp } th dport 8080 iifname up0 drop")).Succeeds();
        Assert.Equal(["-", "-", gateway, "-"], await reach.AskAsync("other machine", questions));
        Assert.Equal([gateway], await reach.AskAsync("host", ["tcp 127.0.0.1 8080"]));
        (await daemon.Sampan.Run("net explain 198.51.100.1:8080")).Succeeds().Shows("=> reaches container web").Shows("may be dropped").Shows("table inet own, chain input");
        (await daemon.Docker.Run("run --rm -p 8090:80/sctp busybox true")).Exits(125).Complains("publish policy");
    }

    [Fact]
    public async Task As_with_Docker_a_published_port_is_open_whatever_INPUT_says()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        var reach = new Reach(daemon);
        await reach.RunAsync("web", "-p 8080:80");
        await reach.ServeAsync("web", 80);
        (await daemon.Machine.ShellAsync(Drop + "tcp dport 8080 drop")).Succeeds();
        Assert.Equal(["198.51.100.2"], await reach.AskAsync("other machine", ["tcp 198.51.100.1 8080"]));
    }

    [Fact]
    public async Task Net_explain_tells_the_container_and_the_rule_that_decides()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no such command");
        await using Daemon daemon = await Daemon.StartAsync();
        await OtherHost.AddAsync(daemon);
        var reach = new Reach(daemon);
        await reach.RunAsync("web", "-p 8080:80");
        await reach.ServeAsync("web", 80);
        (await daemon.Sampan.Run("net explain 8080")).Succeeds().Shows("0.0.0.0:8080/tcp  container web").Shows("=> reaches container web at 172.17.0.2:80").Shows("[::]:8080/tcp");
        (await daemon.Sampan.Run("net explain 198.51.100.1:8080/udp")).Succeeds().Shows("no container publishes this port").Shows("=> goes to the host's programs");
        (await daemon.Machine.ShellAsync("nft add table inet own; nft add chain inet own forward '{ type filter hook forward priority 0; }'; nft add rule inet own forward tcp dport 80-90 drop")).Succeeds();
        (await daemon.Sampan.Run("net explain 198.51.100.1:8080")).Succeeds().Shows("=> dropped by the host's rule: table inet own, chain forward").Shows("tcp dport 80-90 drop");
        Assert.Equal(["-"], await reach.AskAsync("other machine", ["tcp 198.51.100.1 8080"]));
        (await daemon.Machine.ShellAsync(Drop + "tcp dport 9999 drop")).Succeeds();
        (await daemon.Sampan.Run("net explain 9999")).Succeeds().Shows("=> dropped by the host's rule: table inet own, chain input");
        (await daemon.Sampan.Run("net explain 0")).Fails();
    }
}
