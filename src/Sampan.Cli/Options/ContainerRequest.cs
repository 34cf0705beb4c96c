using System.Text.Json;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Options;

/// <summary>
/// Turns the flags of run and create into the body of <c>POST /containers/create</c>. Plain JSON nodes, because the wire types' metadata
/// would cost 3 ms of every start (5.3 against 3.1 ms of processor time, measured).
/// </summary>
internal static class ContainerRequest
{
    /// <param name="flags">Parsed.</param>
    /// <param name="args">Image, command and arguments.</param>
    public static JsonObject Build(ContainerFlags flags, List<string> args)
    {
        if (flags.Pull.Value is not ("always" or "missing" or "never"))
        {
            throw new CliException($"invalid pull option: '{flags.Pull.Value}': must be one of \"always\", \"missing\" or \"never\"");
        }

        var process = flags.Process;
        var ports = new List<PublishedPort>();
        foreach (var spec in flags.Network.Publish.Values) ports.AddRange(PortSpec.ParsePublish(spec));
        var (binds, volumes) = Volumes(flags.Limits.Volumes.Values);
        var attachAll = process.Attach.Values.Count == 0;
        var config = new JsonObject
        {
            ["Image"] = args[0],
            ["AttachStdin"] = process.Interactive || process.Attach.Values.Contains("stdin"),
            ["AttachStdout"] = attachAll || process.Attach.Values.Contains("stdout"),
            ["AttachStderr"] = attachAll || process.Attach.Values.Contains("stderr"),
            ["Tty"] = process.Tty.Value,
            ["OpenStdin"] = process.Interactive.Value,
            ["StdinOnce"] = process.Interactive.Value,
        };
        Text(config, "Hostname", flags.Network.HostName.Value);
        Text(config, "Domainname", flags.Network.DomainName.Value);
        Text(config, "User", process.User.Value);
        Text(config, "WorkingDir", process.WorkDir.Value);
        Text(config, "StopSignal", process.StopSignal.Value);
        if (process.StopTimeout.Changed) config["StopTimeout"] = process.StopTimeout.Value;
        if (args.Count > 1) config["Cmd"] = Strings(args[1..]);
        if (process.Entrypoint.Changed) config["Entrypoint"] = new JsonArray(process.Entrypoint.Value);
        if (volumes.Count > 0) config["Volumes"] = volumes;
        if (flags.Health.Build() is { } health) config["Healthcheck"] = health;
        Env(config, process);
        Labels(config, process);
        ExposedPorts(config, flags.Network, ports);
        config["HostConfig"] = HostConfigRequest.Build(flags, binds, ports);
        if (Endpoints(flags.Network) is { } endpoints) config["NetworkingConfig"] = new JsonObject { ["EndpointsConfig"] = endpoints };
        if (flags.Limits.Remove && flags.Limits.Restart.Value is not ("" or "no"))
        {
            throw new CliException("conflicting options: cannot specify both --restart and --rm");
        }

        return config;
    }

    public static JsonArray Strings(IEnumerable<string> values)
    {
        var array = new JsonArray();
        foreach (var value in values) array.Add((JsonNode)JsonValue.Create(value)!);
        return array;
    }

    public static void Text(JsonObject target, string name, string value)
    {
        if (value.Length > 0) target[name] = value;
    }

    public static void List(JsonObject target, string name, List<string> values)
    {
        if (values.Count > 0) target[name] = Strings(values);
    }

    /// <summary><c>key=value</c> words as an object; a word without <c>=</c> has the empty value.</summary>
    public static JsonObject Map(IEnumerable<string> values)
    {
        var map = new JsonObject();
        foreach (var value in values)
        {
            var at = value.IndexOf('=');
            map[at < 0 ? value : value[..at]] = at < 0 ? "" : value[(at + 1)..];
        }

        return map;
    }

    /// <summary>Tells binds (which name a source) from anonymous volumes (which do not).</summary>
    private static (JsonArray Binds, JsonObject Anonymous) Volumes(List<string> specs)
    {
        var binds = new JsonArray();
        var anonymous = new JsonObject();
        foreach (var spec in specs)
        {
            if (spec.Length == 0) throw new CliException("invalid empty volume spec");
            var parts = spec.Split(':');
            if (parts.Length > 3) throw new CliException($"invalid spec: {spec}: too many colons");
            if (parts.Length == 1)
            {
                anonymous[spec] = new JsonObject();
                continue;
            }

            // The daemon cannot know what "./data" is relative to.
            var source = parts[0].StartsWith('.') ? Path.GetFullPath(parts[0]) : parts[0];
            binds.Add((JsonNode)JsonValue.Create(source + spec[parts[0].Length..])!);
        }

        return (binds, anonymous);
    }

