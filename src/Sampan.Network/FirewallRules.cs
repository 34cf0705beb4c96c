using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using static Sampan.Network.NftJson;

namespace Sampan.Network;

/// <summary>
/// The table <c>inet sampan</c>, shared by all daemons of the host: a fixed list of rules over sets and maps, so that a network or a
/// published port is a few elements and costs the same however many there are. Bridges are named, not numbered: their rules outlive them.
/// <code>
/// raw          to 127.0.0.0/8, iifname @bridges → drop                  what route_localnet would let through
/// forward      established → accept (most packets: it costs no look-up in a set); neither end @bridges → accept (not ours); ct status dnat → accept (published)
///              iifname . oifname @icc → accept; where iifname is not @internal, for each family: oifname @open → accept,
///              address . protocol . port @routed_ports → accept, oifname @routed, echo requests → accept
///              oifname @bridges → drop (other bridges, strangers); iifname @internal → drop
/// prerouting   to an address of the host → publish      output  the same for the host's own connections
/// publish      to ::1 → return (see PortMapper); for each family dnat by protocol . address . port, then by protocol . port;
///              then the same for ranges of ports, which stay the same
/// postrouting  for each family snat to the address that iifname has in @source, oifname not @bridges
///              for each family iifname @masquerade, oifname not @bridges → masquerade   containers reach the world
///              oifname . saddr @own4, @own6, ct status dnat → masquerade  a container reaches its own bridge's published port
///              from 127.0.0.0/8, oifname @bridges → masquerade          localhost reaches a published port
/// </code>
/// </summary>
internal static class FirewallRules
{
    public const string Family = "inet", Table = "sampan";
    private const string Own4 = "own4", Own6 = "own6", Bridges = "@bridges";

    /// <summary>The families' names: the digit in names of sets, of <c>meta nfproto</c>, of headers, and of the protocol of echo requests.</summary>
    private static readonly (char Digit, string Protocol, string Header, string Echo)[] Families = [('4', "ipv4", "ip", "icmp"), ('6', "ipv6", "ip6", "icmpv6")];

    /// <summary>The sets of bridges' subnets, one of each family.</summary>
    public static IReadOnlyList<string> OwnSubnets { get; } = [Own4, Own6];

    /// <summary>The maps from bridges to the address of the host that their packets wear outside, one of each family.</summary>
    public static IReadOnlyList<string> Sources { get; } = ["source4", "source6"];

    /// <summary>The maps of published ports, as prefixes of two maps each: by address and port, and by port alone.</summary>
    public static IReadOnlyList<string> PortMaps { get; } = ["ports4", "ports4_any", "ports6", "ports6_any"];

    /// <summary>The maps of published ranges of ports, by protocol, address and range or without an address, to the container's address.</summary>
    public static IReadOnlyList<string> RangeMaps { get; } = ["ranges4", "ranges4_any", "ranges6", "ranges6_any"];

    /// <summary>The sets of ports that are published at containers' own addresses, by address, protocol and port or range.</summary>
    public static IReadOnlyList<string> RoutedPorts { get; } = [RoutedPortsOf(true), RoutedPortsOf(false)];

    /// <summary>The set of a family.</summary>
    public static string RoutedPortsOf(bool isIPv4) => isIPv4 ? "routed_ports4" : "routed_ports6";

    /// <summary>
    /// Brings table, sets, maps and chains into being and renews the rules; elements stay. One transaction, so no packet meets half of
    /// it.
    /// </summary>
    public static IEnumerable<JsonObject> Skeleton()
    {
        yield return Command("add", "table", new JsonObject { ["family"] = Family, ["name"] = Table });
        foreach (var (name, type) in Sets())
        {
            var set = Named(name, new() { ["type"] = type });
            if (OwnSubnets.Contains(name) || RoutedPorts.Contains(name))
            {
                set["flags"] = new JsonArray("interval");
            }

            yield return Command("add", "set", set);
        }

        foreach (var (name, key, value) in Maps())
        {
            yield return Command("add", "map", Named(name, new() { ["type"] = key, ["map"] = value }));
        }

        foreach (var name in Sources)
        {
            yield return Command("add", "map", Named(name, new() { ["type"] = "ifname", ["map"] = AddressOf(name) }));
        }

        foreach (var name in RangeMaps)
        {
            yield return Command("add", "map", Named(name, new() { ["type"] = KeyOf(name), ["map"] = AddressOf(name), ["flags"] = new JsonArray("interval") }));
        }

        foreach (var (name, type, hook, priority) in Chains())
        {
            yield return Command("add", "chain", Named(name, type is null ? [] : new()
            {
                ["type"] = type,
                ["hook"] = hook,
                ["prio"] = priority,
                ["policy"] = "accept",
            }));
            yield return Command("flush", "chain", Named(name, []));
        }

        foreach (var (chain, expressions) in Rules())
        {
            yield return Command("add", "rule", new JsonObject
            {
                ["family"] = Family,
                ["table"] = Table,
                ["chain"] = chain,
                ["expr"] = new JsonArray([.. expressions]),
            });
        }
    }

