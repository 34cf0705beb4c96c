using System.Net;

namespace Sampan.Network.Names;

/// <summary>Which container is called what in which network. One thread; a look-up allocates nothing.</summary>
internal sealed class NameTable
{
    private readonly Dictionary<string, NamedContainer> _containers = [];
    private readonly Dictionary<string, NetworkNames> _networks = [];

    /// <summary>Adds a container, or gives it other networks and names.</summary>
    public void Put(NamedContainer container)
    {
        Remove(container.Id);
        _containers[container.Id] = container;
        foreach (var endpoint in container.Endpoints)
        {
            if (!_networks.TryGetValue(endpoint.NetworkId, out var network))
            {
                _networks[endpoint.NetworkId] = network = new NetworkNames();
            }

            network.Add(container.Id, endpoint);
        }
    }

    public void Remove(string id)
    {
        if (!_containers.Remove(id, out var container))
        {
            return;
        }

        foreach (var endpoint in container.Endpoints)
        {
            if (_networks.TryGetValue(endpoint.NetworkId, out var network) && network.RemoveIsEmpty(id, endpoint))
            {
                _networks.Remove(endpoint.NetworkId);
            }
        }
    }

    /// <summary>
    /// The bearers of a name, as the asking container sees them: in the first of its networks that knows the name, alone or with the
    /// network's name behind it. Null when there are none.
    /// </summary>
    /// <param name="name">In lower case, without a last dot.</param>
    public Bearers? Find(NamedContainer asker, ReadOnlySpan<char> name)
    {
        foreach (var endpoint in asker.Endpoints)
        {
            if (FindIn(endpoint, name) is { } bearers)
            {
                return bearers;
            }
        }

        foreach (var endpoint in asker.Endpoints)
        {
            var suffix = endpoint.Network;
            if (name.Length > suffix.Length + 1 && name[^(suffix.Length + 1)] == '.'
                && name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase) && FindIn(endpoint, name[..^(suffix.Length + 1)]) is { } bearers)
            {
                return bearers;
            }
        }

        return null;
    }

    /// <summary>The name at an address of the asking container's networks, with its network's behind it; null when nobody is there.</summary>
    public string? FindReverse(NamedContainer asker, IPAddress address)
    {
        foreach (var endpoint in asker.Endpoints)
        {
            if (_networks.TryGetValue(endpoint.NetworkId, out var network) && network.NameAt(address) is { } name)
            {
                return $"{name}.{endpoint.Network}";
            }
        }

        return null;
    }

    private Bearers? FindIn(NamedEndpoint endpoint, ReadOnlySpan<char> name)
    {
        if (!_networks.TryGetValue(endpoint.NetworkId, out var network))
        {
            return null;
        }

        return endpoint.Links.Count > 0 && endpoint.Links.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var linked)
            ? network.Find(linked)
            : network.Find(name);
    }
}

/// <summary>The containers that bear one name; whoever asks next gets them in the next order.</summary>
internal sealed class Bearers
{
    private readonly List<(string Id, byte[]? Four, byte[]? Six)> _list = [];

    // Of each type its own: who asks for both types each time would else always hear the same first of two.
    private int _turn, _turn6;

    public int Count => _list.Count;

    public void Add(string id, byte[]? four, byte[]? six) => _list.Add((id, four, six));

    public void Remove(string id) => _list.RemoveAll(b => b.Id == id);

    /// <summary>Adds all addresses of a type to an answer; ANY is both.</summary>
    public void AddTo(ref DnsAnswer answer, ushort type)
    {
        ref var turn = ref (type == Dns.AAAA ? ref _turn6 : ref _turn);
        var first = turn++ & int.MaxValue;
        for (var i = 0; i < _list.Count; i++)
        {
            var (_, four, six) = _list[(int)(((uint)first + (uint)i) % (uint)_list.Count)];
            if (four is not null && type is Dns.A or Dns.ANY)
            {
                answer.Add(Dns.A, four);
            }

            if (six is not null && type is Dns.AAAA or Dns.ANY)
            {
                answer.Add(Dns.AAAA, six);
            }
        }
    }
}

/// <summary>The names of one network.</summary>
internal sealed class NetworkNames
{
    private readonly Dictionary<string, Bearers> _names = [];
    private readonly Dictionary<IPAddress, (string Id, string Name)> _addresses = [];

    public void Add(string id, NamedEndpoint endpoint)
    {
        var (four, six) = (Parse(endpoint.Address), Parse(endpoint.Address6));
        foreach (var name in DistinctNames(endpoint))
        {
            if (!_names.TryGetValue(name, out var bearers))
            {
                _names[name] = bearers = new Bearers();
            }

            bearers.Add(id, four?.GetAddressBytes(), six?.GetAddressBytes());
        }

        foreach (var address in (ReadOnlySpan<IPAddress?>)[four, six])
        {
            if (address is not null && endpoint.Names is [var name, ..])
            {
                _addresses[address] = (id, name);
            }
        }
    }

    public bool RemoveIsEmpty(string id, NamedEndpoint endpoint)
    {
        foreach (var name in DistinctNames(endpoint))
        {
            if (_names.TryGetValue(name, out var bearers))
            {
                bearers.Remove(id);
                if (bearers.Count == 0)
                {
                    _names.Remove(name);
                }
            }
        }

        foreach (var address in (ReadOnlySpan<IPAddress?>)[Parse(endpoint.Address), Parse(endpoint.Address6)])
        {
            if (address is not null && _addresses.TryGetValue(address, out var bearer) && bearer.Id == id)
            {
                _addresses.Remove(address);
            }
        }

        return _names.Count == 0 && _addresses.Count == 0;
    }

    public Bearers? Find(ReadOnlySpan<char> name) => _names.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var bearers) ? bearers : null;

    public string? NameAt(IPAddress address) => _addresses.TryGetValue(address, out var bearer) ? bearer.Name : null;

    private static IEnumerable<string> DistinctNames(NamedEndpoint endpoint) => endpoint.Names.Select(n => n.ToLowerInvariant()).Distinct();

    private static IPAddress? Parse(string? address) => address is { Length: > 0 } ? IPAddress.Parse(address) : null;
}
