namespace Sampan.Daemon.Options;

/// <summary>What a flag's value is.</summary>
internal enum FlagKind
{
    Text,
    Boolean,
    Number,
    List,
    /// <summary><c>key=value</c>, repeatable; an object in the file.</summary>
    Map,
}

/// <summary>One of the daemon's flags.</summary>
/// <param name="Name">Without dashes.</param>
/// <param name="FileKey">Its name in daemon.json, when that differs.</param>
/// <param name="Short">One letter, or NUL.</param>
/// <param name="Help">For --help; null hides the flag (accepted because dockerd has it, without effect here).</param>
internal sealed record Flag(string Name, FlagKind Kind, string? Help, char Short = '\0', string? FileKey = null)
{
    public string Key => FileKey ?? Name;

    /// <summary>dockerd's names for what this daemon has.</summary>
    public static IReadOnlyList<Flag> All { get; } =
    [
        new("bip", FlagKind.Text, "Address and prefix of the default bridge, as 172.17.0.1/16"),
        new("bridge", FlagKind.Text, "Use this bridge for the default network, or \"none\"", 'b'),
        new("cgroup-parent", FlagKind.Text, "Parent cgroup of all containers"),
        new("config-file", FlagKind.Text, "Configuration file (default /etc/sampan/daemon.json, if it exists)"),
        new("data-root", FlagKind.Text, "Directory of images, containers and volumes (default /var/lib/sampan)"),
        new("debug", FlagKind.Boolean, "Debug mode", 'D'),
        new("default-address-pool", FlagKind.List, "Addresses for new networks, as base=10.0.0.0/8,size=24", FileKey: "default-address-pools"),
        new("default-cgroupns-mode", FlagKind.Text, "Default cgroup namespace, \"private\" or \"host\""),
        new("default-ipc-mode", FlagKind.Text, "Default IPC mode, \"private\" or \"shareable\""),
        new("default-shm-size", FlagKind.Text, "Default size of /dev/shm (64MiB)"),
        new("default-ulimit", FlagKind.Map, "Default limits of processes, as nofile=1024:2048", FileKey: "default-ulimits"),
        new("dns", FlagKind.List, "DNS server of containers"),
        new("dns-opt", FlagKind.List, "DNS option of containers", FileKey: "dns-opts"),
        new("dns-search", FlagKind.List, "DNS search domain of containers"),
        new("exec-root", FlagKind.Text, "Directory of run-time state (default /run/sampan)"),
        new("fixed-cidr-v6", FlagKind.Text, "IPv6 subnet of the default bridge"),
        new("group", FlagKind.Text, "Group of the unix socket (default \"sampan\" or \"docker\", if there)", 'G'),
        new("host", FlagKind.List, "Listen on unix://PATH, tcp://127.0.0.1:PORT or fd://", 'H', "hosts"),
        new("host-gateway-ip", FlagKind.List, "Address that host-gateway stands for in --add-host (the default bridge's)", FileKey: "host-gateway-ips"),
        new("http-proxy", FlagKind.Text, "Proxy for registries reached by HTTP (default $HTTP_PROXY)"),
        new("https-proxy", FlagKind.Text, "Proxy for registries reached by HTTPS (default $HTTPS_PROXY)"),
        new("icc", FlagKind.Boolean, "Containers may talk to each other (default true)"),
        new("init", FlagKind.Boolean, "Run an init in every container"),
        new("insecure-registry", FlagKind.List, "Registry (HOST[:PORT] or CIDR) that may be without TLS", FileKey: "insecure-registries"),
        new("ip-masq", FlagKind.Boolean, "Masquerade outgoing connections (default true)"),
        new("ipv6", FlagKind.Boolean, "The default bridge has IPv6 too"),
        new("label", FlagKind.List, "key=value label of the daemon", FileKey: "labels"),
        new("log-driver", FlagKind.Text, "Default log driver (json-file)"),
        new("log-opt", FlagKind.Map, "Default log options", FileKey: "log-opts"),
        new("max-archive-size", FlagKind.Text, "Bytes that ADD unpacks of one archive at most (16GiB)"),
        new("max-concurrent-downloads", FlagKind.Number, "Layers to fetch at one time (3)"),
        new("max-concurrent-uploads", FlagKind.Number, "Layers to send at one time (5)"),
        new("max-download-attempts", FlagKind.Number, "Attempts at a layer that breaks off (5)"),
        new("max-layer-entries", FlagKind.Number, "Files that a layer may have at most (10000000)"),
        new("max-layer-size", FlagKind.Text, "Bytes that a layer may have at most, not compressed (4TiB)"),
        new("mtu", FlagKind.Number, "MTU of the default bridge"),
        new("no-proxy", FlagKind.Text, "Hosts reached without a proxy (default $NO_PROXY)"),
        new("no-new-privileges", FlagKind.Boolean, "Set no-new-privileges for containers by default"),
        new("pidfile", FlagKind.Text, "File with the daemon's process id (default EXEC-ROOT/sampan.pid)", 'p'),
        new("publish-policy", FlagKind.Text, "Published ports go around the host's firewall (\"docker\") or obey it (\"host-firewall\")"),
        new("registry-mirror", FlagKind.List, "URL of a mirror of docker.io, or DOMAIN=URL", FileKey: "registry-mirrors"),
        new("seccomp-profile", FlagKind.Text, "Path of the default seccomp profile, \"builtin\" or \"unconfined\""),
        new("shutdown-timeout", FlagKind.Number, "Seconds a stopping daemon waits for requests (15)"),
        new("tls", FlagKind.Boolean, "--tls=false allows tcp:// addresses that others can reach"),
        // Accepted for the sake of dockerd's files and units; what they ask for is so, or comes with a later issue.
        new("live-restore", FlagKind.Boolean, null),
        new("log-level", FlagKind.Text, null, 'l'),
        new("storage-driver", FlagKind.Text, null, 's'),
        new("experimental", FlagKind.Boolean, null),
        new("userland-proxy", FlagKind.Boolean, null),
        new("iptables", FlagKind.Boolean, null),
        new("ip6tables", FlagKind.Boolean, null),
        new("ip-forward", FlagKind.Boolean, null),
        new("raw-logs", FlagKind.Boolean, null),
    ];

    public static Flag? Find(string name) => All.FirstOrDefault(f => f.Name == name);
}
