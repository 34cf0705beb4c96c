using System.Net;
using System.Net.Sockets;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>
/// The published ports of all containers. Each is held by a bound socket while it is published, so that programs of the host and other
/// daemons cannot take it; what leads it to the container is in the kernel (<see cref="PortMapper"/>) and outlives the daemon. Thread-safe.
/// </summary>
internal sealed class PortTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Publication> _byContainer = [];
    private readonly Dictionary<(PortProtocol, int), List<IPAddress>> _taken = [];

    private sealed record Publication(string Bridge, List<PublishedPort> Ports, List<Socket> Sockets);

    /// <summary>Takes ports of the host and leads them to a container: all or none.</summary>
    /// <param name="container">Its id.</param>
    /// <param name="bridge">Its bridge's interface.</param>
    /// <param name="address">Its address there.</param>
    /// <param name="requests">The ports, those without a choice first.</param>
    /// <param name="anywhere">The address of the host for those that name none.</param>
    /// <exception cref="NetworkException">A port is taken (Conflict).</exception>
    public List<PortRecord> Publish(string container, string bridge, IPAddress address, IReadOnlyList<PortRequest> requests, IPAddress anywhere)
    {
        lock (_lock)
        {
            var publication = new Publication(bridge, new(requests.Count), new(requests.Count));
            try
            {
                foreach (var request in requests)
                {
                    Take(publication, request, request.HostIp ?? anywhere, address);
                }

                PortMapper.Publish(bridge, publication.Ports);
            }
            catch
            {
                LetGo(publication);
                throw;
            }

            _byContainer.Add(container, publication);
            return [.. publication.Ports.Select(p => new PortRecord(p.ProtocolName, p.ContainerPort, p.HostAddress.ToString(), p.HostPort))];
        }
    }

    /// <summary>
    /// A container of an earlier daemon has these ports: they are held again; <see cref="Repair"/> sees to the rules. Returns those that a
    /// program of the host has taken meanwhile; they still lead to the container.
    /// </summary>
    public List<PublishedPort> Adopt(string container, string bridge, IPAddress address, IReadOnlyList<PortRecord> records)
    {
        lock (_lock)
        {
            var publication = new Publication(bridge, [.. records.Select(r => Of(r, address))], new(records.Count));
            var lost = new List<PublishedPort>();
            foreach (var port in publication.Ports)
            {
                Note(port);
                if (!TryHold(publication, port))
                {
                    lost.Add(port);
                }
            }

            _byContainer.Add(container, publication);
            return lost;
        }
    }

    /// <summary>Leads a container's ports to another of its addresses. They stay held meanwhile. False when it has none.</summary>
    public bool TryMove(string container, string bridge, IPAddress address)
    {
        lock (_lock)
        {
            if (!_byContainer.TryGetValue(container, out var former))
            {
                return false;
            }

            var moved = former with { Bridge = bridge, Ports = [.. former.Ports.Select(p => p with { ContainerAddress = address })] };
            PortMapper.Unpublish(former.Ports);
            PortMapper.Publish(bridge, moved.Ports);
            _byContainer[container] = moved;
            return true;
        }
    }

    /// <summary>Gives a container's ports back, also those of a container that ended while no daemon was there.</summary>
    /// <param name="container">Its id.</param>
    /// <param name="records">Its ports.</param>
    /// <param name="address">The address they lead to.</param>
    public void Release(string container, IReadOnlyList<PortRecord> records, IPAddress? address)
    {
        lock (_lock)
        {
            if (_byContainer.Remove(container, out var publication))
            {
                PortMapper.Unpublish(publication.Ports);
                LetGo(publication);
            }
            else if (records.Count > 0 && address is not null)
            {
                PortMapper.Unpublish([.. records.Select(r => Of(r, address))]);
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

    private void Take(Publication publication, PortRequest request, IPAddress host, IPAddress container)
    {
        NetworkException? refusal = null;
        for (var port = request.First; port <= request.Last; port++)
        {
            try
            {
                if (port != 0 && _taken.TryGetValue((request.Protocol, port), out var holders)
                    && holders.Exists(h => h.Equals(host) || h.Equals(IPAddress.Any) || host.Equals(IPAddress.Any)))
                {
                    throw new NetworkException(NetworkErrorKind.Conflict, $"Bind for {host}:{port} failed: port is already allocated");
                }

                var socket = PortMapper.Reserve(request.Protocol, host, port);
                if (socket is not null)
                {
                    publication.Sockets.Add(socket);
                }

                var bound = socket is null ? port : ((IPEndPoint)socket.LocalEndPoint!).Port;
                var published = new PublishedPort(request.Protocol, host, bound, container, request.ContainerPort);
                publication.Ports.Add(published);
                Note(published);
                return;
            }
            catch (NetworkException e) when (e.Kind == NetworkErrorKind.Conflict)
            {
                refusal = e; // the next of the range may be free
            }
        }

        throw refusal!;
    }

    private static bool TryHold(Publication publication, PublishedPort port)
    {
        try
        {
            if (PortMapper.Reserve(port.Protocol, port.HostAddress, port.HostPort) is { } socket)
            {
                publication.Sockets.Add(socket);
            }

            return true;
        }
        catch (NetworkException)
        {
            return false;
        }
    }

    private void LetGo(Publication publication)
    {
        publication.Sockets.ForEach(s => s.Dispose());
        foreach (var port in publication.Ports)
        {
            var key = (port.Protocol, port.HostPort);
            if (_taken.TryGetValue(key, out var holders) && holders.Remove(port.HostAddress) && holders.Count == 0)
            {
                _taken.Remove(key);
            }
        }
    }

    private void Note(PublishedPort port)
    {
        if (!_taken.TryGetValue((port.Protocol, port.HostPort), out var holders))
        {
            _taken.Add((port.Protocol, port.HostPort), holders = []);
        }

        holders.Add(port.HostAddress);
    }

    private static PublishedPort Of(PortRecord record, IPAddress container) =>
        new(PortRequests.ReadKey(record.Key).Protocol, IPAddress.Parse(record.HostIp), record.HostPort, container, record.ContainerPort);
}