    private static void Env(JsonObject config, ProcessFlags process)
    {
        var env = new List<string>();
        foreach (var file in process.EnvFiles.Values) env.AddRange(KeyValueFiles.Read(file, "env", Environment.GetEnvironmentVariable));
        env.AddRange(process.Env.Values);
        List(config, "Env", env);
    }

    private static void Labels(JsonObject config, ProcessFlags process)
    {
        var labels = new List<string>();
        foreach (var file in process.LabelFiles.Values) labels.AddRange(KeyValueFiles.Read(file, "label", null));
        labels.AddRange(process.Labels.Values);
        if (labels.Count > 0) config["Labels"] = Map(labels);
    }

    private static void ExposedPorts(JsonObject config, NetworkFlags network, List<PublishedPort> published)
    {
        var exposed = new JsonObject();
        foreach (var port in published) exposed[port.ContainerPort] = new JsonObject();
        foreach (var spec in network.Expose.Values)
        {
            foreach (var port in PortSpec.ParseExpose(spec)) exposed[port] = new JsonObject();
        }

        if (exposed.Count > 0) config["ExposedPorts"] = exposed;
    }

    private static JsonObject? Endpoints(NetworkFlags flags)
    {
        var endpoints = new JsonObject();
        foreach (var network in flags.Networks.Values)
        {
            var (name, settings) = EndpointSpec.Parse(network);
            if (endpoints.ContainsKey(name)) throw new CliException($"network \"{name}\" is specified multiple times");
            endpoints[name] = settings;
        }

        if (endpoints.Count == 0) endpoints["default"] = new JsonObject();
        var first = First(endpoints);
        RefuseTwice(flags.Aliases.Values.Count > 0, first, "Aliases", "--network-alias and per-network alias");
        RefuseTwice(flags.Ip.Value.Length > 0, first["IPAMConfig"], "IPv4Address", "--ip and per-network IPv4 address");
        RefuseTwice(flags.Ip6.Value.Length > 0, first["IPAMConfig"], "IPv6Address", "--ip6 and per-network IPv6 address");
        RefuseTwice(flags.LinkLocalIps.Values.Count > 0, first["IPAMConfig"], "LinkLocalIPs", "--link-local-ip and per-network link-local IP addresses");
        if (flags.Aliases.Values.Count > 0) first["Aliases"] = Strings(flags.Aliases.Values);
        if (flags.Links.Values.Count > 0 && IsUserDefined(flags.Networks.Values.Count > 0 ? EndpointSpec.Parse(flags.Networks.Values[0]).Network : "default")) first["Links"] = Strings(flags.Links.Values);
        if (flags.Ip.Value.Length > 0) EndpointSpec.Object(first, "IPAMConfig")["IPv4Address"] = flags.Ip.Value;
        if (flags.Ip6.Value.Length > 0) EndpointSpec.Object(first, "IPAMConfig")["IPv6Address"] = flags.Ip6.Value;
        if (flags.LinkLocalIps.Values.Count > 0) EndpointSpec.Object(first, "IPAMConfig")["LinkLocalIPs"] = Strings(flags.LinkLocalIps.Values);
        if (flags.MacAddress.Value is { Length: > 0 } mac)
        {
            first["MacAddress"] = EndpointSpec.Mac(mac) ?? throw new CliException($"{mac} is not a valid mac address");
        }

        CheckTogether(endpoints);

        // What says nothing beyond the network mode is not sent.
        return endpoints.Count > 1 || first.Count > 0 ? endpoints : null;
    }

    private static JsonObject First(JsonObject endpoints)
    {
        foreach (var (_, settings) in endpoints) return (JsonObject)settings!;
        throw new JsonException("no endpoint");
    }

    private static void RefuseTwice(bool isSaid, JsonNode? settings, string member, string what)
    {
        if (isSaid && settings?[member] is not null) throw new CliException($"conflicting options: cannot specify both {what}");
    }

    /// <summary>Networks of the user's and others do not go together, and only the user's have names.</summary>
    private static void CheckTogether(JsonObject endpoints)
    {
        var own = 0;
        foreach (var (name, settings) in endpoints)
        {
            own += IsUserDefined(name) ? 1 : 0;
            if (!IsUserDefined(name) && settings!["Aliases"] is not null) throw new CliException("network-scoped aliases are only supported for user-defined networks");
        }

        if (own > 0 && own < endpoints.Count)
        {
            throw new CliException("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
        }
    }

    private static bool IsUserDefined(string network) =>
        network is not ("default" or "bridge" or "host" or "none") && !network.StartsWith("container:", StringComparison.Ordinal);
}
