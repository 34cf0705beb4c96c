using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Engine.Networks;
using Sampan.Linux;
using Sampan.Network;

namespace Sampan.Engine;

/// <summary>The network side of a container's life: its sandbox, its places in networks, its published ports.</summary>
public sealed partial class EngineService
{
    private const string ContainerMode = "container:";

    /// <summary>Where the network namespace is that a container joins when it is made; null for the host's.</summary>
    /// <param name="own">Its sandbox; null where it has none of its own, but the host's or another container's.</param>
    private string? NetworkNamespaceOf(ContainerRecord record, SafeFileHandle? own) =>
        own is not null ? NetworkNamespace.PathOf(own)
        : IsOnHostNetwork(record) ? null
        : NamespaceOf(NetworkHolder(record.HostConfig.NetworkMode).Record, "net");

    private bool IsOnHostNetwork(ContainerRecord record) => record.HostConfig.NetworkMode is var mode
        && (mode == "host" || (mode.StartsWith(ContainerMode, StringComparison.Ordinal) && IsOnHostNetwork(NetworkHolder(mode).Record)));

    /// <summary>Where the container's hosts, hostname and resolv.conf are: with its network it shares the files of another.</summary>
    private string NetworkFilesOf(ContainerRecord record) => record.HostConfig.NetworkMode is var mode && mode.StartsWith(ContainerMode, StringComparison.Ordinal)
        ? NetworkFilesOf(NetworkHolder(mode).Record)
        : DataDirectory(record.Id);

    private Container NetworkHolder(string mode) => _containers.Get(mode[ContainerMode.Length..]);

    /// <summary>
    /// Before the container is made: (1) a namespace, (2) a place in each of its networks, (3) the way out, (4) its published ports, (5) its names.
    /// </summary>
    private void ConnectNetwork(Container container, UndoStack undo)
    {
        var record = container.Record;
        var mode = record.HostConfig.NetworkMode;
        if (mode == "host" || mode.StartsWith(ContainerMode, StringComparison.Ordinal))
        {
            RequireHolderRuns(record, mode);
            return;
        }

        try
        {
            // :: 1 namespace
            container.Sandbox = Sandbox.Create(SandboxName(container));
            undo.Push("network", () => DisconnectNetwork(container));
            if (mode == "none")
            {
                return;
            }

            // :: 2 networks
            foreach (var (name, settings) in AskedNetworks(record))
            {
                AttachEndpoint(container, _networks.Get(name), settings);
            }

            // :: 3 way out, 4 ports
            if (WayOutOf(record) is { } wayOut)
            {
                SetWayOut(container.Sandbox, record);
                PublishPorts(container, wayOut);
            }

            // :: 5 names
            PublishNames(container);
        }
        catch (Exception e) when (e is EngineException or NetworkException or NetlinkException)
        {
            throw new EngineException(EngineException.KindOf(e), $"failed to set up container networking: {e.Message}", e);
        }
    }

    /// <summary>Gives everything back that the network took; each part may be gone already.</summary>
    private void DisconnectNetwork(Container container)
    {
        var record = container.Record;
        _ports.Release(container.Id, record.Ports, PublishedAt(record));
        record.Ports = [];
        foreach (var endpoint in record.Endpoints)
        {
            if (_networks.Find(endpoint.NetworkId) is { } network)
            {
                _networks.Network(network.Id).Release(endpoint.Addresses);
                PublishNetwork(network, "disconnect", container);
            }
        }

        if (container.Sandbox is not null && IsOnParent(record))
        {
            ParentEndpoint.DetachAll(container.Sandbox);
        }

        record.Endpoints = [];
        _names.Remove(container.Id);

        // With the namespace go the pairs of interfaces.
        container.Sandbox?.Dispose();
        container.Sandbox = null;
    }

    private static bool IsOnParent(ContainerRecord record) => record.Endpoints.Exists(e => e.HostInterface.Length == 0);

    /// <summary>
    /// The networks asked for, the one of the network mode first; that one alone where none is left, but for a container that runs and was
    /// disconnected from its last.
    /// </summary>
    private static IEnumerable<KeyValuePair<string, EndpointSettings>> AskedNetworks(ContainerRecord record)
    {
        var mode = record.HostConfig.NetworkMode;
        var isLeft = record.IsRunning && mode is not ("host" or "none") && !record.Endpoints.Exists(e => e.Network == mode);
        if (record.Networks.Count == 0 && !mode.StartsWith(ContainerMode, StringComparison.Ordinal) && !isLeft)
        {
            yield return new(mode, new EndpointSettings());
        }

        foreach (var asked in record.Networks.OrderByDescending(n => n.Key == mode))
        {
            yield return asked;
        }
    }

