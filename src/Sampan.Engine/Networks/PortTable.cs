using System.Net;
using System.Net.Sockets;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>Where a container's published ports lead.</summary>
/// <param name="Address">Its address.</param>
/// <param name="IsRouted">See <see cref="PublishedPort.IsRouted"/>.</param>
internal readonly record struct PortTarget(IPAddress Address, bool IsRouted);

/// <summary>
/// The published ports of all containers. Each but those of long ranges is held by a bound socket while it is published, so that programs
/// of the host and other daemons cannot take it; what leads it to the container is in the kernel (<see cref="PortMapper"/>) and outlives
/// the daemon. Thread-safe.
/// </summary>
/// <param name="obeysHostFirewall">See <see cref="PublishedPort.ObeysHostFirewall"/>.</param>
internal sealed class PortTable(bool obeysHostFirewall)
{
    /// <summary>How often another free port is tried when the kernel's choice for one family is taken in the other.</summary>
    private const int FreePortAttempts = 16;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Publication> _byContainer = [];
    private readonly Dictionary<(PortProtocol, int), List<IPAddress>> _taken = [];
    private readonly List<PublishedPort> _ranges = [];

    private sealed record Publication(string Bridge, List<PublishedPort> Ports, List<Socket> Sockets)
    {
        public Dictionary<(PortProtocol, IPEndPoint), PortRelay> Relays { get; } = [];
    }

    /// <summary>Takes ports of the host and leads them to a container: all or none.</summary>
    /// <param name="container">Its id.</param>
    /// <param name="bridge">Its bridge's interface.</param>
    /// <param name="addresses">Its addresses, IPv4's first, at most one of each family.</param>
    /// <param name="requests">The ports, those without a choice first.</param>
    /// <param name="anywhere">The addresses of the host for those that name none.</param>
    /// <exception cref="NetworkException">A port is taken (Conflict).</exception>
    public List<PortRecord> Publish(
        string container, string bridge, IReadOnlyList<PortTarget> addresses, IReadOnlyList<PortRequest> requests, IReadOnlyList<IPAddress> anywhere)
    {
        lock (_lock)
        {
            var publication = new Publication(bridge, new(requests.Count), new(requests.Count));
            try
            {
                foreach (var request in obeysHostFirewall ? requests : PortRequests.Join(requests))
                {
                    IReadOnlyList<IPAddress> hosts = request.HostIp is { } one ? [one] : anywhere;
                    Take(publication, request, [.. hosts.Where(h => !IsRouted(h, addresses))], addresses);
                    publication.Ports.AddRange(hosts.Where(h => IsRouted(h, addresses)).Select(h =>
                        new PublishedPort(request.Protocol, h, 0, For(h, addresses).Address, request.ContainerPort) { Count = request.Count, IsRouted = true }));
                }

                PortMapper.Publish(bridge, publication.Ports);
            }
            catch
            {
                LetGo(publication);
                throw;
            }

            _byContainer.Add(container, publication);
            return [.. publication.Ports.Select(p => new PortRecord(p.ProtocolName, p.ContainerPort, p.HostAddress.ToString(), p.HostPort, p.Count))];
        }
    }

    /// <summary>
    /// A container of an earlier daemon has these ports: they are held again; <see cref="Repair"/> sees to the rules. Returns those that a
    /// program of the host has taken meanwhile; they still lead to the container.
    /// </summary>
    public List<PublishedPort> Adopt(string container, string bridge, IReadOnlyList<PortTarget> addresses, IReadOnlyList<PortRecord> records)
    {
        lock (_lock)
        {
            var publication = new Publication(bridge, [.. records.Select(r => Of(r, addresses))], new(records.Count));
            var lost = new List<PublishedPort>();
            foreach (var port in publication.Ports.Where(p => !p.IsRouted))
            {
                Note(port);
                if (port.Count == 1 && !TryHold(publication, port))
                {
                    lost.Add(port);
                }
            }

            _byContainer.Add(container, publication);
            return lost;
        }
    }

    /// <summary>Leads a container's ports to others of its addresses. They stay held meanwhile. False when it has none.</summary>
    public bool TryMove(string container, string bridge, IReadOnlyList<PortTarget> addresses)
    {
        lock (_lock)
        {
            if (!_byContainer.TryGetValue(container, out var former))
            {
                return false;
            }

            var moved = former with { Bridge = bridge, Ports = [.. former.Ports.Select(p => p with { ContainerAddress = For(p.HostAddress, addresses).Address })] };
            PortMapper.Unpublish(former.Ports);
            if (former.Ports.Exists(p => p.IsRouted != IsRouted(p.HostAddress, addresses)))
            {
                // Some take ports of the host now that took none, or the reverse.
                LetGo(former);
                _byContainer.Remove(container);
                return false;
            }

            PortMapper.Publish(bridge, moved.Ports);
            foreach (var port in moved.Ports)
            {
                moved.Relays.GetValueOrDefault((port.Protocol, port.HostEnd))?.Move(port);
            }

            _byContainer[container] = moved;
            return true;
        }
    }

