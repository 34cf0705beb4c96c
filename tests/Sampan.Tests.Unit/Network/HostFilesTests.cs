using System.Net;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

public sealed class HostFilesTests
{
    private const string Head = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n"
        + "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

    private static readonly IPAddress Own = IPAddress.Parse("172.17.0.2"), Gateway = IPAddress.Parse("172.17.0.1");

    [Fact]
    public void Hosts_end_with_the_containers_own_name() =>
        Assert.Equal(Head + "172.17.0.2\tweb\n", HostFiles.BuildHosts("web", null, [Own], []));

    [Fact]
    public void Hosts_hold_the_full_name_first_and_extra_hosts_before() => Assert.Equal(
        Head + "10.0.0.7\tdb\n172.17.0.1\thost.docker.internal\nfd00::1\tsix\n172.17.0.2\tweb.example.org web\n",
        HostFiles.BuildHosts("web", "example.org", [Own], HostFiles.ParseExtraHosts(["db:10.0.0.7", "host.docker.internal:host-gateway", "six:[fd00::1]"], [Gateway])));

    [Fact]
    public void Hosts_of_the_hosts_network_are_the_hosts() => Assert.Equal(
        "127.0.0.1 localhost\n10.0.0.7\tdb\n",
        HostFiles.BuildHostsOfHostNetwork("127.0.0.1 localhost", HostFiles.ParseExtraHosts(["db:10.0.0.7"], [])));

    [Theory]
    [InlineData("db", "bad format for add-host: \"db\"")]
    [InlineData(":1.2.3.4", "bad format for add-host: \":1.2.3.4\"")]
    [InlineData("a b:1.2.3.4", "bad format for add-host: \"a b:1.2.3.4\"")]
    [InlineData("a\nb:1.2.3.4", "bad format for add-host: \"a\nb:1.2.3.4\"")]
    [InlineData("db:1.2.3", "invalid IP address in add-host: \"1.2.3\"")]
    [InlineData("db:nowhere", "invalid IP address in add-host: \"nowhere\"")]
    [InlineData("db:host-gateway", "unable to derive the IP value for host-gateway")]
    public void Bad_extra_hosts_are_refused(string value, string message) =>
        Assert.Equal(message, Assert.Throws<NetworkException>(() => HostFiles.ParseExtraHosts([value], [])).Message);

    [Theory]
    [InlineData("nameserver 10.0.0.53\nsearch a.org b.org\noptions ndots:2 edns0\n", "nameserver 10.0.0.53|search a.org b.org|options ndots:2 edns0")]
    [InlineData("nameserver 127.0.0.53\nnameserver 10.0.0.53 # mine\nnameserver ::1\n", "nameserver 10.0.0.53")]
    [InlineData("nameserver 127.0.0.1\n", "nameserver 8.8.8.8|nameserver 8.8.4.4")]
    [InlineData("", "nameserver 8.8.8.8|nameserver 8.8.4.4")]
    [InlineData("nameserver fe80::1%eth0\nnameserver 2001:db8::1\n", "nameserver 8.8.8.8|nameserver 8.8.4.4")]
    [InlineData("domain a.org\nsearch b.org\nnameserver 1.1.1.1\r\n", "nameserver 1.1.1.1|search b.org")]
    [InlineData("; nameserver 9.9.9.9\nnonsense\nnameserver\nnameserver 1.1.1.1", "nameserver 1.1.1.1")]
    public void The_hosts_resolver_is_kept_as_far_as_a_container_reaches_it(string host, string expected) =>
        Assert.Equal(expected, Lines(HostFiles.BuildResolvConf(host, DnsOverrides.None)));

    [Theory]
    [InlineData("9.9.9.9", "", "", "nameserver 9.9.9.9|search a.org|options ndots:2")]
    [InlineData("127.0.0.1 9.9.9.9", "c.org", "", "nameserver 127.0.0.1|nameserver 9.9.9.9|search c.org|options ndots:2")]
    [InlineData("", ".", "use-vc rotate", "nameserver 10.0.0.53|options use-vc rotate")]
    public void What_the_user_says_replaces_the_hosts(string dns, string search, string options, string expected)
    {
        static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        const string host = "nameserver 10.0.0.53\nsearch a.org\noptions ndots:2\n";
        Assert.Equal(expected, Lines(HostFiles.BuildResolvConf(host, new DnsOverrides(Words(dns), Words(search), Words(options)))));
    }

    [Fact]
    public void IPv6_servers_stay_on_a_network_that_has_it() =>
        Assert.Equal("nameserver 2001:db8::1", Lines(HostFiles.BuildResolvConf("nameserver 2001:db8::1\n", DnsOverrides.None, ipv6: true)));

    [Fact]
    public void On_the_hosts_network_loopback_servers_stay() =>
        Assert.Equal("nameserver 127.0.0.53", Lines(HostFiles.BuildResolvConfOfHostNetwork("nameserver 127.0.0.53\n", DnsOverrides.None)));

    [Theory]
    [InlineData("nameserver 10.0.0.53\nsearch a.org\n", "", "nameserver 127.0.0.11|search a.org|options ndots:0")]
    [InlineData("nameserver 10.0.0.53\noptions ndots:2\n", "", "nameserver 127.0.0.11|options ndots:2")]
    [InlineData("options edns0\n", "rotate", "nameserver 127.0.0.11|options rotate ndots:0")]
    public void Where_containers_have_names_the_resolver_is_the_one_server(string host, string options, string expected) => Assert.Equal(
        expected, Lines(HostFiles.BuildResolvConfOfUserNetwork(host, new DnsOverrides(["9.9.9.9"], [], options.Length > 0 ? [options] : []))));

    [Fact]
    public void Behind_the_stub_of_systemd_its_servers_are_found()
    {
        var directory = Directory.CreateTempSubdirectory("sampan-resolv-");
        try
        {
            var (etc, run) = (Path.Combine(directory.FullName, "etc"), Path.Combine(directory.FullName, "run"));
            Assert.Equal("", HostFiles.ReadHostResolvConf(etc, run));
            File.WriteAllText(etc, "nameserver 127.0.0.53\n");
            Assert.Equal("nameserver 127.0.0.53\n", HostFiles.ReadHostResolvConf(etc, run));
            File.WriteAllText(run, "nameserver 10.0.0.53\n");
            Assert.Equal("nameserver 10.0.0.53\n", HostFiles.ReadHostResolvConf(etc, run));
            File.WriteAllText(etc, "nameserver 127.0.0.53\nnameserver 1.1.1.1\n");
            Assert.StartsWith("nameserver 127", HostFiles.ReadHostResolvConf(etc, run));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static string Lines(string resolvConf) =>
        string.Join('|', resolvConf.Split('\n').Where(line => line.Length > 0 && line[0] != '#'));
}
