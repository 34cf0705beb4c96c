using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>A new connection's first packet, as it comes to a hook of the kernel's.</summary>
/// <param name="Protocol">The protocol.</param>
/// <param name="Destination">Where it goes to at that hook.</param>
/// <param name="Port">To which port there.</param>
/// <param name="OutInterface">The interface it will leave by; null when it stays.</param>
/// <param name="IsTranslated">Whether its destination was another before.</param>
public sealed record Packet(PortProtocol Protocol, IPAddress Destination, int Port, string? OutInterface, bool IsTranslated);

/// <summary>What a rule of somebody's firewall does to a packet.</summary>
/// <param name="Rule">Table, chain, handle and the rule's words.</param>
/// <param name="IsCertain">False when the rule asks for what is not known of the packet, as its source.</param>
public sealed record Refusal(string Rule, bool IsCertain);

/// <summary>
/// Follows a packet through the rules that others than Sampan have in nftables (iptables' are there too, where it is of the nft kind), and
/// finds those that would drop it.
/// </summary>
public static class PacketPath
{
    private const int DeepestJump = 16;

    /// <summary>The rules that drop or may drop a packet at a hook, in the order in which it meets them; the first certain one is the last.</summary>
    /// <param name="hook"><c>input</c> or <c>forward</c>.</param>
    /// <param name="packet">The packet.</param>
    /// <exception cref="NftablesException">The library is missing.</exception>
    public static IReadOnlyList<Refusal> Refusals(string hook, Packet packet)
    {
        var listing = Firewall.Current.Run(new JsonObject { ["list"] = new JsonObject { ["ruleset"] = null } });
        var rules = NftJson.Items(listing, "rule").ToLookup(ChainOf);
        var family = packet.Destination.AddressFamily == AddressFamily.InterNetwork ? "ip" : "ip6";
        var found = new List<Refusal>();
        foreach (var chain in NftJson.Items(listing, "chain").Where(c => (string?)c["hook"] == hook
            && ((string?)c["family"] == "inet" || (string?)c["family"] == family) && (string?)c["table"] != FirewallRules.Table).OrderBy(c => (int?)c["prio"] ?? 0))
        {
            var key = ((string)chain["family"]!, (string)chain["table"]!, (string)chain["name"]!);
            var verdict = Walk(rules, key, packet, found, 0) ?? (string?)chain["policy"] ?? "accept";
            if (verdict == "drop" && !found.Exists(r => r.IsCertain))
            {
                found.Add(new Refusal($"{Name(key)}: policy drop", IsCertain: true));
            }

            if (found.Exists(r => r.IsCertain))
            {
                break;
            }
        }

        return found;
    }

    /// <summary>The verdict that ends a chain for the packet, or null when it comes to the end.</summary>
    private static string? Walk(ILookup<(string, string, string), JsonObject> rules, (string Family, string Table, string Chain) chain, Packet packet, List<Refusal> found, int depth)
    {
        foreach (var rule in depth > DeepestJump ? [] : rules[chain])
        {
            var expressions = rule["expr"]?.AsArray().OfType<JsonObject>().ToList() ?? [];
            var answers = expressions.Select(e => NftMatch.Answer(e, packet)).ToList();
            if (answers.Contains(false))
            {
                continue;
            }

            var isCertain = !answers.Contains(null);
            foreach (var expression in expressions)
            {
                var (word, argument) = (expression.First().Key, expression.First().Value);
                switch (word)
                {
                    case "drop" or "reject":
                        found.Add(new Refusal($"{Name(chain)}, handle {rule["handle"]}: {NftMatch.Words(expressions)}", isCertain));
                        if (isCertain)
                        {
                            return "drop";
                        }

                        break;
                    case "accept" when isCertain:
                        return "accept";
                    case "return" when isCertain:
                        return null;
                    case "jump" or "goto":
                        var inner = Walk(rules, (chain.Family, chain.Table, (string)argument!["target"]!), packet, found, depth + 1);
                        if (isCertain && (inner is not null || word == "goto"))
                        {
                            return inner;
                        }

                        break;
                }
            }
        }

        return null;
    }

    private static (string, string, string) ChainOf(JsonObject rule) => ((string)rule["family"]!, (string)rule["table"]!, (string)rule["chain"]!);

    private static string Name((string Family, string Table, string Chain) chain) => $"table {chain.Family} {chain.Table}, chain {chain.Chain}";
}
