using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Sampan.Api;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>All networks by id and by name, in memory and in the database. The three that are always there are made at the first start.</summary>
internal sealed class NetworkService
{
    private const string MtuOption = "com.docker.network.driver.mtu";
    private readonly Lock _lock = new();
    private readonly DaemonOptions _options;
    private readonly Store.IDocuments _documents;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, NetworkRecord> _records = [];
    private readonly Dictionary<string, NetworkRecord> _byName = [];
    private readonly Dictionary<string, ContainerNetwork> _networks = [];

    public NetworkService(DaemonOptions options, Store.IDocuments documents, TimeProvider time)
    {
        (_options, _documents, _time) = (options, documents, time);
        foreach (var document in documents.List())
        {
            Add(EngineJson.Deserialize<NetworkRecord>(document.Json));
        }

        foreach (var record in _records.Values.Where(r => r.IsDefaultBridge))
        {
            Follow(record, options);
        }

        foreach (var (name, driver) in (ReadOnlySpan<(string, string)>)[("bridge", "bridge"), ("host", "host"), ("none", "null")])
        {
            if (!_byName.ContainsKey(name))
            {
                Save(Add(new NetworkRecord { Id = Containers.Names.NewId(), Name = name, Created = time.GetUtcNow(), Driver = driver, Predefined = true }));
            }
        }

        DefaultBridge = (BridgeNetwork)_networks[_records.Values.First(r => r.IsDefaultBridge).Id];
        foreach (var record in _records.Values.Where(r => r.IsOnParent))
        {
            _networks.Add(record.Id, new ParentNetwork(record, OwnerTag));
        }
    }

    /// <summary>The mark of this daemon on its interfaces.</summary>
    public string OwnerTag => DefaultBridge.Record.Id[..16];

    /// <summary>The predefined network <c>bridge</c>.</summary>
    public BridgeNetwork DefaultBridge { get; }

    /// <summary>The network that a container joins when nothing is said.</summary>
    public string DefaultName => _options.Bridge == "none" ? "none" : "bridge";

    public List<NetworkRecord> List()
    {
        lock (_lock)
        {
            return [.. _records.Values.Where(IsShown).OrderByDescending(r => r.Created).ThenBy(r => r.Name, StringComparer.Ordinal)];
        }
    }

    /// <summary>The networks that this daemon has set up in the kernel.</summary>
    public List<ContainerNetwork> Ready()
    {
        lock (_lock)
        {
            return [.. _networks.Values.Where(n => n.IsReady)];
        }
    }

    /// <summary>Finds by full id, name, or unambiguous id prefix, in that order; null when there is none.</summary>
    public NetworkRecord? Find(string nameOrId)
    {
        lock (_lock)
        {
            // Asked for each place of a container in a network whenever one of them changes: without a walk through all networks.
            if ((_records.GetValueOrDefault(nameOrId) ?? _byName.GetValueOrDefault(nameOrId)) is { } exact && IsShown(exact))
            {
                return exact;
            }
        }

        var matches = nameOrId.Length > 0 ? List().FindAll(r => r.Id.StartsWith(nameOrId, StringComparison.Ordinal)) : [];
        return matches.Count <= 1
            ? matches.FirstOrDefault()
            : throw EngineException.Invalid($"network {nameOrId} is ambiguous ({matches.Count} matches found on ID prefix)");
    }

    public NetworkRecord Get(string nameOrId) => Find(nameOrId) ?? throw EngineException.NotFound($"network {nameOrId} not found");

    /// <summary>A network that has addresses.</summary>
    public ContainerNetwork Network(string id)
    {
        lock (_lock)
        {
            return _networks.GetValueOrDefault(id) ?? throw EngineException.NotFound($"network {id} not found"); // it may have been removed meanwhile
        }
    }

    /// <summary>Makes a network: checked, its subnet chosen, set up in the kernel, stored.</summary>
    public NetworkRecord Create(NetworkCreateRequest request)
    {
        var record = NetworkRequest.Read(request, Containers.Names.NewId(), _time.GetUtcNow());
        if (_options.Bridge != "none")
        {
            _ = DefaultBridge.Config; // it has the first pool, whoever comes first; it takes our lock, so it is asked before we do
        }

        lock (_lock)
        {
            if (_byName.ContainsKey(record.Name))
            {
                throw EngineException.Conflict($"network with name {record.Name} already exists");
            }

            foreach (var own in record.Pools)
            {
                RefuseOverlap(IPNetwork.Parse(own.Subnet!));
            }

            Choose(record, store: false);
            ContainerNetwork network = record.IsOnParent ? new ParentNetwork(record, OwnerTag) : new BridgeNetwork(record, _ => { }, Configure);
            RefuseParentInUse(record);
            network.Ensure();
            try
            {
                Save(record);
            }
            catch
            {
                network.Remove();
                throw;
            }

            _records.Add(record.Id, record);
            _byName.Add(record.Name, record);
            _networks.Add(record.Id, network);
        }

        return record;
    }

