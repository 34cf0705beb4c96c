using System.Net;
using System.Net.NetworkInformation;
using Sampan.Linux;
using Sampan.Network;
using Xunit;

namespace Sampan.Tests.Unit.Network;

public sealed class ParentEndpointTests
{
    private static readonly ParentConfig s_parent = new("uplink", false, MacvlanMode.Bridge, null, "test");
    private static readonly PhysicalAddress s_mac = new([2, 0, 0, 0, 0, 9]);

    [Fact]
    public void A_hardware_address_that_is_about_to_be_free_is_waited_for_and_another_s_is_refused() => World.Run(world =>
    {
        using (var host = new RouteSocket())
        using (var probe = world.Outside.OpenNamespace())
        {
            Assert.SkipWhen(Record.Exception(() => host.AddMacvlan("probe", host.FindLink("uplink")!.Index, MacvlanMode.Bridge, s_mac, probe)) is NetlinkException { Errno: Errno.EOPNOTSUPP },
                "this kernel has no macvlan interfaces");
            world.Outside.Routes.DeleteLink("probe");
        }

        var (former, later) = (world.NewSandbox("a"), world.NewSandbox("b"));
        Attach(former);
        var leaving = new Thread(() =>
        {
            Thread.Sleep(200);
            ParentEndpoint.DetachAll(former);
        });
        leaving.Start();
        Attach(later);
        leaving.Join();
        Assert.True(later.Routes.FindLink("eth0")!.IsUp);

        Assert.Equal(Errno.EADDRINUSE, Assert.Throws<NetlinkException>(() => Attach(former)).Errno);
        Assert.Null(former.Routes.FindLink("eth0"));
    });

    private static void Attach(Sandbox sandbox) =>
        ParentEndpoint.Attach(sandbox, s_parent, [(IPAddress.Parse("203.0.113.9"), IPNetwork.Parse("203.0.113.0/24"))], s_mac, "eth0");
}
