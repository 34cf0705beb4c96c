using System.Net;
using System.Net.NetworkInformation;
using Sampan.Linux;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>
/// A network of driver <c>bridge</c>: its bridge and its addresses. The predefined one chooses its subnet and name when it is first needed,
/// the others when they are created. Thread-safe.
/// </summary>
/// <param name="record">What is stored; what is chosen here is written into it.</param>
/// <param name="choose">Fills what the record lacks, and stores it.</param>
/// <param name="configure">The record as the bridge's configuration.</param>
internal sealed class BridgeNetwork(NetworkRecord record, Action<NetworkRecord> choose, Func<NetworkRecord, BridgeConfig> configure)
{
    /// <summary>How often the predefined network makes way for another daemon that was quicker with name or subnet.</summary>
    private const int Attempts = 16;

    private readonly Lock _lock = new();
    private BridgeConfig? _config;
    private List<AddressPool>? _pools;
    private volatile bool _isReady;
    private bool _isRemoved;

    public NetworkRecord Record => record;

    public BridgeConfig Config
    {
        get
        {
            lock (_lock)
            {
                return _config ??= Configure();
            }
        }
    }

    /// <summary>True when its bridge was set up by this daemon.</summary>
    public bool IsReady => _isReady;

    /// <summary>Joins a sandbox to the bridge.</summary>
    /// <param name="sandbox">The container's namespace.</param>
    /// <param name="wanted">Addresses the user chose; the lowest free ones of the families that are missing.</param>
    /// <param name="mac">A hardware address the user chose; one made of the address when null.</param>
    /// <param name="interfaceName">The interface's name inside.</param>
    public EndpointInfo Attach(Sandbox sandbox, IReadOnlyList<IPAddress> wanted, PhysicalAddress? mac, string interfaceName)
    {
        var addresses = new List<IPAddress>(2);
        try
        {
            lock (_lock)
            {
                EnsureLocked();
                foreach (var pool in Pools())
                {
                    addresses.Add(Take(pool, wanted.FirstOrDefault(a => a.AddressFamily == pool.Subnet.BaseAddress.AddressFamily)));
                }
            }

            try
            {
                return Plug(sandbox, addresses, mac, interfaceName);
            }
            catch (NetlinkException e) when (e.Errno == Errno.ENODEV)
            {
                // Somebody removed the bridge: it is set up again, once.
                Ensure();
                return Plug(sandbox, addresses, mac, interfaceName);
            }
        }
        catch
        {
            Release(addresses);
            throw;
        }
    }

    /// <summary>A running container of an earlier daemon has these addresses.</summary>
    /// <exception cref="NetworkException">The network has other subnets now (InvalidParameter).</exception>
    public void Claim(IEnumerable<IPAddress> addresses)
    {
        lock (_lock)
        {
            foreach (var address in addresses)
            {
                (Pools().Find(p => p.Subnet.Contains(address)) ?? Pools()[0]).Claim(address);
            }
        }
    }

    public void Release(IEnumerable<IPAddress> addresses)
    {
        lock (_lock)
        {
            foreach (var address in addresses)
            {
                _pools?.ForEach(pool => pool.Release(address));
            }
        }
    }

    /// <summary>Makes what exists equal to the configuration, also when it was so before: others may have removed bridge or rules.</summary>
    public void Ensure()
    {
        lock (_lock)
        {
            _isReady = false;
            EnsureLocked();
        }
    }

    /// <summary>Removes the bridge.</summary>
    public void Remove()
    {
        lock (_lock)
        {
            (_isReady, _isRemoved) = (false, true);
            Bridge.Remove(Config.Name);
        }
    }

    private EndpointInfo Plug(Sandbox sandbox, List<IPAddress> addresses, PhysicalAddress? mac, string interfaceName) => BridgeEndpoint.Attach(
        sandbox, Config, addresses[0], mac ?? EndpointInfo.MacFor(addresses[0]), interfaceName, defaultRoute: false, addresses.ElementAtOrDefault(1));

    private static IPAddress Take(AddressPool pool, IPAddress? wanted)
    {
        if (wanted is null)
        {
            return pool.Allocate();
        }

        pool.Claim(wanted);
        return wanted;
    }

    private void EnsureLocked()
    {
        if (_isRemoved)
        {
            throw EngineException.NotFound($"network {record.Name} not found");
        }

        for (var attempt = 0; !_isReady; attempt++)
        {
            // Another daemon may have taken name or subnet since they were chosen, as long as the bridge was never made; then others are.
            var mayChoose = record.IsDefaultBridge && _pools is null && attempt < Attempts;
            var config = _config ??= Configure();
            if (mayChoose && record.Options.Count == 0 && !Bridge.IsTaken(config.Name)
                && Ipam.HostSubnets().Any(s => s.Contains(config.Gateway) || config.Subnet.Contains(s.BaseAddress)))
            {
                Forget();
                continue;
            }

            try
            {
                Bridge.Ensure(config);
                _isReady = true;
            }
            catch (NetworkException e) when (e.Kind == NetworkErrorKind.Conflict && mayChoose)
            {
                Forget();
            }
        }

        Pools();
    }

    /// <summary>IPv4's addresses, then IPv6's where the network has them.</summary>
    private List<AddressPool> Pools()
    {
        if (_pools is null)
        {
            var config = _config ??= Configure();
            _pools = [Pool(config.Subnet, config.Gateway, record.IPRange, record.AuxiliaryAddresses)];
            if (record.IPv6 is { } six)
            {
                _pools.Add(Pool(config.Subnet6!.Value, config.Gateway6!, six.IPRange, six.AuxiliaryAddresses));
            }
        }

        return _pools;
    }

    private AddressPool Pool(IPNetwork subnet, IPAddress gateway, string? range, Dictionary<string, string>? auxiliary)
    {
        var pool = new AddressPool(subnet, gateway, range is null ? null : IPNetwork.Parse(range), $"{record.Name} ({record.Id[..12]})");
        foreach (var address in auxiliary?.Values ?? Enumerable.Empty<string>())
        {
            pool.Claim(IPAddress.Parse(address));
        }

        return pool;
    }

    private BridgeConfig Configure()
    {
        choose(record);
        return configure(record);
    }

    private void Forget() => (record.Subnet, record.Gateway, record.Interface, _config) = (null, null, null, null);
}