    /// <summary>The elements of a bridge that is there: those it has are added, those it has not are removed.</summary>
    public static IEnumerable<JsonObject> Elements(BridgeConfig bridge) => Elements(bridge.Name, bridge);

    /// <summary>The addresses of the host that a bridge's packets wear, where it has such.</summary>
    public static IEnumerable<JsonObject> SourcesOf(BridgeConfig bridge)
    {
        foreach (var (map, source, mode) in ((string, IPAddress?, GatewayMode)[])
            [(Sources[0], bridge.Source, bridge.Mode), (Sources[1], bridge.Source6, bridge.Mode6)])
        {
            if (bridge is { Internal: false, Masquerade: true } && source is not null && mode is GatewayMode.Nat or GatewayMode.NatUnprotected)
            {
                yield return Element("add", map, new JsonArray(bridge.Name, source.ToString()));
            }
        }
    }

    /// <summary>Removes all elements of a bridge but its subnets and sources.</summary>
    public static IEnumerable<JsonObject> Removal(string bridge) => Elements(bridge, null);

    private static IEnumerable<JsonObject> Elements(string bridge, BridgeConfig? config)
    {
        List<(string Set, JsonNode Element, bool Member)> wanted =
        [
            ("bridges", bridge, config is not null),
            ("icc", Concat(bridge, bridge), config?.Icc == true),
            ("internal", bridge, config?.Internal == true),
        ];
        foreach (var (digit, _, _, _) in Families)
        {
            var mode = digit == '4' ? config?.Mode : config?.Mode6;
            var leadsOut = config is { Internal: false };
            wanted.Add(($"masquerade{digit}", bridge, leadsOut && config!.Masquerade && mode is GatewayMode.Nat or GatewayMode.NatUnprotected));
            wanted.Add(($"open{digit}", bridge, leadsOut && mode == GatewayMode.NatUnprotected));
            wanted.Add(($"routed{digit}", bridge, leadsOut && mode == GatewayMode.Routed));
        }

        foreach (var (set, element, member) in wanted)
        {
            yield return Element("add", set, element);
            if (!member)
            {
                // Removing what is not there is an error; what was just added is there.
                yield return Element("delete", set, element.DeepClone());
            }
        }
    }

    /// <summary>The subnet of a bridge in the set of subnets.</summary>
    public static JsonObject Subnet(string verb, string bridge, IPNetwork subnet) =>
        Element(verb, subnet.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? Own4 : Own6, Concat(bridge, Prefix(subnet.BaseAddress.ToString(), subnet.PrefixLength)));

    /// <summary>Takes a subnet out of the set, whether it is in it or not: what was just added can be deleted without error.</summary>
    public static JsonObject[] SubnetRemoval(string bridge, IPNetwork subnet) => [Subnet("add", bridge, subnet), Subnet("delete", bridge, subnet)];

    /// <summary>Adds or deletes an element of a set or map.</summary>
    public static JsonObject Element(string verb, string set, JsonNode element) => Elements(verb, set, [element]);

    /// <summary>Adds or deletes elements of a set or map.</summary>
    public static JsonObject Elements(string verb, string set, IEnumerable<JsonNode> elements) =>
        Command(verb, "element", Named(set, new() { ["elem"] = new JsonArray([.. elements]) }));

    private static (string Name, JsonNode Type)[] Sets() =>
    [
        ("bridges", "ifname"),
        ("internal", "ifname"),
        .. Families.SelectMany(f => ((string, JsonNode)[])
        [
            ($"masquerade{f.Digit}", "ifname"),
            ($"open{f.Digit}", "ifname"),
            ($"routed{f.Digit}", "ifname"),
            (RoutedPortsOf(f.Digit == '4'), new JsonArray($"{f.Protocol}_addr", "inet_proto", "inet_service")),
        ]),
        (Own4, new JsonArray("ifname", "ipv4_addr")),
        (Own6, new JsonArray("ifname", "ipv6_addr")),
        ("icc", new JsonArray("ifname", "ifname")),
    ];

    private static IEnumerable<(string Name, JsonNode Key, JsonNode Value)> Maps() => PortMaps.SelectMany(map =>
        ((string, JsonNode, JsonNode)[])[(map + "_address", KeyOf(map), AddressOf(map)), (map + "_port", KeyOf(map), "inet_service")]);

    private static JsonArray KeyOf(string map) =>
        IsOfAnyAddress(map) ? new("inet_proto", "inet_service") : new("inet_proto", AddressOf(map), "inet_service");

    private static string AddressOf(string map) => IsIPv4(map) ? "ipv4_addr" : "ipv6_addr";

    private static bool IsIPv4(string map) => map.Contains('4', StringComparison.Ordinal);

    private static bool IsOfAnyAddress(string map) => map.EndsWith("_any", StringComparison.Ordinal);

    private static (string Name, string? Type, string? Hook, int Priority)[] Chains() =>
    [
        ("publish", null, null, 0),
        ("raw", "filter", "prerouting", -300),
        ("prerouting", "nat", "prerouting", -100),
        ("output", "nat", "output", -100),
        ("forward", "filter", "forward", 0),
        ("postrouting", "nat", "postrouting", 100),
    ];

