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
    private AddressPool? _pool;
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
    /// <param name="wanted">An address the user chose; the lowest free one when null.</param>
    /// <param name="mac">A hardware address the user chose; one made of the address when null.</param>
    /// <param name="interfaceName">The interface's name inside.</param>
    public EndpointInfo Attach(Sandbox sandbox, IPAddress? wanted, PhysicalAddress? mac, string interfaceName)
    {
        IPAddress address;
        lock (_lock)
        {
            EnsureLocked();
            address = wanted ?? _pool!.Allocate();
            if (wanted is not null)
            {
                _pool!.Claim(wanted);
            }
        }

        try
        {
            try
            {
                return Plug(sandbox, address, mac, interfaceName);
            }
            catch (NetlinkException e) when (e.Errno == Errno.ENODEV)
            {
                // Somebody removed the bridge: it is set up again, once.
                Ensure();
                return Plug(sandbox, address, mac, interfaceName);
            }
        }
        catch
        {
            Release(address);
            throw;
        }
    }

    /// <summary>A running container of an earlier daemon has this address.</summary>
    public void Claim(IPAddress address)
    {
        lock (_lock)
        {
            Pool().Claim(address);
        }
    }

    public void Release(IPAddress address)
    {
        lock (_lock)
        {
            _pool?.Release(address);
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

    private EndpointInfo Plug(Sandbox sandbox, IPAddress address, PhysicalAddress? mac, string interfaceName) =>
        BridgeEndpoint.Attach(sandbox, Config, address, mac ?? EndpointInfo.MacFor(address), interfaceName, defaultRoute: false);

    private void EnsureLocked()
    {
        if (_isRemoved)
        {
            throw EngineException.NotFound($"network {record.Name} not found");
        }

        for (var attempt = 0; !_isReady; attempt++)
        {
            // Another daemon may have taken name or subnet since they were chosen, as long as the bridge was never made; then others are.
            var mayChoose = record.IsDefaultBridge && _pool is null && attempt < Attempts;
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

        Pool();
    }

    private AddressPool Pool()
    {
        if (_pool is null)
        {
            var config = _config ??= Configure();
            IPNetwork? range = record.IPRange is { } text ? IPNetwork.Parse(text) : null;
            _pool = new AddressPool(config.Subnet, config.Gateway, range, $"{record.Name} ({record.Id[..12]})");
            foreach (var address in record.AuxiliaryAddresses?.Values ?? Enumerable.Empty<string>())
            {
                _pool.Claim(IPAddress.Parse(address));
            }
        }

        return _pool;
    }

    private BridgeConfig Configure()
    {
        choose(record);
        return configure(record);
    }

    private void Forget() => (record.Subnet, record.Gateway, record.Interface, _config) = (null, null, null, null);
}
