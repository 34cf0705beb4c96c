using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Sampan.Network;

/// <summary>Asks an expression of a rule (libnftables-json(5)) whether it holds for a packet.</summary>
internal static class NftMatch
{
    /// <summary>True and false where the packet tells; null where that depends on what is not known of it. What is no question is true.</summary>
    public static bool? Answer(JsonObject expression, Packet packet)
    {
        if (expression["match"] is not JsonObject match)
        {
            return expression.ContainsKey("xt") || expression.ContainsKey("limit") || expression.ContainsKey("vmap") ? null : true;
        }

        var (isKnown, value) = Value(match["left"], packet);
        if (!isKnown)
        {
            return null;
        }

        if (value is null)
        {
            return false; // the rule is of another protocol or family
        }

        var holds = Holds(match["right"], value);
        return (string?)match["op"] switch
        {
            "==" or "in" => holds,
            "!=" => !holds,
            _ => null,
        };
    }

    /// <summary>A rule in about the words that nft prints.</summary>
    public static string Words(IEnumerable<JsonObject> expressions) => string.Join(' ', expressions.Select(e => e["match"] is JsonObject match
        ? $"{Text(match["left"])}{((string?)match["op"] is "==" or "in" ? "" : $" {match["op"]}")} {Text(match["right"])}"
        : e.First().Key).Where(word => word != "counter"));

    private static (bool IsKnown, string? Value) Value(JsonNode? left, Packet packet)
    {
        var isIPv4 = packet.Destination.GetAddressBytes().Length == 4;
        var protocol = packet.Protocol.ToString().ToLowerInvariant();
        if (left?["payload"] is JsonObject payload)
        {
            return ((string?)payload["protocol"], (string?)payload["field"]) switch
            {
                ("th", "dport") => (true, packet.Port.ToString(CultureInfo.InvariantCulture)),
                ("tcp" or "udp" or "sctp", _) when (string?)payload["protocol"] != protocol => (true, null),
                ("tcp" or "udp" or "sctp", "dport") => (true, packet.Port.ToString(CultureInfo.InvariantCulture)),
                ("icmp" or "icmpv6", _) => (true, null),
                ("ip", _) when !isIPv4 => (true, null),
                ("ip6", _) when isIPv4 => (true, null),
                ("ip" or "ip6", "daddr") => (true, packet.Destination.ToString()),
                ("ip", "protocol") or ("ip6", "nexthdr") => (true, protocol),
                _ => default,
            };
        }

        return ((string?)left?["meta"]?["key"], (string?)left?["ct"]?["key"]) switch
        {
            ("l4proto", _) => (true, protocol),
            ("nfproto", _) => (true, isIPv4 ? "ipv4" : "ipv6"),
            ("oif" or "oifname", _) when packet.OutInterface is not null => (true, packet.OutInterface),
            ("iif" or "iifname", _) => (false, null),
            (_, "state") => (true, "new"),
            (_, "status") => (true, packet.IsTranslated ? "dnat" : "none"),
            _ => default,
        };
    }

    private static bool Holds(JsonNode? right, string value) => right switch
    {
        JsonArray several => several.Any(one => Holds(one, value)),
        JsonObject set when set["set"] is { } members => members is JsonArray ? Holds(members, value) : members.ToString() == value,
        JsonObject range when range["range"] is JsonArray { Count: 2 } ends => Number(value) is { } number
            && Number(ends[0]!.ToString()) is { } first && Number(ends[1]!.ToString()) is { } last && number >= first && number <= last,
        JsonObject prefix when prefix["prefix"] is JsonObject of => IPAddress.TryParse(value, out var address)
            && IPNetwork.TryParse($"{of["addr"]}/{of["len"]}", out var network) && network.Contains(address),
        JsonValue text when text.ToString().EndsWith('*') => value.StartsWith(text.ToString()[..^1], StringComparison.Ordinal),
        _ => right?.ToString() == value,
    };

    private static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string Text(JsonNode? node) => node switch
    {
        JsonObject o when o["payload"] is { } payload => $"{payload["protocol"]} {payload["field"]}",
        JsonObject o when (o["meta"] ?? o["ct"]) is { } key => o.ContainsKey("ct") ? $"ct {key["key"]}" : $"{key["key"]}",
        JsonObject o when o["set"] is { } set => Text(set),
        JsonObject o when o["range"] is JsonArray range => $"{range[0]}-{range[1]}",
        JsonObject o when o["prefix"] is { } prefix => $"{prefix["addr"]}/{prefix["len"]}",
        JsonArray several => $"{{ {string.Join(", ", several.Select(Text))} }}",
        _ => node?.ToString() ?? "",
    };
}
