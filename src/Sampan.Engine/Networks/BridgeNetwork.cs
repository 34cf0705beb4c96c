using System.Net.NetworkInformation;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>
/// A network of driver <c>bridge</c>. The predefined one chooses its subnet and name when it is first needed, the others when they are
/// created.
/// </summary>
/// <param name="record">What is stored; what is chosen here is written into it.</param>
/// <param name="choose">Fills what the record lacks, and stores it.</param>
/// <param name="configure">The record as the bridge's configuration.</param>
internal sealed class BridgeNetwork(NetworkRecord record, Action<NetworkRecord> choose, Func<NetworkRecord, BridgeConfig> configure)
    : ContainerNetwork(record)
{
    /// <summary>How often the predefined network makes way for another daemon that was quicker with name or subnet.</summary>
    private const int Attempts = 16;

    private BridgeConfig? _config;

    public BridgeConfig Config
    {
        get
        {
            lock (Gate)
            {
                return _config ??= Configure();
            }
        }
    }

    public override void Detach(Func<Sandbox> sandbox, EndpointRecord endpoint) => BridgeEndpoint.Detach(endpoint.HostInterface);

    protected override void SetUp()
    {
        for (var attempt = 0; !IsReady; attempt++)
        {
            // Another daemon may have taken name or subnet since they were chosen, as long as the bridge was never made; then others are.
            var mayChoose = Record.IsDefaultBridge && !HasPools && attempt < Attempts;
            var config = _config ??= Configure();
            if (mayChoose && Record.Options.Count == 0 && !Bridge.IsTaken(config.Name)
                && Ipam.HostSubnets().Any(s => s.Contains(config.Gateway!) || config.Subnet!.Value.Contains(s.BaseAddress)))
            {
                Forget();
                continue;
            }

            try
            {
                Bridge.Ensure(config);
                IsReady = true;
            }
            catch (NetworkException e) when (e.Kind == NetworkErrorKind.Conflict && mayChoose)
            {
                Forget();
            }
        }
    }

    protected override void TakeDown() => Bridge.Remove(Config.Name);

    protected override EndpointInfo Plug(Sandbox sandbox, List<Place> places, PhysicalAddress mac, string interfaceName) => BridgeEndpoint.Attach(
        sandbox, Config, places.Find(p => p.IsIPv4).Address, mac, interfaceName, defaultRoute: false, places.Find(p => !p.IsIPv4).Address);

    protected override List<AddressPool> Pools()
    {
        _config ??= Configure();
        return base.Pools();
    }

    private BridgeConfig Configure()
    {
        choose(Record);
        return configure(Record);
    }

    private void Forget() => (Record.Subnet, Record.Gateway, Record.Interface, _config) = (null, null, null, null);
}
