using System.Globalization;
using System.Net;
using Sampan.Api;

namespace Sampan.Daemon.Options;

/// <summary>Everything the daemon was asked for, checked.</summary>
internal sealed record DaemonConfig
{
    private const string DefaultFile = "/etc/sampan/daemon.json";

    public required DaemonOptions Engine { get; init; }

    public required IReadOnlyList<string> Hosts { get; init; }

    /// <summary>The unix socket's group; null is the default.</summary>
    public string? Group { get; init; }

    public required string PidFile { get; init; }

    /// <summary>Whether TCP addresses are allowed that others can reach (there is no TLS).</summary>
    public bool AllowOpenTcp { get; init; }

    /// <exception cref="SettingsException">Something is wrong; the message says what.</exception>
    public static DaemonConfig From(Settings settings)
    {
        ConfigFile.Merge(settings, settings.Text("config-file") ?? DefaultFile, mustExist: settings.Text("config-file") is not null);
        var execRoot = Absolute("exec-root", settings.Text("exec-root") ?? "/run/sampan");
        if (settings.Text("storage-driver") is { } driver and not ("overlay2" or "overlayfs" or "overlay"))
        {
            throw new SettingsException($"storage driver '{driver}' is not supported: want overlay2");
        }

        if (settings.Text("bip") is { } bip && settings.Text("bridge") is { Length: > 0 })
        {
            throw new SettingsException($"you specified --bip {bip} and --bridge; these are mutually exclusive");
        }

        return new DaemonConfig
        {
            Engine = EngineOptions(settings, execRoot),
            Hosts = settings.List("host") is { Count: > 0 } hosts ? hosts : [$"unix://{execRoot}/sampan.sock"],
            Group = settings.Text("group"),
            PidFile = settings.Text("pidfile") is { Length: > 0 } pidFile ? Absolute("pidfile", pidFile) : $"{execRoot}/sampan.pid",
            AllowOpenTcp = !settings.Boolean("tls", absent: true),
        };
    }

    private static DaemonOptions EngineOptions(Settings settings, string execRoot) => new()
    {
        DataRoot = Absolute("data-root", settings.Text("data-root") ?? "/var/lib/sampan"),
        ExecRoot = execRoot,
        Debug = settings.Boolean("debug", false) || settings.Text("log-level") == "debug",
        Bridge = settings.Text("bridge") is { Length: > 0 } bridge ? bridge : null,
        Bip = settings.Text("bip") is { Length: > 0 } bip ? Bip(bip) : null,
        Mtu = settings.Number("mtu", 0) is >= 0 and <= 65535 and var mtu
            ? mtu
            : throw new SettingsException($"invalid mtu {settings.Text("mtu")}"),
        IPv6 = settings.Boolean("ipv6", false),
        FixedCidrV6 = settings.Text("fixed-cidr-v6") is { Length: > 0 } six ? FixedCidrV6(six) : null,
        ObeysHostFirewall = OneOf(settings, "publish-policy", "docker", "host-firewall") == "host-firewall",
        IpMasq = settings.Boolean("ip-masq", true),
        Icc = settings.Boolean("icc", true),
        DefaultAddressPools = [.. settings.List("default-address-pool").Select(Pool)],
        Dns = [.. settings.List("dns").Select(Dns)],
        HostGateways = HostGateways(settings.List("host-gateway-ip")),
        DnsSearch = settings.List("dns-search"),
        DnsOptions = settings.List("dns-opt"),
        LogDriver = settings.Text("log-driver"),
        LogOpts = settings.List("log-opt").Select(o => o.Split('=', 2)).GroupBy(o => o[0]).ToDictionary(g => g.Key, g => g.Last()[1]),
        CgroupParent = CgroupParent(settings.Text("cgroup-parent")),
        DefaultCgroupnsMode = OneOf(settings, "default-cgroupns-mode", "private", "host"),
        DefaultIpcMode = OneOf(settings, "default-ipc-mode", "private", "shareable"),
        DefaultShmSize = settings.Text("default-shm-size") is { } shm ? Size("default-shm-size", shm) : 0,
        DefaultUlimits = [.. settings.List("default-ulimit").GroupBy(u => u.Split('=')[0]).Select(u => Ulimit(u.Last()))],
        Init = settings.Boolean("init", false),
        NoNewPrivileges = settings.Boolean("no-new-privileges", false),
        SeccompProfile = settings.Text("seccomp-profile") is { } profile ? Seccomp(profile) : null,
        SeccompProfilePath = settings.Text("seccomp-profile"),
        Labels = [.. settings.List("label").Select(Label)],
        RegistryMirrors = settings.List("registry-mirror"),
        InsecureRegistries = settings.List("insecure-registry"),
        MaxConcurrentDownloads = Positive(settings, "max-concurrent-downloads", 3),
        MaxConcurrentUploads = Positive(settings, "max-concurrent-uploads", 5),
        MaxArchiveBytes = settings.Text("max-archive-size") is { } archive ? Size("max-archive-size", archive) : 1L << 34,
        MaxLayerEntries = Positive(settings, "max-layer-entries", 10_000_000),
        MaxLayerBytes = settings.Text("max-layer-size") is { } layer ? Size("max-layer-size", layer) : 1L << 42,
        MaxDownloadAttempts = Positive(settings, "max-download-attempts", 5),
        HttpProxy = settings.Text("http-proxy"),
        HttpsProxy = settings.Text("https-proxy"),
        NoProxy = settings.Text("no-proxy"),
        BuildGc = settings.BuildGc,
        ShutdownTimeoutSeconds = settings.Number("shutdown-timeout", 15),
    };

