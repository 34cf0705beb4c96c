using System.Text.Json.Nodes;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>
/// Lives beside a host whose iptables (the nft kind) drops what is forwarded unless told otherwise, as Docker and some firewalls set it. An
/// accept in our own table is not the last word there: packets must pass every table. So, on such hosts only, two rules that accept a
/// bridge's traffic go on top of that chain; our own table, which they must pass too, still decides what is allowed.
/// </summary>
internal static class ForeignForward
{
    private const string Comment = "sampan:";

    /// <summary>Adds the two rules where they are needed and missing.</summary>
    public static void Allow(Nftables nftables, string bridge)
    {
        if (FindChain(nftables, onlyDropping: true) is not { } chain || RulesOf(nftables, chain, bridge).Count > 0)
        {
            return;
        }

        nftables.Run(NftJson.Transaction(((string[])["iifname", "oifname"]).Select(side => NftJson.Command("insert", "rule", new JsonObject
        {
            ["family"] = "ip",
            ["table"] = "filter",
            ["chain"] = chain,
            ["comment"] = Comment + bridge,
            ["expr"] = new JsonArray(
                NftJson.Match(NftJson.Meta(side), bridge),
                new JsonObject { ["counter"] = new JsonObject { ["packets"] = 0, ["bytes"] = 0 } },
                NftJson.Verdict("accept")),
        }))));
    }

    /// <summary>Removes the two rules where they are.</summary>
    public static void Forget(Nftables nftables, string bridge)
    {
        if (FindChain(nftables, onlyDropping: false) is not { } chain || RulesOf(nftables, chain, bridge) is not { Count: > 0 } handles)
        {
            return;
        }

        nftables.Run(NftJson.Transaction(handles.Select(handle => NftJson.Command("delete", "rule", new JsonObject
        {
            ["family"] = "ip",
            ["table"] = "filter",
            ["chain"] = chain,
            ["handle"] = handle,
        }))));
    }

    /// <summary>
    /// DOCKER-USER where Docker keeps it, since Docker renews what comes after it; else FORWARD; null when there is nothing to do.
    /// </summary>
    private static string? FindChain(Nftables nftables, bool onlyDropping)
    {
        var chains = NftJson.Items(nftables.Run("{\"nftables\":[{\"list\":{\"chains\":{\"family\":\"ip\"}}}]}"), "chain")
            .Where(chain => (string?)chain["table"] == "filter").ToList();
        var forward = chains.Find(chain => (string?)chain["name"] == "FORWARD" && (string?)chain["hook"] == "forward");
        return forward is null || (onlyDropping && (string?)forward["policy"] != "drop") ? null
            : chains.Exists(chain => (string?)chain["name"] == "DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
    }

    private static List<long> RulesOf(Nftables nftables, string chain, string bridge)
    {
        var command = new JsonObject { ["family"] = "ip", ["table"] = "filter", ["name"] = chain };
        return
        [
            .. from rule in NftJson.Items(nftables.Run(NftJson.Transaction([NftJson.Command("list", "chain", command)])), "rule")
               where (string?)rule["comment"] == Comment + bridge
               select (long)rule["handle"]!,
        ];
    }
}
