using System.Net;
using Sampan.Api;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>The predefined network <c>bridge</c>: made when the first container needs it, found again by its owner's mark.</summary>
internal sealed class DefaultBridge(DaemonOptions options, Store.IDocuments documents)
{
    private readonly Lock _lock = new();
    private BridgeConfig? _config;
    private AddressPool? _pool;

    /// <summary>The id under which the API shows it; it stays over restarts.</summary>
    public string Id => Stored("bridge-id", Containers.Names.NewId);

    public IPNetwork Subnet => Config.Subnet;

    /// <summary>The bridge's settings; the subnet is chosen once and kept.</summary>
    public BridgeConfig Config
    {
        get
        {
            lock (_lock)
            {
                return _config ??= Choose();
            }
        }
    }

    /// <summary>Joins a sandbox to the bridge with the lowest free address.</summary>
    public EndpointInfo Attach(Sandbox sandbox, string? wanted)
    {
        var config = Config;
        IPAddress address;
        lock (_lock)
        {
            Ensure();
            config = Config;
            _pool ??= new AddressPool(config.Subnet, config.Gateway, null, "bridge");
            address = wanted is null ? _pool.Allocate() : IPAddress.Parse(wanted);
        }

        try
        {
            return BridgeEndpoint.Attach(sandbox, config, address, EndpointInfo.MacFor(address));
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
            _pool ??= new AddressPool(Config.Subnet, Config.Gateway, null, "bridge");
            _pool.Claim(address);
        }
    }

    public void Release(IPAddress address)
    {
        lock (_lock)
        {
            _pool?.Release(address);
        }
    }

    /// <summary>
    /// Makes the bridge when it is not there. Another daemon may have taken its name or its subnet since they were chosen, as long as the
    /// bridge was never made; then others are.
    /// </summary>
    private void Ensure()
    {
        for (var attempt = 0; ; attempt++)
        {
            var config = Config;
            var isNew = !Bridge.IsTaken(config.Name);
            if (attempt < 16 && isNew && _pool is null && options.Bip is not { Length: > 0 } && Ipam.HostSubnets().Any(s => s.Contains(config.Gateway) || config.Subnet.Contains(s.BaseAddress)))
            {
                Forget();
                continue;
            }

            try
            {
                Bridge.Ensure(config);
                return;
            }
            catch (NetworkException e) when (e.Kind == NetworkErrorKind.Conflict && _pool is null && options.Bridge is not { Length: > 0 } && attempt < 16)
            {
                Forget();
            }
        }
    }

    private void Forget()
    {
        documents.Delete("subnet");
        documents.Delete("name");
        _config = null;
    }

    private BridgeConfig Choose()
    {
        var owner = Stored("owner", () => Containers.Names.NewId()[..16]);
        var subnet = IPNetwork.Parse(Stored("subnet", () => (options.Bip is { Length: > 0 } bip ? NetworkOf(bip) : Ipam.PickFree(Ipam.HostSubnets())).ToString()));
        var name = Stored("name", () => options.Bridge is { Length: > 0 } given ? given : FreeName());
        var gateway = options.Bip is { Length: > 0 } own ? IPAddress.Parse(own.Split('/')[0]) : new AddressPool(subnet, null, null, "bridge").Gateway;
        return new BridgeConfig(name, gateway, subnet.PrefixLength, options.Mtu > 0 ? options.Mtu : BridgeConfig.DefaultMtu, options.IpMasq, options.Icc, false, owner);
    }

    private static IPNetwork NetworkOf(string cidr)
    {
        var parts = cidr.Split('/');
        return new BridgeConfig("", IPAddress.Parse(parts[0]), int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture), 0, false, false, false, "").Subnet;
    }

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

    private string Stored(string key, Func<string> make)
    {
        if (documents.Get(key) is { } stored)
        {
            return stored.Trim('"');
        }

        var value = make();
        documents.Put(key, $"\"{value}\"");
        return value;
    }
}