    private static IEnumerable<(string Chain, JsonObject[] Expressions)> Rules()
    {
        yield return ("raw", [Match(Payload("ip", "daddr"), Prefix("127.0.0.0", 8)), In(Bridges), Verdict("drop")]);

        yield return ("forward", [Match(Ct("state"), new JsonArray("established", "related"), "in"), Verdict("accept")]);
        yield return ("forward", [In(Bridges, "!="), Out(Bridges, "!="), Verdict("accept")]);
        yield return ("forward", [Match(Ct("status"), "dnat", "in"), Verdict("accept")]);
        yield return ("forward", [InAndOut("@icc"), Verdict("accept")]);
        foreach (var (digit, protocol, header, echo) in Families)
        {
            JsonObject[] From(params JsonObject[] rest) => [Match(Meta("nfproto"), protocol), In("@internal", "!="), .. rest, Verdict("accept")];
            yield return ("forward", From(Out($"@open{digit}")));
            yield return ("forward", From(Match(Concat(Payload(header, "daddr"), Meta("l4proto"), Payload("th", "dport")), "@" + RoutedPortsOf(digit == '4'))));
            yield return ("forward", From(Out($"@routed{digit}"), Match(Payload(echo, "type"), "echo-request")));
        }

        yield return ("forward", [Out(Bridges), Verdict("drop")]);
        yield return ("forward", [In("@internal"), Verdict("drop")]);

        foreach (var chain in (string[])["prerouting", "output"])
        {
            yield return (chain, [Match(LocalDestination(), "local"), new() { ["jump"] = new JsonObject { ["target"] = "publish" } }]);
        }

        yield return ("publish", [Match(Payload("ip6", "daddr"), "::1"), Verdict("return")]);
        foreach (var map in PortMaps)
        {
            yield return ("publish", [Dnat(map)]);
        }

        foreach (var map in RangeMaps)
        {
            yield return ("publish", [Dnat(map)]);
        }

        foreach (var name in Sources)
        {
            // A bridge that is not in the map goes on to the next rule.
            yield return ("postrouting", [Out(Bridges, "!="), new()
            {
                ["snat"] = new JsonObject
                {
                    ["family"] = IsIPv4(name) ? "ip" : "ip6",
                    ["addr"] = new JsonObject { ["map"] = new JsonObject { ["key"] = Meta("iifname"), ["data"] = "@" + name } },
                },
            }]);
        }

        foreach (var (digit, protocol, _, _) in Families)
        {
            yield return ("postrouting", [Match(Meta("nfproto"), protocol), In($"@masquerade{digit}"), Out(Bridges, "!="), Verdict("masquerade")]);
        }

        // By source address and not by iifname: where br_netfilter is on, such a packet is bridged after its translation and has no
        // iifname here.
        foreach (var (family, own) in ((string, string)[])[("ip", Own4), ("ip6", Own6)])
        {
            var toItself = Match(Concat(Meta("oifname"), Payload(family, "saddr")), "@" + own);
            yield return ("postrouting", [toItself, Match(Ct("status"), "dnat", "in"), Verdict("masquerade")]);
        }

        yield return ("postrouting", [Match(Payload("ip", "saddr"), Prefix("127.0.0.0", 8)), Out(Bridges), Verdict("masquerade")]);
    }

    private static JsonObject In(string set, string op = "==") => Match(Meta("iifname"), set, op);

    private static JsonObject Out(string set, string op = "==") => Match(Meta("oifname"), set, op);

    private static JsonObject InAndOut(string set) => Match(Concat(Meta("iifname"), Meta("oifname")), set);

    private static JsonObject LocalDestination() =>
        new() { ["fib"] = new JsonObject { ["result"] = "type", ["flags"] = new JsonArray("daddr") } };

    // Two maps with one key rather than one map to "address . port": the JSON of libnftables 1.0.6 makes a set of such a map and crashes
    // on its use. Of a range, the port stays what it is.
    private static JsonObject Dnat(string map)
    {
        var family = IsIPv4(map) ? "ip" : "ip6";
        JsonObject Key() => IsOfAnyAddress(map) ? Concat(Meta("l4proto"), Payload("th", "dport"))
            : Concat(Meta("l4proto"), Payload(family, "daddr"), Payload("th", "dport"));
        JsonObject Lookup(string name) => new() { ["map"] = new JsonObject { ["key"] = Key(), ["data"] = $"@{name}" } };
        return new()
        {
            ["dnat"] = RangeMaps.Contains(map)
                ? new JsonObject { ["family"] = family, ["addr"] = Lookup(map) }
                : new JsonObject { ["family"] = family, ["addr"] = Lookup(map + "_address"), ["port"] = Lookup(map + "_port") },
        };
    }

    private static JsonObject Named(string name, JsonObject body)
    {
        (body["family"], body["table"], body["name"]) = (Family, Table, name);
        return body;
    }
}
