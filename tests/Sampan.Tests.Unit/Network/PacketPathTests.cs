using System.Net;
using Sampan.Linux;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

/// <summary>What other people's firewalls do to a packet, as told from their rules.</summary>
public sealed class PacketPathTests
{
    private static readonly Packet Forwarded = new(PortProtocol.Tcp, IPAddress.Parse("172.17.0.2"), 80, "sampan0", IsTranslated: true);

    [Theory]
    [InlineData("tcp dport 80 drop", "certain")]
    [InlineData("tcp dport { 22, 80 } reject", "certain")]
    [InlineData("tcp dport 79-81 drop", "certain")]
    [InlineData("ip daddr 172.17.0.0/16 drop", "certain")]
    [InlineData("oifname \"sampan*\" drop", "certain")]
    [InlineData("ct state established accept; ct state new drop", "certain")]
    [InlineData("jump other", "certain")]
    [InlineData("iifname \"eth0\" tcp dport 80 drop", "possible")]
    [InlineData("ip saddr 192.0.2.0/24 drop", "possible")]
    [InlineData("udp dport 80 drop", "none")]
    [InlineData("tcp dport 81 drop", "none")]
    [InlineData("ip6 daddr ::/0 drop", "none")]
    [InlineData("ct status dnat accept; drop", "none")]
    [InlineData("oifname != \"sampan0\" drop", "none")]
    public void A_rule_is_found_that_drops_a_packet_or_may(string rules, string expected) => World.Run(_ =>
    {
        using var nftables = new Nftables();
        nftables.Run("add table inet own; add chain inet own other; add rule inet own other tcp dport 80 drop");
        nftables.Run("add chain inet own forward { type filter hook forward priority 0; }");
        foreach (var rule in rules.Split("; "))
        {
            nftables.Run($"add rule inet own forward {rule}");
        }

        var found = PacketPath.Refusals("forward", Forwarded);
        Assert.Equal(expected, found.Count == 0 ? "none" : found.Single().IsCertain ? "certain" : "possible");
        Assert.All(found, refusal => Assert.StartsWith("table inet own, chain ", refusal.Rule));
    });

    [Fact]
    public void A_chain_that_drops_what_no_rule_accepts_is_named() => World.Run(_ =>
    {
        using var nftables = new Nftables();
        nftables.Run("add table inet own; add chain inet own input { type filter hook input priority 0; policy drop; }; add rule inet own input tcp dport 22 accept");
        Packet To(int port) => new(PortProtocol.Tcp, World.HostAddress, port, null, IsTranslated: false);
        Assert.Empty(PacketPath.Refusals("input", To(22)));
        Assert.Equal("table inet own, chain input: policy drop", Assert.Single(PacketPath.Refusals("input", To(23))).Rule);
    });
}