    private EndpointRecord AttachEndpoint(Container container, NetworkRecord network, EndpointSettings settings)
    {
        var record = container.Record;
        var joined = _networks.Network(network.Id);
        List<IPAddress> wanted = [.. ((string?[])[settings.IPAMConfig?.IPv4Address, settings.IPAMConfig?.IPv6Address]).Where(a => a is { Length: > 0 }).Select(a => IPAddress.Parse(a!))];
        var mac = (settings.MacAddress is { Length: > 0 } own ? own : network.Name == record.HostConfig.NetworkMode ? record.Config.MacAddress : null) is { Length: > 0 } text
            ? PhysicalAddress.Parse(text.Replace(':', '-').ToUpperInvariant())
            : null;
        var name = EndpointOptions.InterfaceName(settings, network, record.Endpoints.Select(e => e.Interface).ToHashSet());
        var info = joined.Attach(container.Sandbox!, wanted, mac, name);
        var isRouted = joined is ParentNetwork { IsRouted: true };
        var leadsBy = !network.Internal && !isRouted;
        var endpoint = new EndpointRecord
        {
            Id = Names.NewId(),
            NetworkId = network.Id,
            Network = network.Name,
            Interface = info.InterfaceName,
            HostInterface = info.HostInterface,
            Address = info.Address?.ToString() ?? "",
            PrefixLength = info.PrefixLength,
            Gateway = leadsBy ? info.Gateway?.ToString() ?? "" : "",
            Mac = EndpointInfo.Format(info.Mac),
            Address6 = info.Address6?.ToString() ?? "",
            PrefixLength6 = info.PrefixLength6,
            Gateway6 = leadsBy ? info.Gateway6?.ToString() ?? "" : "",
            IsRouted = isRouted && !network.Internal,
        };
        try
        {
            EndpointOptions.Apply(settings, container.Sandbox!, info.InterfaceName);
        }
        catch
        {
            joined.Detach(() => container.Sandbox!, endpoint); // the container may run, and have other networks
            joined.Release(endpoint.Addresses);
            throw;
        }

        record.Endpoints = [.. record.Endpoints, endpoint]; // readers see the old list or the new one
        PublishNetwork(network, "connect", container);
        return endpoint;
    }

    /// <summary>The network that leads out: the highest priority, then the first by name, as Docker has it; null when none leads out.</summary>
    private static EndpointRecord? GatewayOf(ContainerRecord record) => ByPriority(record).FirstOrDefault(e => e.LeadsOut);

    /// <summary>The network by which IPv6 leaves.</summary>
    private static EndpointRecord? Gateway6Of(ContainerRecord record) => ByPriority(record).FirstOrDefault(e => e.LeadsOut6);

    /// <summary>The network by which anything leaves.</summary>
    private static EndpointRecord? WayOutOf(ContainerRecord record) => GatewayOf(record) ?? Gateway6Of(record);

    private static IEnumerable<EndpointRecord> ByPriority(ContainerRecord record) => record.Endpoints
        .OrderByDescending(e => record.Networks.GetValueOrDefault(e.Network)?.GwPriority ?? 0)
        .ThenBy(e => e.Network, StringComparer.Ordinal);

    /// <summary>The addresses to which published ports lead, at most one of each family.</summary>
    private List<PortTarget> PublishedAt(ContainerRecord record)
    {
        PortTarget Target(EndpointRecord endpoint, bool isIPv4) => new(IPAddress.Parse(isIPv4 ? endpoint.Address : endpoint.Address6),
            _networks.Find(endpoint.NetworkId) is { Driver: "bridge" } network && NetworkRequest.Mode(network.Options, isIPv4) == GatewayMode.Routed);
        var targets = new List<PortTarget>(2);
        if (GatewayOf(record) is { } four)
        {
            targets.Add(Target(four, isIPv4: true));
        }

        if (Gateway6Of(record) is { } six)
        {
            targets.Add(Target(six, isIPv4: false));
        }

        return targets;
    }

    private static void SetWayOut(Sandbox sandbox, ContainerRecord record)
    {
        if (GatewayOf(record) is { } four)
        {
            SetWayOut(sandbox, four, four.Gateway, IPAddress.Any);
        }

        if (Gateway6Of(record) is { } six)
        {
            SetWayOut(sandbox, six, six.Gateway6, IPAddress.IPv6Any);
        }
    }

