using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>The table <c>sampan</c> of one network namespace. Thread-safe; each change is one transaction.</summary>
internal sealed class Firewall
{
    // A context belongs to the namespace in which it was made and costs 7 ms: one is kept per namespace. A daemon has one namespace; the
    // context's socket holds it, so its number cannot be given to another meanwhile.
    private static readonly ConcurrentDictionary<string, Lazy<Firewall>> ByNamespace = new();
    private readonly Nftables _nftables = new();

    /// <summary>The calling thread's namespace's. The first use in a namespace costs about 7 ms.</summary>
    /// <exception cref="NftablesException">The library is not installed.</exception>
    public static Firewall Current
    {
        get
        {
            // The value must be made on this thread, for it is this thread's namespace. Lazy does so; it also keeps an exception, which
            // is not wanted: a library installed later shall be found.
            var key = NetworkNamespace.Current;
            var lazy =
                ByNamespace.GetOrAdd(key, _ => new Lazy<Firewall>(() => new Firewall()));
            try
            {
                return lazy.Value;
            }
            catch
            {
                ByNamespace.TryRemove(new KeyValuePair<string, Lazy<Firewall>>(key, lazy));
                throw;
            }
        }
    }

    /// <summary>Sets up the table and a bridge in it.</summary>
    /// <param name="config">The bridge.</param>
    /// <param name="former">Subnets it had before.</param>
    public void Add(BridgeConfig config, IEnumerable<IPNetwork> former)
    {
        Run(
        [
            .. FirewallRules.Skeleton(),
            .. FirewallRules.Elements(config),
            .. former.SelectMany(subnet => FirewallRules.SubnetRemoval(config.Name, subnet)),
            .. config.Subnets.Select(subnet => FirewallRules.Subnet("add", config.Name, subnet)),
            .. FirewallRules.SourcesOf(config),
        ]);
        ForeignForward.Allow(_nftables, config.Name);
    }

    /// <summary>Takes a bridge out of the table.</summary>
    public void Remove(string bridge)
    {
        Run([.. FirewallRules.Skeleton(), .. FirewallRules.Removal(bridge)]);
        Run(
        [
            .. from set in FirewallRules.OwnSubnets
               from subnet in SubnetsOf(set, bridge)
               select FirewallRules.Element("delete", set, subnet),
            .. from map in FirewallRules.Sources
               from source in Elements(map)
               where (string?)source.Key == bridge
               select FirewallRules.Element("delete", map, source.Key.DeepClone()),
        ]);

        ForeignForward.Forget(_nftables, bridge);
    }

    /// <summary>Takes the whole table away.</summary>
    public void RemoveTable()
    {
        JsonObject Table() => new() { ["family"] = FirewallRules.Family, ["name"] = FirewallRules.Table };
        Run([NftJson.Command("add", "table", Table()), NftJson.Command("delete", "table", Table())]);
    }

    /// <summary>Runs commands as one transaction.</summary>
    public string Run(params IReadOnlyCollection<JsonObject> commands) => commands.Count == 0 ? "" : _nftables.Run(NftJson.Transaction(commands));

    /// <summary>The elements of a map; none when the table or the map is not there.</summary>
    public List<(JsonNode Key, JsonNode? Value)> Elements(string map)
    {
        var what = new JsonObject { ["family"] = FirewallRules.Family, ["table"] = FirewallRules.Table, ["name"] = map };
        try
        {
            return
            [
                .. from found in NftJson.Items(Run([NftJson.Command("list", "map", what)]), "map")
                   from element in found["elem"]?.AsArray() ?? []
                   select (element![0]!, element[1]),
            ];
        }
        catch (NftablesException e) when (e.IsMissing)
        {
            return [];
        }
    }

    /// <summary>The elements of a set; none when the table or the set is not there.</summary>
    public List<JsonNode> Members(string name)
    {
        var set = new JsonObject { ["family"] = FirewallRules.Family, ["table"] = FirewallRules.Table, ["name"] = name };
        try
        {
            return [.. NftJson.Items(Run([NftJson.Command("list", "set", set)]), "set").SelectMany(found => found["elem"]?.AsArray() ?? []).OfType<JsonNode>()];
        }
        catch (NftablesException e) when (e.IsMissing)
        {
            return [];
        }
    }

    private IEnumerable<JsonNode> SubnetsOf(string name, string bridge) =>
        Members(name).Where(element => (string?)element["concat"]?[0] == bridge).Select(element => element.DeepClone());
}
