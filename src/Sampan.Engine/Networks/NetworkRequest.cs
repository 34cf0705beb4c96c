using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Sampan.Api;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>Reads the body of <c>POST /networks/create</c>: everything is checked before anything is made. Errors are dockerd's.</summary>
internal static class NetworkRequest
{
    public const string NameOption = "com.docker.network.bridge.name", IccOption = "com.docker.network.bridge.enable_icc",
        MasqueradeOption = "com.docker.network.bridge.enable_ip_masquerade", HostBindingOption = "com.docker.network.bridge.host_binding_ipv4",
        InhibitOption = "com.docker.network.bridge.inhibit_ipv4", InterfacePrefixOption = "com.docker.network.container_iface_prefix",
        Source4Option = "com.docker.network.host_ipv4", Source6Option = "com.docker.network.host_ipv6";

    private const string Mode4Option = "com.docker.network.bridge.gateway_mode_ipv4", Mode6Option = "com.docker.network.bridge.gateway_mode_ipv6";

    private const string MtuOption = "com.docker.network.driver.mtu", DefaultOption = "com.docker.network.bridge.default_bridge",
        BridgeOptions = "com.docker.network.bridge.";

    private const int LongestName = 255, SmallestMtu = 68, LargestMtu = 65535;

    public static NetworkRecord Read(NetworkCreateRequest request, string id, DateTimeOffset now)
    {
        CheckName(request.Name);
        CheckDriver(request.Driver);
        var isIPv6Only = request.EnableIPv4 == false;
        if (isIPv6Only && request.EnableIPv6 != true)
        {
            throw EngineException.Invalid("IPv4 or IPv6 must be enabled");
        }

        if (request.ConfigOnly || request.ConfigFrom is { Network.Length: > 0 } || request.Ingress || request.Scope is not ("" or "local"))
        {
            throw new EngineException(ErrorKind.NotImplemented, "networks of a swarm and networks that are only a configuration are not supported");
        }

        var ipam = request.IPAM ?? new IPAM();
        if (ipam.Driver is not ("" or "default"))
        {
            throw EngineException.NotFound($"failed to find ipam driver \"{ipam.Driver}\": plugin \"{ipam.Driver}\" not found");
        }

        var isOnParent = request.Driver is ParentNetwork.Macvlan or ParentNetwork.Ipvlan;
        if (!isOnParent)
        {
            CheckOptions(request.Options ?? [], request.Internal);
        }

        var (four, six, more) = ReadPools(ipam.Config ?? [], !isIPv6Only, request.EnableIPv6 == true, isOnParent);
        return new NetworkRecord
        {
            Id = id,
            Name = request.Name,
            Created = now,
            Driver = isOnParent ? request.Driver : "bridge",
            Internal = request.Internal,
            Attachable = request.Attachable,
            Options = request.Options ?? [],
            Labels = request.Labels ?? [],
            IpamOptions = ipam.Options,
            Subnet = four.Subnet,
            IPRange = four.IPRange,
            Gateway = four.Gateway,
            AuxiliaryAddresses = four.AuxiliaryAddresses,
            IPv6 = six,
            IPv6Only = isIPv6Only,
            MorePools = more.Count > 0 ? more : null,
        };
    }

    /// <summary>An option of the bridge that is yes or no, in Go's spellings.</summary>
    public static bool Flag(IReadOnlyDictionary<string, string> options, string name, bool otherwise) => !options.TryGetValue(name, out var text) ? otherwise
        : text switch
        {
            "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
            "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
            _ => throw EngineException.Invalid($"invalid value for option '{name}': \"{text}\" is neither true nor false"),
        };

    /// <summary>How packets of a family pass, by the bridge's options.</summary>
    public static GatewayMode Mode(IReadOnlyDictionary<string, string> options, bool isIPv4)
    {
        var option = isIPv4 ? Mode4Option : Mode6Option;
        return options.GetValueOrDefault(option, "") switch
        {
            "" or "nat" => GatewayMode.Nat,
            "nat-unprotected" => GatewayMode.NatUnprotected,
            "routed" => GatewayMode.Routed,
            "isolated" => GatewayMode.Isolated,
            var text => throw EngineException.Invalid($"invalid value for option '{option}': \"{text}\" is none of 'nat', 'nat-unprotected', 'routed' and 'isolated'"),
        };
    }

