using System.Net;
using Sampan.Engine.Containers;
using Sampan.Linux;
using Sampan.Network;

namespace Sampan.Engine;

/// <summary>Kernel state and records of networks are made to agree: when the daemon starts, and when somebody removes the rules.</summary>
public sealed partial class EngineService
{
    private FirewallWatch? _firewall;
    private Task _reconciling = Task.CompletedTask;

    /// <summary>
    /// After a start of the daemon: (1) what running containers have is theirs, (2) what no container has goes, (3) bridges and rules are
    /// repaired, which loads a library and so happens while the daemon already answers.
    /// </summary>
    private void ReconcileNetworks()
    {
        // :: 1 addresses and ports
        var running = _containers.List().FindAll(c => c.Record.IsRunning);
        foreach (var container in running)
        {
            var record = container.Record;
            foreach (var endpoint in record.Endpoints.Where(e => _networks.Find(e.NetworkId) is not null))
            {
                try
                {
                    _networks.Network(endpoint.NetworkId).Claim(endpoint.Addresses);
                }
                catch (NetworkException e)
                {
                    // The network was given another subnet; the container keeps what it has until it is started again.
                    Console.Error.WriteLine($"container {container.Id}: network {endpoint.Network}: {e.Message}");
                }
            }

            if (IsOnParent(record))
            {
                HoldSandbox(container);
            }

            if (record.Ports.Count > 0 && WayOutOf(record) is { } gateway)
            {
                foreach (var port in _ports.Adopt(container.Id, _networks.Get(gateway.NetworkId).Interface!, PublishedAt(record), record.Ports))
                {
                    Console.Error.WriteLine($"container {container.Id}: port {port.HostEnd}/{port.ProtocolName} of the host is held by another program now");
                }
            }
        }

        _names.Adopt(running.Select(c => (Named: NamedContainerOf(c.Record), Sandbox: (Func<Sandbox>)(() => SandboxOf(c)))).Where(c => c.Named is not null)
            .Select(c => (c.Named!, c.Sandbox)));

        // :: 2 interfaces
        var kept = running.Select(SandboxName).ToHashSet();
        foreach (var (hostInterface, sandbox) in BridgeEndpoint.Find(_networks.OwnerTag))
        {
            if (!kept.Contains(sandbox))
            {
                BridgeEndpoint.Detach(hostInterface);
            }
        }

        // :: 3 bridges and rules
        _firewall = new FirewallWatch(RestoreFirewall, e => Console.Error.WriteLine($"firewall rules: {e.Message}"));
        var used = _networks.List().Where(n => n.Interface is not null).Select(n => n.Id).ToList();
        if (used.Count > 0)
        {
            _reconciling = Task.Run(() => RepairNetworks(used));
        }
    }

    /// <summary>Opens the sandbox, so that its interfaces are still there to be taken from their parent when the container has ended.</summary>
    private static void HoldSandbox(Container container)
    {
        try
        {
            SandboxOf(container);
        }
        catch (EngineException e) when (e.Kind == ErrorKind.Conflict)
        {
            // It has ended this moment, and its interfaces with it.
        }
    }

    private void RepairNetworks(List<string> ids)
    {
        foreach (var id in ids.Where(i => _networks.Find(i) is not null))
        {
            try
            {
                _networks.Network(id).Ensure();
            }
            catch (Exception e) when (e is NetworkException or NetlinkException or NftablesException or EngineException)
            {
                // The others are to work; whoever starts a container on this one is told why it does not.
                Console.Error.WriteLine($"network {_networks.Find(id)?.Name}: {e.Message}");
            }
        }

        try
        {
            _networks.RemoveUnknown();
            _ports.Repair([.. _networks.List().SelectMany(n => n.Pools).Select(p => IPNetwork.Parse(p.Subnet!))]);
        }
        catch (Exception e) when (e is NetworkException or NetlinkException or NftablesException)
        {
            Console.Error.WriteLine($"published ports: {e.Message}");
        }
    }

    private void RestoreFirewall()
    {
        foreach (var network in _networks.Ready())
        {
            network.Ensure();
        }

        _ports.Restore();
    }

    private async Task StopWatchingFirewallAsync()
    {
        await _reconciling;
        if (_firewall is not null)
        {
            await _firewall.DisposeAsync();
        }
    }
}