    /// <summary>Removes a network and what it has in the kernel. Whether it is in use is the caller's to know.</summary>
    public void Remove(NetworkRecord record)
    {
        lock (_lock)
        {
            Network(record.Id).Remove();
            _documents.Delete(record.Id);
            _records.Remove(record.Id);
            _byName.Remove(record.Name);
            _networks.Remove(record.Id);
        }
    }

    /// <summary>Removes bridges and parents of this daemon that belong to no network: a crash came between making and storing, or between the reverse.</summary>
    public void RemoveUnknown()
    {
        lock (_lock)
        {
            foreach (var bridge in Bridge.Find(OwnerTag).Where(b => !_records.Values.Any(r => r.Interface == b.Name)))
            {
                Bridge.Remove(bridge.Name);
            }

            foreach (var parent in Parent.Find(OwnerTag).Where(name => !_records.Values.Any(r => r.Interface == name)))
            {
                Parent.Remove(parent, OwnerTag);
            }
        }
    }

    private bool IsShown(NetworkRecord record) => !record.IsDefaultBridge || _options.Bridge != "none";

    private NetworkRecord Add(NetworkRecord record)
    {
        _records.Add(record.Id, record);
        _byName.Add(record.Name, record);
        if (record.Driver == "bridge")
        {
            _networks.Add(record.Id, new BridgeNetwork(record, r => Choose(r, store: true), Configure));
        }

        return record;
    }

    /// <summary>The kernel lets several be on one interface, but then their containers would be on one network.</summary>
    private void RefuseParentInUse(NetworkRecord record)
    {
        if (record.IsOnParent && _records.Values.FirstOrDefault(r => r.Driver == record.Driver && r.Interface == record.Interface) is { } other)
        {
            throw new EngineException(ErrorKind.Forbidden, $"network {other.Name} is already using parent interface {record.Interface}");
        }
    }

    private void Save(NetworkRecord record) => _documents.Put(record.Id, EngineJson.Serialize(record));

    /// <summary>Chooses what the user did not: subnet, gateway and name of the bridge.</summary>
    private void Choose(NetworkRecord record, bool store)
    {
        if (record is { Interface: not null, IPv6: null or { Subnet: not null, Gateway: not null } } && (record.IPv6Only || record is { Subnet: not null, Gateway: not null }))
        {
            return;
        }

        lock (_lock)
        {
            if (record.IsDefaultBridge && record.Subnet is null)
            {
                Follow(record, _options);
            }

            if (!record.IPv6Only)
            {
                record.IsChosen |= record.Subnet is null;
                record.Subnet ??= Ipam.PickFree(_records.Values.SelectMany(r => r.Pools).Select(p => IPNetwork.Parse(p.Subnet!)), Pools(AddressFamily.InterNetwork)).ToString();
                record.Gateway ??= FirstOf(record.Subnet);
            }

            if (record.IPv6 is { } six)
            {
                six.IsChosen |= six.Subnet is null;
                six.Subnet ??= Ipam.PickFree(_records.Values.SelectMany(r => r.Pools).Select(p => IPNetwork.Parse(p.Subnet!)), Pools(AddressFamily.InterNetworkV6)).ToString();
                six.Gateway ??= FirstOf(six.Subnet);
            }

            foreach (var pool in record.MorePools ?? [])
            {
                pool.Gateway ??= FirstOf(pool.Subnet!);
            }

            record.Interface ??= record.IsOnParent ? ParentNetwork.InterfaceOf(record) : record.IsDefaultBridge ? _options.Bridge is { Length: > 0 } given ? given : FreeName()
                : record.Options.TryGetValue(NetworkRequest.NameOption, out var name) ? name : $"br-{record.Id[..12]}";
            if (store)
            {
                Save(record);
            }
        }
    }

