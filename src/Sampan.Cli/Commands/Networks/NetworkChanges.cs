using System.Net;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Options;

namespace Sampan.Cli.Commands.Networks;

/// <summary><c>network create</c>, <c>rm</c>, <c>connect</c> and <c>disconnect</c>.</summary>
internal static class NetworkChanges
{
    public static Command Create() => new()
    {
        Name = "create",
        Summary = "Create a network",
        Synopsis = "[OPTIONS] NETWORK",
        Arity = Arity.Exactly(1),
        Setup = static f =>
        {
            var driver = f.Text("driver", 'd', "Driver of the network", "bridge");
            var options = f.List("opt", 'o', "Option of the driver (key=value)", type: "map", defaultText: "map[]");
            var labels = f.List("label", "Label of the network (key=value)");
            var isInternal = f.Switch("internal", "Lead nowhere beyond the host");
            var ipv4 = f.Switch("ipv4", "Give IPv4 addresses", initial: true);
            var ipv6 = f.Switch("ipv6", "Give IPv6 addresses too");
            var attachable = f.Switch("attachable", "Let containers join by hand (any network of this host does)");
            var ingress = f.Switch("ingress", "Make a swarm's routing-mesh network");
            var scope = f.Text("scope", "Scope of the network");
            var configOnly = f.Switch("config-only", "Make a configuration only");
            var configFrom = f.Text("config-from", "Network that the configuration comes from");
            var ipamDriver = f.Text("ipam-driver", "Driver of the addresses", "default");
            var ipamOptions = f.List("ipam-opt", "Option of the addresses' driver (key=value)", type: "map", defaultText: "map[]");
            var subnets = f.Strings("subnet", "Subnet in CIDR form");
            var ranges = f.Strings("ip-range", "Take the containers' addresses from a part of the subnet");
            var gateways = f.Strings("gateway", "Address of the network's own end");
            var auxiliary = f.List("aux-address", "Address that is in use by others (name=address)", type: "map", defaultText: "map[]");
            return (context, args) =>
            {
                var ipam = new JsonObject
                {
                    ["Driver"] = ipamDriver.Value,
                    ["Options"] = ContainerRequest.Map(ipamOptions.Values),
                    ["Config"] = Pools(subnets.Values, ranges.Values, gateways.Values, auxiliary.Values),
                };
                var request = new JsonObject
                {
                    ["Name"] = args[0],
                    ["Driver"] = driver.Value,
                    ["Scope"] = scope.Value,
                    ["Internal"] = isInternal.Value,
                    ["Attachable"] = attachable.Value,
                    ["Ingress"] = ingress.Value,
                    ["ConfigOnly"] = configOnly.Value,
                    ["IPAM"] = ipam,
                    ["Options"] = ContainerRequest.Map(options.Values),
                    ["Labels"] = ContainerRequest.Map(labels.Values),
                };
                if (ipv4.Changed) request["EnableIPv4"] = ipv4.Value;
                if (ipv6.Changed) request["EnableIPv6"] = ipv6.Value;
                if (configFrom.Value.Length > 0) request["ConfigFrom"] = new JsonObject { ["Network"] = configFrom.Value };
                var created = context.Api.Post("/networks/create", request);
                if (created.Text("Warning") is { Length: > 0 } warning) context.ErrorLine("WARNING: " + warning);
                context.Line(created.Text("Id"));
                return 0;
            };
        },
    };

    public static Command Remove() => new()
    {
        Name = "rm",
        Aliases = ["remove"],
        Summary = "Remove networks",
        Synopsis = "[OPTIONS] NETWORK [NETWORK...]",
        Spellings = ["network rm", "network remove"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var force = f.Switch("force", 'f', "It is no failure when the network is not there");
            return (context, args) => Targets.Each(context, args, name =>
            {
                try
                {
                    context.Api.Send("DELETE", $"/networks/{Query.Escape(name)}").Dispose();
                }
                catch (DaemonException e) when (e.NotFound && force)
                {
                    return null;
                }

                return name;
            });
        },
    };

