using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Sampan.Linux;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>A network that containers join: its addresses, and whatever its driver has in the kernel. Thread-safe.</summary>
internal abstract class ContainerNetwork(NetworkRecord record)
{
    private readonly HashSet<IPAddress> _held = [];
    private List<AddressPool>? _pools;
    private volatile bool _isReady;
    private bool _isRemoved;

    public NetworkRecord Record => record;

    /// <summary>True when this daemon has set it up in the kernel.</summary>
    public bool IsReady
    {
        get => _isReady;
        protected set => _isReady = value;
    }

    /// <summary>The addresses of the network, IPv4's first.</summary>
    public IReadOnlyList<IPNetwork> Subnets
    {
        get
        {
            lock (Gate)
            {
                return [.. Pools().Select(p => p.Subnet)];
            }
        }
    }

    protected Lock Gate { get; } = new();

    /// <summary>False until the network's subnets are settled for good.</summary>
    protected bool HasPools => _pools is not null;

    /// <summary>Joins a sandbox to the network.</summary>
    /// <param name="sandbox">The container's namespace.</param>
    /// <param name="wanted">Addresses the user chose; the lowest free ones of the families that are missing.</param>
    /// <param name="mac">A hardware address the user chose; one made of the address when null.</param>
    /// <param name="interfaceName">The interface's name inside.</param>
    public EndpointInfo Attach(Sandbox sandbox, IReadOnlyList<IPAddress> wanted, PhysicalAddress? mac, string interfaceName)
    {
        var places = new List<Place>(2);
        try
        {
            lock (Gate)
            {
                EnsureLocked();
                foreach (var family in Pools().GroupBy(pool => pool.Subnet.BaseAddress.AddressFamily))
                {
                    places.Add(Take([.. family], wanted.FirstOrDefault(a => a.AddressFamily == family.Key)));
                    _held.Add(places[^1].Address);
                }
            }

            mac ??= EndpointInfo.MacFor(places[0].Address);
            try
            {
                return Plug(sandbox, places, mac, interfaceName);
            }
            catch (NetlinkException e) when (e.Errno == Errno.ENODEV)
            {
                // Somebody removed what the network has on the host: it is set up again, once.
                Ensure();
                return Plug(sandbox, places, mac, interfaceName);
            }
        }
        catch
        {
            Release(places.Select(p => p.Address));
            throw;
        }
    }

    /// <summary>Takes a running container's interface away; the addresses are its own to release.</summary>
    public abstract void Detach(Func<Sandbox> sandbox, EndpointRecord endpoint);

    /// <summary>A running container of an earlier daemon has these addresses.</summary>
    /// <exception cref="NetworkException">The network has other subnets now (InvalidParameter).</exception>
    public void Claim(IEnumerable<IPAddress> addresses)
    {
        lock (Gate)
        {
            foreach (var address in addresses)
            {
                (Pools().Find(p => p.Subnet.Contains(address)) ?? Pools()[0]).Claim(address);
                _held.Add(address);
            }
        }
    }

    public void Release(IEnumerable<IPAddress> addresses)
    {
        lock (Gate)
        {
            foreach (var address in addresses)
            {
                _pools?.ForEach(pool => pool.Release(address));
                _held.Remove(address);
            }
        }
    }

    /// <summary>Makes what exists equal to the configuration, also when it was so before: others may have removed it.</summary>
    public void Ensure()
    {
        lock (Gate)
        {
            _isReady = false;
            EnsureLocked();
        }
    }

    /// <summary>Removes what the network has in the kernel; from then on nobody joins it.</summary>
    /// <exception cref="EngineException">A container has an address of it, or is about to join (Forbidden).</exception>
    public void Remove()
    {
        lock (Gate)
        {
            if (_held.Count > 0)
            {
                throw new EngineException(ErrorKind.Forbidden, $"error while removing network: network {record.Name} has active endpoints");
            }

            (_isReady, _isRemoved) = (false, true);
            TakeDown();
        }
    }

    /// <summary>Sets up what is not ready yet.</summary>
    protected abstract void SetUp();

    protected abstract void TakeDown();

    protected abstract EndpointInfo Plug(Sandbox sandbox, List<Place> places, PhysicalAddress mac, string interfaceName);

    /// <summary>An address with the subnet that it is of.</summary>
    protected readonly record struct Place(IPAddress Address, AddressPool Pool)
    {
        public bool IsIPv4 => Address.AddressFamily == AddressFamily.InterNetwork;
    }

    /// <summary>IPv4's addresses, then IPv6's where the network has them.</summary>
    protected virtual List<AddressPool> Pools()
    {
        if (_pools is null)
        {
            _pools = [.. record.Pools.Select(pool => Pool(pool.Subnet!, pool.Gateway!, pool.IPRange, pool.AuxiliaryAddresses))];
        }

        return _pools;
    }

    /// <summary>Takes the address that is wanted, or else the lowest free one of the first subnet that has one.</summary>
    private static Place Take(List<AddressPool> pools, IPAddress? wanted)
    {
        if (wanted is not null)
        {
            var pool = pools.Find(p => p.Subnet.Contains(wanted)) ?? pools[0];
            pool.Claim(wanted);
            return new Place(wanted, pool);
        }

        for (var i = 0; ; i++)
        {
            try
            {
                return new Place(pools[i].Allocate(), pools[i]);
            }
            catch (NetworkException e) when (e.Kind == NetworkErrorKind.Exhausted && i + 1 < pools.Count)
            {
                // The next has room, or says that none has.
            }
        }
    }

    private void EnsureLocked()
    {
        if (_isRemoved)
        {
            throw EngineException.NotFound($"network {record.Name} not found");
        }

        SetUp();
        Pools();
    }

    private AddressPool Pool(string subnet, string gateway, string? range, Dictionary<string, string>? auxiliary)
    {
        var pool = new AddressPool(
            IPNetwork.Parse(subnet), IPAddress.Parse(gateway), range is null ? null : IPNetwork.Parse(range), $"{record.Name} ({record.Id[..12]})");
        foreach (var address in auxiliary?.Values ?? Enumerable.Empty<string>())
        {
            pool.Claim(IPAddress.Parse(address));
        }

        return pool;
    }
}
