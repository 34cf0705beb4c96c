using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;

namespace Sampan.Cli;

/// <summary>The flags before the command.</summary>
internal sealed class GlobalFlags
{
    private readonly ListFlag _hosts;
    private readonly ValueFlag<string> _config;
    private readonly SwitchFlag _debug;
    private readonly SwitchFlag _version;

    public GlobalFlags()
    {
        _config = Flags.Text("config", "Folder of the client's configuration", Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".docker"));
        _debug = Flags.Switch("debug", 'D', "Say more about what is done");
        _hosts = Flags.List("host", 'H', "Socket of the daemon to talk to");
        Flags.Text("log-level", 'l', "Level of our messages (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")", "info");
        _version = Flags.Switch("version", 'v', "Print the version and quit");
    }

    public FlagSet Flags { get; } = new();

    public bool Debug => _debug;

    public bool Version => _version;

    /// <summary>True when neither -H nor DOCKER_HOST names a daemon.</summary>
    public bool IsDefaultHost => Host.Length == 0;

    private string Host => _hosts.Values.Count == 1 ? _hosts.Values[0] : Environment.GetEnvironmentVariable("DOCKER_HOST") ?? "";

    /// <summary>Takes the folder of the configuration that was named, for us and for whom we start.</summary>
    public void Apply()
    {
        if (_config.Changed) Environment.SetEnvironmentVariable("DOCKER_CONFIG", _config.Value);
    }

    /// <summary>The daemon that -H or DOCKER_HOST names, or else the default one, which is started when it does not answer.</summary>
    public ApiTransport Connect()
    {
        if (_hosts.Values.Count > 1) throw new CliException("specify only one -H");
        var transport = new ApiTransport(DaemonAddress.Parse(Host), IsDefaultHost ? DaemonStarter.Start : null);
        if (Environment.GetEnvironmentVariable("DOCKER_API_VERSION") is { Length: > 0 } version) transport.UseVersion(version.TrimStart('v'));
        return transport;
    }
}