    private static void CheckName(string name)
    {
        if (name.Trim().Length == 0)
        {
            throw EngineException.Invalid("invalid name: name is empty");
        }

        if (name is "bridge" or "host" or "none" or "default" || name.StartsWith("container:", StringComparison.Ordinal))
        {
            throw new EngineException(ErrorKind.Forbidden, $"operation is not permitted on predefined {name} network ");
        }

        if (name.Length > LongestName || !char.IsAsciiLetterOrDigit(name[0]) || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-'))
        {
            throw EngineException.Invalid($"invalid network name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
        }
    }

    private static void CheckDriver(string driver)
    {
        switch (driver)
        {
            case "" or "bridge" or "default" or ParentNetwork.Macvlan or ParentNetwork.Ipvlan:
                return;
            case "host" or "null":
                throw new EngineException(ErrorKind.Forbidden, $"only one instance of \"{driver}\" network is allowed");
            case "overlay":
                throw new EngineException(ErrorKind.NotImplemented, "This node is not a swarm manager. Networks of driver \"overlay\" need a swarm.");
            default:
                throw EngineException.NotFound($"plugin \"{driver}\" not found");
        }
    }

    private static void CheckOptions(Dictionary<string, string> options, bool isInternal)
    {
        foreach (var (name, value) in options)
        {
            switch (name)
            {
                case Mode4Option or Mode6Option:
                    if (Mode(options, name == Mode4Option) == GatewayMode.Isolated && !isInternal)
                    {
                        throw EngineException.Invalid($"invalid value for option '{name}': only internal networks can be isolated");
                    }

                    break;
                case IccOption or MasqueradeOption or DefaultOption or InhibitOption:
                    Flag(options, name, false);
                    break;
                case MtuOption when !(int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var mtu) && mtu is >= SmallestMtu and <= LargestMtu):
                    throw EngineException.Invalid($"invalid value for option '{name}': \"{value}\" is not a number from {SmallestMtu} to {LargestMtu}");
                case HostBindingOption or Source4Option when !IsAddress(value, AddressFamily.InterNetwork):
                    throw EngineException.Invalid($"invalid value for option '{name}': \"{value}\" is not an IPv4 address");
                case Source6Option when !IsAddress(value, AddressFamily.InterNetworkV6):
                    throw EngineException.Invalid($"invalid value for option '{name}': \"{value}\" is not an IPv6 address");
                case NameOption when !EndpointOptions.IsInterfaceName(value):
                    throw EngineException.Invalid(
                        $"invalid value for option '{name}': \"{value}\" is not an interface's name (1 to 15 bytes without spaces, '/' and ':')");
                case InterfacePrefixOption when !EndpointOptions.IsInterfaceName(value + "0"):
                    throw EngineException.Invalid($"invalid value for option '{name}': \"{value}\" is not the beginning of an interface's name");
                case NameOption or MtuOption or HostBindingOption or InterfacePrefixOption or Source4Option or Source6Option:
                    break;
                default:
                    // Labels of other programs are nobody's business; a misspelt option of the bridge is a mistake.
                    if (name.StartsWith(BridgeOptions, StringComparison.Ordinal))
                    {
                        throw EngineException.Invalid($"unknown option '{name}' of driver \"bridge\"");
                    }

                    break;
            }
        }

        if (options.TryGetValue(NameOption, out var taken) && Bridge.IsTaken(taken))
        {
            throw EngineException.Conflict($"interface '{taken}' exists already");
        }
    }

    private static bool IsAddress(string text, AddressFamily family) => IPAddress.TryParse(text, out var address) && address.AddressFamily == family;

    /// <summary>The addresses of each family, and further subnets where there may be; those not given are chosen later.</summary>
    private static (PoolRecord Four, PoolRecord? Six, List<PoolRecord> More) ReadPools(List<IPAMConfig> pools, bool hasIPv4, bool hasIPv6, bool maySeveral)
    {
        PoolRecord? four = null, six = null;
        var more = new List<PoolRecord>();
        foreach (var pool in pools)
        {
            if (string.IsNullOrEmpty(pool.Subnet))
            {
                if (pool.Gateway is { Length: > 0 } || pool.IPRange is { Length: > 0 } || pool.AuxiliaryAddresses is { Count: > 0 })
                {
                    throw InvalidConfig("no subnet specified for gateway, IP range or auxiliary addresses");
                }

                continue;
            }

            if (!hasIPv6 && IsIPv6Subnet(pool))
            {
                continue; // as Docker has it; the answer says so
            }

            var subnet = Prefix(pool.Subnet, "subnet");
            ref var mine = ref (subnet.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? ref four : ref six);
            if (mine is null)
            {
                mine = ReadPool(subnet, pool);
            }
            else if (maySeveral)
            {
                more.Add(ReadPool(subnet, pool));
            }
            else
            {
                throw EngineException.Invalid("bridge driver doesn't support multiple subnets");
            }
        }

        return four is not null && !hasIPv4
            ? throw InvalidConfig($"invalid subnet {four.Subnet}: IPv4 has not been enabled for this network")
            : (four ?? new PoolRecord(), hasIPv6 ? six ?? new PoolRecord() : null, more);
    }

    /// <summary>Whether a pool is of IPv6, as far as one can tell from its text.</summary>
    public static bool IsIPv6Subnet(IPAMConfig pool) => pool.Subnet?.Contains(':', StringComparison.Ordinal) == true;

    private static EngineException InvalidConfig(string what) => EngineException.Invalid($"invalid network config:\n{what}");

    private static PoolRecord ReadPool(IPNetwork subnet, IPAMConfig pool)
    {
        IPNetwork? range = string.IsNullOrEmpty(pool.IPRange) ? null : Prefix(pool.IPRange, "ip-range");
        if (range is { } part && (part.BaseAddress.AddressFamily != subnet.BaseAddress.AddressFamily || !subnet.Contains(part.BaseAddress) || part.PrefixLength < subnet.PrefixLength))
        {
            throw InvalidConfig($"invalid ip-range {part}: parent subnet {subnet} doesn't contain ip-range");
        }

        var (fewest, most) = subnet.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? (8, 30) : (16, 126);
        if (subnet.PrefixLength < fewest || subnet.PrefixLength > most)
        {
            throw InvalidConfig($"invalid subnet {subnet}: a network has {fewest} to {most} bits of prefix");
        }

        foreach (var (name, address) in pool.AuxiliaryAddresses ?? [])
        {
            Inside(address, subnet, $"auxiliary address {name}");
        }

        var gateway = string.IsNullOrEmpty(pool.Gateway) ? null : Inside(pool.Gateway, subnet, "gateway");
        return new PoolRecord
        {
            Subnet = subnet.ToString(),
            IPRange = range?.ToString(),
            Gateway = gateway?.ToString(),
            AuxiliaryAddresses = pool.AuxiliaryAddresses,
        };
    }

    /// <summary>A prefix whose host bits are zero, as Docker wants it.</summary>
    private static IPNetwork Prefix(string text, string what)
    {
        var slash = text.IndexOf('/');
        if (slash > 0 && IPAddress.TryParse(text[..slash], out var address) && int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var bits)
            && bits <= address.GetAddressBytes().Length * 8)
        {
            return IPNetwork.TryParse(text, out var network) && network.BaseAddress.Equals(address) ? network
                : throw InvalidConfig($"invalid {what} {text}: it should be {Masked(address, bits)}");
        }

        throw InvalidConfig($"invalid {what} {text}: invalid CIDR block notation");
    }

    private static string Masked(IPAddress address, int bits)
    {
        var bytes = address.GetAddressBytes();
        for (var bit = bits; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return $"{new IPAddress(bytes)}/{bits}";
    }

    private static IPAddress Inside(string text, IPNetwork subnet, string what) =>
        !IPAddress.TryParse(text, out var address) ? throw InvalidConfig($"invalid {what} {text}: not an address")
        : address.AddressFamily == subnet.BaseAddress.AddressFamily && subnet.Contains(address) ? address
        : throw InvalidConfig($"invalid {what} {text}: parent subnet {subnet} doesn't contain this address");
}