    private static string Dns(string text) =>
        IPAddress.TryParse(text, out _) ? text : throw new SettingsException($"'{text}' is not an ip address (--dns)");

    private static Ulimit Ulimit(string text)
    {
        try
        {
            return Api.Ulimit.Parse(text);
        }
        catch (FormatException e)
        {
            throw new SettingsException($"--default-ulimit {text}: {e.Message}");
        }
    }

    /// <summary>The profile that a path leads to; errors show at the start, not in every container.</summary>
    private static string Seccomp(string profile)
    {
        try
        {
            return profile is "builtin" or "unconfined" ? profile : File.ReadAllText(profile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"opening seccomp profile ({profile}) failed: {e.Message}");
        }
    }

    private static List<string> HostGateways(IReadOnlyList<string> texts)
    {
        List<IPAddress> addresses = [.. texts.Select(text => IPAddress.TryParse(text, out var address) ? address
            : throw new SettingsException($"invalid value '{text}' for --host-gateway-ip: want an IP address"))];
        return addresses.DistinctBy(a => a.AddressFamily).Count() == addresses.Count ? addresses.ConvertAll(a => a.ToString())
            : throw new SettingsException("at most one address of each family may be given as --host-gateway-ip");
    }

    private static string? CgroupParent(string? text) => text?.Split('/').Any(part => part is "." or "..") != true ? text
        : throw new SettingsException($"invalid cgroup-parent '{text}': it must be a path without '.' and '..'");

    private static int Positive(Settings settings, string name, int absent) =>
        settings.Number(name, absent) is > 0 and var n ? n : throw new SettingsException($"invalid {name} {settings.Text(name)}: want at least 1");

    private static string Label(string text) =>
        text.Contains('=') ? text : throw new SettingsException($"bad attribute format: '{text}' (--label), want key=value");

    private static string Absolute(string name, string path) => path switch
    {
        "" => throw new SettingsException($"--{name} is empty"),
        _ => Path.GetFullPath(path) is ['/', _, ..] full ? full.TrimEnd('/') : throw new SettingsException($"--{name} must not be '/'"),
    };

    private static string? OneOf(Settings settings, string name, params string[] values) => settings.Text(name) switch
    {
        null or "" => null,
        var text when values.Contains(text) => text,
        var text => throw new SettingsException($"invalid value '{text}' for --{name}: want {string.Join(" or ", values)}"),
    };

    private static string Bip(string text)
    {
        var slash = text.IndexOf('/');
        return slash > 0 && IPAddress.TryParse(text.AsSpan(0, slash), out var address)
            && int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            && length > 0 && length < address.GetAddressBytes().Length * 8
            ? text
            : throw new SettingsException($"invalid value '{text}' for --bip: want ADDRESS/LENGTH, as 172.17.0.1/16");
    }

    private static string FixedCidrV6(string text) => IPNetwork.TryParse(text, out var subnet) && subnet.BaseAddress.GetAddressBytes().Length == 16
        ? subnet.ToString()
        : throw new SettingsException($"invalid value '{text}' for --fixed-cidr-v6: want an IPv6 subnet, as fd00:1::/64");

    private static AddressPoolInfo Pool(string text)
    {
        var parts = text.Split(',').Select(p => p.Split('=', 2)).Where(p => p.Length == 2).ToDictionary(p => p[0].Trim(), p => p[1].Trim());
        return parts.TryGetValue("base", out var subnet) && parts.TryGetValue("size", out var size)
            && IPNetwork.TryParse(subnet, out var network)
            && int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length >= network.PrefixLength
            && length <= network.BaseAddress.GetAddressBytes().Length * 8
            ? new AddressPoolInfo { Base = subnet, Size = length }
            : throw new SettingsException($"invalid default address pool '{text}': want base=SUBNET,size=LENGTH, as base=10.0.0.0/8,size=24");
    }

    /// <summary>Bytes, with or without a unit of powers of 1024, as <c>20GB</c>.</summary>
    internal static long Size(string name, string text)
    {
        var digits = text.TrimEnd("bBiI".ToCharArray());
        var factor = digits.Length == 0 ? 0 : char.ToLowerInvariant(digits[^1]) switch
        {
            'k' => 1L << 10,
            'm' => 1L << 20,
            'g' => 1L << 30,
            't' => 1L << 40,
            _ => 1L,
        };
        digits = factor > 1 ? digits[..^1] : digits;
        return long.TryParse(digits.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            && factor > 0 && n <= long.MaxValue / factor
            ? n * factor
            : throw new SettingsException($"invalid size '{text}' for --{name}");
    }
}