    private static void SetWayOut(Sandbox sandbox, EndpointRecord endpoint, string gateway, IPAddress anywhere)
    {
        if (gateway.Length > 0)
        {
            BridgeEndpoint.SetDefaultRoute(sandbox, IPAddress.Parse(gateway), endpoint.Interface);
        }
        else
        {
            ParentEndpoint.SetDefaultRoute(sandbox, new IPNetwork(anywhere, 0), endpoint.Interface);
        }
    }

    private void PublishPorts(Container container, EndpointRecord gateway)
    {
        var record = container.Record;
        var requests = PortRequests.Read(record.HostConfig, record.Config);
        var network = _networks.Get(gateway.NetworkId);
        if (requests.Count == 0 || network.IsOnParent)
        {
            return;
        }

        List<IPAddress> anywhere = network.Options.TryGetValue(NetworkRequest.HostBindingOption, out var text) && IPAddress.Parse(text) is var own && !own.Equals(IPAddress.Any) ? [own]
            : Socket.OSSupportsIPv6 ? [IPAddress.Any, IPAddress.IPv6Any]
            : [IPAddress.Any];
        try
        {
            SetHairpin(record);
            record.Ports = _ports.Publish(container.Id, network.Interface!, PublishedAt(record), requests, anywhere);
        }
        catch (NetworkException e)
        {
            throw new EngineException(ErrorKind.System,
                $"driver failed programming external connectivity on endpoint {record.Name} ({gateway.Id}): {e.Message}", e);
        }
    }

    /// <summary>After a network came or went while the container runs: the way out and the ports follow.</summary>
    private void FollowGateway(Container container, List<PortTarget> former)
    {
        var record = container.Record;
        var gateway = WayOutOf(record);
        var addresses = PublishedAt(record);
        if (addresses.SequenceEqual(former))
        {
            return;
        }

        if (gateway is null || _networks.Get(gateway.NetworkId).IsOnParent)
        {
            _ports.Release(container.Id, record.Ports, former);
            record.Ports = [];
            SetWayOut(SandboxOf(container), record);
            return;
        }

        SetWayOut(SandboxOf(container), record);
        if (_ports.TryMove(container.Id, _networks.Get(gateway.NetworkId).Interface!, addresses))
        {
            SetHairpin(record);
        }
        else
        {
            PublishPorts(container, gateway);
        }
    }

    private static void SetHairpin(ContainerRecord record)
    {
        foreach (var hostInterface in ((EndpointRecord?[])[GatewayOf(record), Gateway6Of(record)]).Select(e => e?.HostInterface).Where(name => name is { Length: > 0 }).Distinct())
        {
            BridgeEndpoint.SetHairpin(hostInterface!, true);
        }
    }

    /// <summary>By what the host's ends of a container's interfaces are known to be its own.</summary>
    private static string SandboxName(Container container) => container.Id[..12];

    /// <summary>The sandbox of a container that runs; after a restart of the daemon it is opened when it is needed.</summary>
    /// <exception cref="EngineException">The container has just ended (Conflict).</exception>
    private static Sandbox SandboxOf(Container container)
    {
        lock (container.SandboxLock)
        {
            try
            {
                return container.Sandbox ??= Sandbox.Open(SandboxName(container), NamespaceOf(container.Record, "net"));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The kernel says ENOENT or EACCES of a process that has ended.
                throw new EngineException(ErrorKind.Conflict, $"container {container.Id} is not running: {e.Message}", e);
            }
        }
    }

    private void RequireHolderRuns(ContainerRecord record, string mode)
    {
        if (mode == "host")
        {
            return;
        }

        var holder = NetworkHolder(mode);
        if (holder.Id == record.Id)
        {
            throw EngineException.Invalid("cannot join own network namespace");
        }

        if (!holder.Record.IsRunning)
        {
            throw EngineException.Conflict($"cannot join network namespace of a non running container: container {holder.Record.Name} is {StatusText(holder.Record)}");
        }
    }

    private void PublishNetwork(NetworkRecord network, string action, Container? container = null)
    {
        // A step of a build is no container that anybody sees.
        if (container is not null && _containers.Find(container.Id) is null)
        {
            return;
        }

        var attributes = new Dictionary<string, string> { ["name"] = network.Name, ["type"] = network.Driver };
        if (container is not null)
        {
            attributes["container"] = container.Id;
        }

        _events.Publish("network", action, network.Id, attributes);
    }
}