    /// <summary>Gives a container's ports back, also those of a container that ended while no daemon was there.</summary>
    /// <param name="container">Its id.</param>
    /// <param name="records">Its ports.</param>
    /// <param name="addresses">The addresses they lead to.</param>
    public void Release(string container, IReadOnlyList<PortRecord> records, IReadOnlyList<PortTarget> addresses)
    {
        lock (_lock)
        {
            if (_byContainer.Remove(container, out var publication))
            {
                PortMapper.Unpublish(publication.Ports);
                LetGo(publication);
            }
            else if (records.Count > 0 && addresses.Count > 0)
            {
                PortMapper.Unpublish([.. records.Select(r => Of(r, addresses))]);
            }
        }
    }

    /// <summary>Leads all ports to their containers again, after somebody flushed the rules.</summary>
    public void Restore()
    {
        lock (_lock)
        {
            foreach (var publication in _byContainer.Values)
            {
                PortMapper.Publish(publication.Bridge, publication.Ports);
            }
        }
    }

    /// <summary>Leads what is published to its containers again, and nothing else into these subnets.</summary>
    public void Repair(IReadOnlyCollection<IPNetwork> subnets)
    {
        lock (_lock)
        {
            PortMapper.Retain(subnets, [.. _byContainer.Values.SelectMany(p => p.Ports)]);
            Restore();
        }
    }

    /// <summary>Takes one port for a request, the same at each address: the first that is free at all of them.</summary>
    private void Take(Publication publication, PortRequest request, IReadOnlyList<IPAddress> hosts, IReadOnlyList<PortTarget> containers)
    {
        if (hosts.Count == 0)
        {
            return;
        }

        if (request.Protocol == PortProtocol.Sctp)
        {
            // Its packets are led by the kernel or not at all.
            hosts = [.. hosts.Where(h => !obeysHostFirewall && containers.Any(c => c.Address.AddressFamily == h.AddressFamily))];
            if (hosts.Count == 0)
            {
                throw new NetworkException(NetworkErrorKind.InvalidParameter, $"cannot publish port {request.ContainerPort}/sctp: "
                    + "SCTP needs a container with an address of the family, and the publish policy 'docker'");
            }
        }

        if (request.Count > 1)
        {
            foreach (var host in hosts.Where(h => hosts.Count == 1 || containers.Any(c => c.Address.AddressFamily == h.AddressFamily)))
            {
                TakeRange(publication, request, host, For(host, containers).Address);
            }

            return;
        }

        NetworkException? refusal = null;
        for (var (port, attempt) = (request.First, 0); port <= request.Last; port += port == 0 && ++attempt < FreePortAttempts ? 0 : 1)
        {
            var (ports, sockets) = (publication.Ports.Count, publication.Sockets.Count);
            try
            {
                var bound = port;
                foreach (var host in hosts)
                {
                    bound = TakeOne(publication, request, host, bound, For(host, containers).Address);
                }

                return;
            }
            catch (NetworkException e) when (e.Kind == NetworkErrorKind.Conflict)
            {
                refusal = e; // the next of the range may be free
                var given = new Publication("", publication.Ports[ports..], publication.Sockets[sockets..]);
                publication.Ports.RemoveRange(ports, given.Ports.Count);
                publication.Sockets.RemoveRange(sockets, given.Sockets.Count);
                LetGo(given);
            }
        }

        throw refusal!;
    }

    /// <summary>
    /// Takes many ports at once: no other container gets one of them, and none may be in use now, but no sockets hold them and nothing
    /// relays what the kernel cannot lead.
    /// </summary>
    private void TakeRange(Publication publication, PortRequest request, IPAddress host, IPAddress container)
    {
        var range = new PublishedPort(request.Protocol, host, request.First, container, request.ContainerPort) { Count = request.Count };
        if (range.IsRelayed)
        {
            throw new NetworkException(NetworkErrorKind.InvalidParameter,
                $"cannot publish {range.Count} ports from {range.HostEnd}: the container has no address of that family, and so many are not relayed");
        }

        var taken = Enumerable.Range(range.HostPort, range.Count).Cast<int?>().FirstOrDefault(port => IsTaken(range.Protocol, host, port!.Value))
            ?? PortMapper.FirstTaken(range);
        if (taken is { } port)
        {
            throw Taken(host, port);
        }

        publication.Ports.Add(range);
        Note(range);
    }