    public static Command Connect() => new()
    {
        Name = "connect",
        Summary = "Connect a container to a network",
        Synopsis = "[OPTIONS] NETWORK CONTAINER",
        Arity = Arity.Exactly(2),
        Setup = static f =>
        {
            var aliases = f.Strings("alias", "Further name in the network");
            var options = f.Strings("driver-opt", "Option of the driver for this place (key=value)");
            var priority = f.Int("gw-priority", "The network with the highest leads out");
            var ip = f.Text("ip", "IPv4 address");
            var ip6 = f.Text("ip6", "IPv6 address");
            var links = f.List("link", "Name of another container for this one (name[:alias])");
            var local = f.Strings("link-local-ip", "Link-local address");
            return (context, args) =>
            {
                var settings = new JsonObject();
                ContainerRequest.List(settings, "Aliases", aliases.Values);
                ContainerRequest.List(settings, "Links", links.Values);
                if (options.Values.Count > 0) settings["DriverOpts"] = ContainerRequest.Map(options.Values);
                if (priority.Changed) settings["GwPriority"] = priority.Value;
                if (ip.Value.Length > 0) EndpointSpec.Object(settings, "IPAMConfig")["IPv4Address"] = ip.Value;
                if (ip6.Value.Length > 0) EndpointSpec.Object(settings, "IPAMConfig")["IPv6Address"] = ip6.Value;
                if (local.Values.Count > 0) EndpointSpec.Object(settings, "IPAMConfig")["LinkLocalIPs"] = ContainerRequest.Strings(local.Values);
                context.Api.Post($"/networks/{Query.Escape(args[0])}/connect", new JsonObject { ["Container"] = args[1], ["EndpointConfig"] = settings });
                return 0;
            };
        },
    };

    public static Command Disconnect() => new()
    {
        Name = "disconnect",
        Summary = "Disconnect a container from a network",
        Synopsis = "[OPTIONS] NETWORK CONTAINER",
        Arity = Arity.Exactly(2),
        Setup = static f =>
        {
            var force = f.Switch("force", 'f', "Take it out whatever state it is in");
            return (context, args) =>
            {
                context.Api.Post($"/networks/{Query.Escape(args[0])}/disconnect", new JsonObject { ["Container"] = args[1], ["Force"] = force.Value });
                return 0;
            };
        },
    };

    /// <summary>Puts ranges, gateways and addresses of others to the subnets they are of.</summary>
    private static JsonArray Pools(List<string> subnets, List<string> ranges, List<string> gateways, List<string> auxiliary)
    {
        if (subnets.Count < ranges.Count || subnets.Count < gateways.Count)
        {
            throw new CliException("every ip-range or gateway must have a corresponding subnet");
        }

        var pools = new List<(IPNetwork Subnet, JsonObject Pool)>();
        foreach (var subnet in subnets)
        {
            if (!IPNetwork.TryParse(subnet, out var network)) throw new CliException($"invalid CIDR address: {subnet}");
            pools.Add((network, new JsonObject { ["Subnet"] = subnet }));
        }

        foreach (var range in ranges)
        {
            if (!IPNetwork.TryParse(range, out var part)) throw new CliException($"invalid CIDR address: {range}");
            Put(part.BaseAddress, "IPRange", range, "range");
        }

        foreach (var gateway in gateways) Put(Address(gateway), "Gateway", gateway, "gateway");
        foreach (var entry in auxiliary)
        {
            var at = entry.IndexOf('=');
            var pool = Of(Address(entry[(at + 1)..])) ?? throw new CliException($"no matching subnet for aux-address {entry[(at + 1)..]}");
            EndpointSpec.Object(pool, "AuxiliaryAddresses")[at < 0 ? entry : entry[..at]] = entry[(at + 1)..];
        }

        return new JsonArray([.. pools.ConvertAll(p => p.Pool)]);

        void Put(IPAddress address, string member, string value, string what)
        {
            var pool = Of(address) ?? throw new CliException($"no matching subnet for {what} {value}");
            if (pool[member] is { } other) throw new CliException($"cannot configure multiple {what}s ({value}, {other}) on the same subnet ({pool["Subnet"]})");
            pool[member] = value;
        }

        JsonObject? Of(IPAddress address) => pools.Find(p => p.Subnet.BaseAddress.AddressFamily == address.AddressFamily && p.Subnet.Contains(address)).Pool;
    }

    private static IPAddress Address(string text) => IPAddress.TryParse(text, out var address) ? address : throw new CliException($"invalid IP address: {text}");
}