    private BridgeConfig Configure(NetworkRecord record)
    {
        bool Flag(string option, bool otherwise) => NetworkRequest.Flag(record.Options, option, otherwise);
        var mtu = record.Options.TryGetValue(MtuOption, out var text) ? int.Parse(text, CultureInfo.InvariantCulture) : _options.Mtu;
        var predefined = record.IsDefaultBridge;
        return new BridgeConfig(
            record.Interface!,
            record.IPv6Only ? null : IPAddress.Parse(record.Gateway!),
            record.IPv6Only ? 0 : IPNetwork.Parse(record.Subnet!).PrefixLength,
            mtu > 0 ? mtu : BridgeConfig.DefaultMtu,
            Flag(NetworkRequest.MasqueradeOption, !predefined || _options.IpMasq),
            Flag(NetworkRequest.IccOption, !predefined || _options.Icc),
            record.Internal,
            OwnerTag)
        {
            Gateway6 = record.IPv6 is { } six ? IPAddress.Parse(six.Gateway!) : null,
            PrefixLength6 = record.IPv6 is { } pool ? IPNetwork.Parse(pool.Subnet!).PrefixLength : 0,
            Mode = NetworkRequest.Mode(record.Options, isIPv4: true),
            Mode6 = NetworkRequest.Mode(record.Options, isIPv4: false),
            InhibitIPv4 = Flag(NetworkRequest.InhibitOption, false),
            Source = record.Options.TryGetValue(NetworkRequest.Source4Option, out var source) ? IPAddress.Parse(source) : null,
            Source6 = record.Options.TryGetValue(NetworkRequest.Source6Option, out var source6) ? IPAddress.Parse(source6) : null,
        };
    }

    /// <summary>What the daemon's options say of the default bridge holds over what was chosen at an earlier start.</summary>
    private static void Follow(NetworkRecord record, DaemonOptions options)
    {
        if (options.Bip is { Length: > 0 } bip)
        {
            var parts = bip.Split('/');
            record.Gateway = parts[0];
            record.Subnet = SubnetOf(IPAddress.Parse(parts[0]), int.Parse(parts[1], CultureInfo.InvariantCulture)).ToString();
        }

        record.IPv6 = !options.IPv6 ? null
            : options.FixedCidrV6 is null || record.IPv6?.Subnet == options.FixedCidrV6 ? record.IPv6 ?? new PoolRecord()
            : new PoolRecord { Subnet = options.FixedCidrV6 };
    }

    /// <summary>The blocks the user gave for a family, otherwise Docker's for IPv4 and a unique local one for IPv6.</summary>
    private IReadOnlyList<PoolTemplate> Pools(AddressFamily family)
    {
        List<PoolTemplate> own = [.. _options.DefaultAddressPools.Select(p => new PoolTemplate(IPNetwork.Parse(p.Base), p.Size)).Where(p => p.Base.BaseAddress.AddressFamily == family)];
        return own.Count > 0 ? own
            : family == AddressFamily.InterNetwork ? Ipam.DefaultPools
            : [Ipam.UniqueLocalPool(Convert.FromHexString(OwnerTag))];
    }

    /// <summary>The gateway of a subnet when none is given: its lowest address.</summary>
    private static string FirstOf(string subnet) => new AddressPool(IPNetwork.Parse(subnet), null, null, "").Gateway.ToString();

    private void RefuseOverlap(IPNetwork subnet)
    {
        foreach (var (other, theirs) in _records.Values.SelectMany(r => r.Pools.Select(p => (r, IPNetwork.Parse(p.Subnet!)))))
        {
            if (theirs.BaseAddress.AddressFamily == subnet.BaseAddress.AddressFamily && (theirs.Contains(subnet.BaseAddress) || subnet.Contains(theirs.BaseAddress)))
            {
                throw new EngineException(ErrorKind.Forbidden,
                    $"invalid pool request: Pool overlaps with other one on this address space: {subnet} and network {other.Name} ({theirs})");
            }
        }
    }

    private static IPNetwork SubnetOf(IPAddress address, int prefixLength) =>
        new BridgeConfig("", address, prefixLength, 0, false, false, false, "").Subnet!.Value;

    /// <summary>Another daemon on this machine may have sampan0 already.</summary>
    private static string FreeName()
    {
        var number = 0;
        while (Bridge.IsTaken($"sampan{number}"))
        {
            number++;
        }

        return $"sampan{number}";
    }
}
