using System.Globalization;
using System.Net;
using System.Text;
using Sampan.Engine.Containers;
using Sampan.Engine.Networks;
using Sampan.Network;

namespace Sampan.Engine;

/// <summary>A container's hostname, hosts and resolv.conf.</summary>
public sealed partial class EngineService
{
    private void WriteHostFiles(ContainerRecord record)
    {
        var (config, host) = (record.Config, record.HostConfig);
        if (host.NetworkMode.StartsWith(ContainerMode, StringComparison.Ordinal))
        {
            return; // it shares the other's
        }

        var directory = DataDirectory(record.Id);
        var shared = host.NetworkMode == "host";
        File.WriteAllText(Path.Combine(directory, "hostname"), config.Hostname + "\n");
        var extra = HostFiles.ParseExtraHosts(host.ExtraHosts ?? [], HostGateway(record)).Concat(LinkedHosts(record));
        File.WriteAllText(Path.Combine(directory, "hosts"), shared
            ? HostFiles.BuildHostsOfHostNetwork(File.Exists("/etc/hosts") ? File.ReadAllText("/etc/hosts") : "", extra)
            : HostFiles.BuildHosts(config.Hostname, config.Domainname, record.Endpoints.SelectMany(e => e.Addresses), extra));
        File.WriteAllText(Path.Combine(directory, "resolv.conf"), ResolvConf(record));
    }

    private string ResolvConf(ContainerRecord record)
    {
        var dns = DnsOf(record.HostConfig);
        var resolv = HostFiles.ReadHostResolvConf();
        return record.HostConfig.NetworkMode is "host" ? HostFiles.BuildResolvConfOfHostNetwork(resolv, dns)
            : record.Endpoints.Exists(HasNames) ? HostFiles.BuildResolvConfOfUserNetwork(resolv, dns)
            : HostFiles.BuildResolvConf(resolv, dns);
    }

    /// <summary>
    /// After networks came or went: the container asks the resolver, or the servers themselves. A file that the container has changed is
    /// its own affair.
    /// </summary>
    private void ChangeResolvConf(ContainerRecord record, string former)
    {
        var path = Path.Combine(DataDirectory(record.Id), "resolv.conf");
        var text = ResolvConf(record);
        if (text != former && File.ReadAllText(path) == former)
        {
            File.WriteAllText(path, text);
        }
    }

    /// <summary>What <c>host-gateway</c> stands for: what the daemon was told, or the host's addresses on the default bridge.</summary>
    private List<IPAddress> HostGateway(ContainerRecord record)
    {
        if (record.HostConfig.ExtraHosts?.Exists(host => host.EndsWith(":" + HostFiles.HostGateway, StringComparison.Ordinal)) != true)
        {
            return [];
        }

        if (_options.HostGateways.Count > 0 || _options.Bridge == "none")
        {
            return [.. _options.HostGateways.Select(IPAddress.Parse)];
        }

        // The container may be on another network, and the first one of all.
        var bridge = _networks.DefaultBridge;
        if (!bridge.IsReady)
        {
            bridge.Ensure();
        }

        return [.. ((IPAddress?[])[bridge.Config.Gateway, bridge.Config.Gateway6]).OfType<IPAddress>()];
    }

    /// <summary>The lines of <c>--link</c> on the default bridge: alias, name and host name of each linked container at its address.</summary>
    private IEnumerable<(string Name, IPAddress Address)> LinkedHosts(ContainerRecord record)
    {
        foreach (var (target, alias) in Links(record))
        {
            var address = target.Endpoints.Find(e => e.Network == "bridge")?.Address;
            if (address is not null)
            {
                IEnumerable<string> names = [alias, target.Config.Hostname, target.Name];
                yield return (string.Join(' ', names.Distinct()), IPAddress.Parse(address));
            }
        }
    }

    /// <summary>The containers that are linked on the default bridge, with the alias of each.</summary>
    private IEnumerable<(ContainerRecord Target, string Alias)> Links(ContainerRecord record) => (record.HostConfig is { NetworkMode: "bridge", Links: { } links } ? links : []).Select(link =>
    {
        var (name, alias) = SplitLink(link);
        return (_containers.Get(name).Record, alias);
    });

    private static (string Name, string Alias) SplitLink(string link)
    {
        var colon = link.IndexOf(':');
        var name = (colon < 0 ? link : link[..colon]).TrimStart('/');
        return (name, colon < 0 ? name : link[(colon + 1)..].Split('/')[^1]);
    }

    /// <summary>The variables that Docker gives a container for each that it is linked to: where its exposed ports are.</summary>
    private IEnumerable<string> LinkVariables(ContainerRecord record)
    {
        foreach (var (target, alias) in Links(record))
        {
            if (target.Endpoints.Find(e => e.Network == "bridge")?.Address is not { } address)
            {
                throw EngineException.Invalid(target.IsRunning
                    ? $"Cannot link to /{target.Name}, as it does not belong to the default network"
                    : $"Cannot link to a non running container: /{target.Name} AS /{record.Name}/{alias}");
            }

            var prefix = alias.Replace('-', '_').ToUpperInvariant();
            yield return $"{prefix}_NAME=/{record.Name}/{alias}";
            var ports = (target.Config.ExposedPorts?.Keys ?? Enumerable.Empty<string>()).Select(PortRequests.ReadKey).OrderBy(p => p.Protocol != PortProtocol.Tcp).ThenBy(p => p.Port).ToList();
            for (var i = 0; i < ports.Count; i++)
            {
                var (protocol, port) = (ports[i].Protocol.ToString().ToLowerInvariant(), ports[i].Port);
                var name = $"{prefix}_PORT_{port}_{protocol.ToUpperInvariant()}";
                if (i == 0)
                {
                    yield return $"{prefix}_PORT={protocol}://{address}:{port}";
                }

                yield return $"{name}={protocol}://{address}:{port}";
                yield return $"{name}_ADDR={address}";
                yield return $"{name}_PORT={port}";
                yield return $"{name}_PROTO={protocol}";
            }

            foreach (var variable in target.Config.Env ?? [])
            {
                if (!variable.StartsWith("PATH=", StringComparison.Ordinal) && !variable.StartsWith("HOME=", StringComparison.Ordinal))
                {
                    yield return $"{prefix}_ENV_{variable}";
                }
            }
        }
    }

    /// <summary>
    /// Adds or takes the container's own name at addresses in its hosts file, in place: the file is mounted, and may have been changed
    /// by the container.
    /// </summary>
    private void ChangeHosts(ContainerRecord record, IEnumerable<IPAddress> addresses, bool present)
    {
        var path = Path.Combine(DataDirectory(record.Id), "hosts");
        var names = record.Config.Domainname.Length > 0 ? $"{record.Config.Hostname}.{record.Config.Domainname} {record.Config.Hostname}" : record.Config.Hostname;
        var text = new StringBuilder();
        foreach (var line in File.ReadAllLines(path).Where(l => !addresses.Any(a => l.StartsWith($"{a}\t", StringComparison.Ordinal))))
        {
            text.Append(line).Append('\n');
        }

        foreach (var address in present ? addresses : [])
        {
            text.Append(CultureInfo.InvariantCulture, $"{address}\t{names}\n");
        }

        File.WriteAllText(path, text.ToString());
    }
}
