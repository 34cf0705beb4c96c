namespace Sampan.Registry;

/// <summary>How registries are reached: the daemon's settings and the limits of every exchange.</summary>
public sealed record RegistryOptions
{
    /// <summary>
    /// Hosts (<c>name[:port]</c>) and address ranges (CIDR) whose certificates need not be valid, and which may speak plain HTTP.
    /// </summary>
    public IReadOnlyList<string> InsecureRegistries { get; init; } = [];

    /// <summary>
    /// Mirrors, tried in this order before the registry: a URL is one of docker.io, as dockerd has it; <c>DOMAIN=URL</c> is one of another
    /// registry.
    /// </summary>
    public IReadOnlyList<string> Mirrors { get; init; } = [];

    /// <summary>Layers that are fetched at one time, by all pulls together.</summary>
    public int MaxConcurrentDownloads { get; init; } = 3;

    /// <summary>Layers that are sent at one time by all pushes together.</summary>
    public int MaxConcurrentUploads { get; init; } = 5;

    /// <summary>Attempts at a request or a layer that the registry or the network breaks off.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>The pause after the first failure; it doubles with each further one, up to <see cref="MaxPause"/>.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest pause. A registry that asks for a longer one (Retry-After) is not waited for.</summary>
    public TimeSpan MaxPause { get; init; } = TimeSpan.FromSeconds(60);

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>From a request to the head of its answer; a registry that took a large blob needs a while to hash it.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Between two pieces of a blob.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Folders with <c>HOST[:PORT]/</c>{<c>*.crt</c> (authorities), <c>*.cert</c> with <c>*.key</c> (the client's)}.</summary>
    public IReadOnlyList<string> CertificateFolders { get; init; } = ["/etc/docker/certs.d", "/etc/sampan/certs.d"];

    /// <summary>Proxies; null takes those of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).</summary>
    public ProxySettings? Proxies { get; init; }

    /// <summary>The user agent that registries see.</summary>
    public string UserAgent { get; init; } = "sampan";
}

/// <summary>Proxies of the daemon; empty is none.</summary>
/// <param name="Http">For http: URLs.</param>
/// <param name="Https">For https: URLs.</param>
/// <param name="Except">Hosts reached directly: names, <c>.domain</c>, addresses and ranges, with commas between; <c>*</c> is all.</param>
public sealed record ProxySettings(string Http, string Https, string Except)
{
    /// <summary>Those of the environment; the upper-case names count less, as with curl.</summary>
    public static ProxySettings OfEnvironment() => new(Variable("http_proxy"), Variable("https_proxy"), Variable("no_proxy"));

    private static string Variable(string name) =>
        Environment.GetEnvironmentVariable(name) ?? Environment.GetEnvironmentVariable(name.ToUpperInvariant()) ?? "";
}

/// <summary>What a client knows of a registry's user. All empty: nobody.</summary>
public sealed record Credentials
{
    public static Credentials None { get; } = new();

    public string Username { get; init; } = "";

    public string Password { get; init; } = "";

    /// <summary>A refresh token, to be exchanged for tokens at the registry's token server.</summary>
    public string IdentityToken { get; init; } = "";

    /// <summary>A bearer token to be sent as it is.</summary>
    public string RegistryToken { get; init; } = "";
}
