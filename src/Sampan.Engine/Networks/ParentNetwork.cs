using System.Net.NetworkInformation;
using Sampan.Linux;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>
/// A network of driver <c>macvlan</c> or <c>ipvlan</c>: its containers are beside the host, on the network of one of its interfaces.
/// </summary>
/// <param name="record">What is stored.</param>
/// <param name="ownerTag">Names the daemon.</param>
internal sealed class ParentNetwork(NetworkRecord record, string ownerTag) : ContainerNetwork(record)
{
    public const string Macvlan = "macvlan", Ipvlan = "ipvlan", ParentOption = "parent";

    private const string MacvlanModeOption = "macvlan_mode", IpvlanModeOption = "ipvlan_mode", IpvlanFlagOption = "ipvlan_flag";
    private readonly ParentConfig _parent = Configure(record, ownerTag);

    /// <summary>True where containers have no gateway: the host's interface routes for them.</summary>
    public bool IsRouted => _parent.IsRouted;

    /// <summary>The interface of the host: the one given, or Docker's name for one that is made.</summary>
    public static string InterfaceOf(NetworkRecord record) => HasParent(record.Options) ? record.Options[ParentOption]
        : $"{(record.Driver == Macvlan ? "dm" : "di")}-{record.Id[..12]}";

    /// <summary>Reads the driver's options. Errors are dockerd's.</summary>
    public static ParentConfig Configure(NetworkRecord record, string ownerTag)
    {
        string Option(string name) => record.Options.GetValueOrDefault(name, "");
        if (Option(ParentOption) == "lo")
        {
            throw EngineException.Invalid($"loopback interface is not a valid {record.Driver} parent link");
        }

        var isMacvlan = record.Driver == Macvlan;
        return new ParentConfig(InterfaceOf(record), !HasParent(record.Options), isMacvlan ? MacvlanModeOf(Option(MacvlanModeOption)) : null,
            isMacvlan ? null : (IpvlanModeOf(Option(IpvlanModeOption)), IpvlanFlagOf(Option(IpvlanFlagOption))), ownerTag);
    }

    public override void Detach(Func<Sandbox> sandbox, EndpointRecord endpoint) => ParentEndpoint.Detach(sandbox(), endpoint.Interface);

    protected override void SetUp()
    {
        if (!IsReady)
        {
            Parent.Ensure(_parent);
            IsReady = true;
        }
    }

    protected override void TakeDown() => Parent.Remove(_parent.Name, ownerTag);

    protected override EndpointInfo Plug(Sandbox sandbox, List<Place> places, PhysicalAddress mac, string interfaceName)
    {
        var own = ParentEndpoint.Attach(sandbox, _parent, [.. places.Select(p => (p.Address, p.Pool.Subnet))], mac, interfaceName);
        var (four, six) = (places.Find(p => p.IsIPv4), places.Find(p => !p.IsIPv4));
        return new EndpointInfo("", interfaceName, four.Address, four.Pool?.Subnet.PrefixLength ?? 0, four.Pool?.Gateway, own)
        {
            Address6 = six.Address,
            PrefixLength6 = six.Pool?.Subnet.PrefixLength ?? 0,
            Gateway6 = six.Pool?.Gateway,
        };
    }

    private static bool HasParent(Dictionary<string, string> options) => options.GetValueOrDefault(ParentOption) is { Length: > 0 };

    private static MacvlanMode MacvlanModeOf(string text) => text switch
    {
        "" or "bridge" => MacvlanMode.Bridge,
        "private" => MacvlanMode.Private,
        "vepa" => MacvlanMode.Vepa,
        "passthru" => MacvlanMode.Passthru,
        _ => throw EngineException.Invalid($"requested macvlan mode '{text}' is not valid, 'bridge' mode is the macvlan driver default"),
    };

    private static IpvlanMode IpvlanModeOf(string text) => text switch
    {
        "" or "l2" => IpvlanMode.L2,
        "l3" => IpvlanMode.L3,
        "l3s" => IpvlanMode.L3S,
        _ => throw EngineException.Invalid($"requested ipvlan mode '{text}' is not valid, 'l2' mode is the ipvlan driver default"),
    };

    private static IpvlanFlag IpvlanFlagOf(string text) => text switch
    {
        "" or "bridge" => IpvlanFlag.Bridge,
        "private" => IpvlanFlag.Private,
        "vepa" => IpvlanFlag.Vepa,
        _ => throw EngineException.Invalid($"requested ipvlan flag '{text}' is not valid, 'bridge' is the ipvlan driver default"),
    };
}