    private bool IsTaken(PortProtocol protocol, IPAddress host, int port) =>
        (_taken.TryGetValue((protocol, port), out var holders) && holders.Exists(h => Meet(h, host)))
        || _ranges.Exists(r => r.Protocol == protocol && port >= r.HostPort && port <= r.LastHostPort && Meet(r.HostAddress, host));

    private static NetworkException Taken(IPAddress host, int port) =>
        new(NetworkErrorKind.Conflict, $"Bind for {new IPEndPoint(host, port)} failed: port is already allocated");

    private int TakeOne(Publication publication, PortRequest request, IPAddress host, int port, IPAddress container)
    {
        var wanted = new PublishedPort(request.Protocol, host, port, container, request.ContainerPort) { ObeysHostFirewall = obeysHostFirewall };
        if (port != 0 && IsTaken(request.Protocol, host, port))
        {
            throw Taken(host, port);
        }

        var socket = PortMapper.Reserve(request.Protocol, host, port);
        var published = socket is null ? wanted : wanted with { HostPort = ((IPEndPoint)socket.LocalEndPoint!).Port };
        if (port == 0 && IsTaken(request.Protocol, host, published.HostPort))
        {
            socket?.Dispose(); // the kernel chose one of a range, which it does not know
            throw Taken(host, published.HostPort);
        }

        publication.Ports.Add(published);
        Note(published);
        Hold(publication, published, socket);
        return published.HostPort;
    }

    private static bool TryHold(Publication publication, PublishedPort port)
    {
        try
        {
            Hold(publication, port, PortMapper.Reserve(port.Protocol, port.HostAddress, port.HostPort));
            return true;
        }
        catch (NetworkException)
        {
            return false;
        }
    }

    private static void Hold(Publication publication, PublishedPort port, Socket? socket)
    {
        if (socket is null)
        {
            return;
        }

        publication.Sockets.Add(socket);
        if (PortRelay.IsNeeded(port))
        {
            publication.Relays[(port.Protocol, port.HostEnd)] = PortRelay.Start(socket, port);
        }
    }

    private static bool Meet(IPAddress a, IPAddress b) => a.Equals(b)
        || (a.AddressFamily == b.AddressFamily && (a.Equals(IPAddress.Any) || b.Equals(IPAddress.Any) || a.Equals(IPAddress.IPv6Any) || b.Equals(IPAddress.IPv6Any)));

    /// <summary>The container's address that an address of the host leads to: of the same family, where it has one.</summary>
    public static PortTarget For(IPAddress host, IReadOnlyList<PortTarget> containers) =>
        containers.FirstOrDefault(c => c.Address.AddressFamily == host.AddressFamily, containers[0]);

    private static bool IsRouted(IPAddress host, IReadOnlyList<PortTarget> containers) =>
        For(host, containers) is { IsRouted: true } target && target.Address.AddressFamily == host.AddressFamily;

    private void LetGo(Publication publication)
    {
        publication.Sockets.ForEach(s => s.Dispose());
        foreach (var port in publication.Ports.Where(p => !p.IsRouted))
        {
            if (port.Count > 1)
            {
                _ranges.RemoveAll(r => r.Protocol == port.Protocol && r.HostEnd.Equals(port.HostEnd));
                continue;
            }

            var key = (port.Protocol, port.HostPort);
            if (_taken.TryGetValue(key, out var holders) && holders.Remove(port.HostAddress) && holders.Count == 0)
            {
                _taken.Remove(key);
            }
        }
    }

    private void Note(PublishedPort port)
    {
        if (port.Count > 1)
        {
            _ranges.Add(port);
            return;
        }

        if (!_taken.TryGetValue((port.Protocol, port.HostPort), out var holders))
        {
            _taken.Add((port.Protocol, port.HostPort), holders = []);
        }

        holders.Add(port.HostAddress);
    }

    private PublishedPort Of(PortRecord record, IReadOnlyList<PortTarget> containers)
    {
        var host = IPAddress.Parse(record.HostIp);
        return new(PortRequests.ReadKey(record.Key).Protocol, host, record.HostPort, For(host, containers).Address, record.ContainerPort)
        {
            ObeysHostFirewall = obeysHostFirewall,
            Count = record.Count,
            IsRouted = record.HostPort == 0,
        };
    }
}
