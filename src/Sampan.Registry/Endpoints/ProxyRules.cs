using System.Net;

namespace Sampan.Registry;

/// <summary>Which proxy a URL goes through, by the rules that Go's programs and curl share: loopback never does.</summary>
internal sealed class ProxyRules : IWebProxy
{
    private readonly Uri? _http;
    private readonly Uri? _https;
    private readonly string[] _except;

    /// <exception cref="FormatException">A proxy is not a URL.</exception>
    public ProxyRules(ProxySettings settings)
    {
        _http = Parse(settings.Http);
        _https = Parse(settings.Https);
        _except = [.. settings.Except.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(e => e.ToLowerInvariant())];
    }

    public ICredentials? Credentials { get; set; }

    public Uri? GetProxy(Uri destination) => IsBypassed(destination) ? null : destination.Scheme == "https" ? _https : _http;

    public bool IsBypassed(Uri host)
    {
        var name = host.IdnHost.ToLowerInvariant();
        return (host.Scheme == "https" ? _https : _http) is null || host.IsLoopback || name == "localhost"
            || _except.Any(e => Excepts(e, name, host.Port));
    }

    private static bool Excepts(string rule, string name, int port)
    {
        if (rule == "*")
        {
            return true;
        }

        if (IPAddress.TryParse(name, out var address))
        {
            return IPNetwork.TryParse(rule, out var range) ? range.BaseAddress.AddressFamily == address.AddressFamily
                && range.Contains(address)
                : IPAddress.TryParse(rule, out var excepted) ? excepted.Equals(address)
                : rule == $"{name}:{port}" || rule == $"[{name}]:{port}";
        }

        var colon = rule.LastIndexOf(':');
        if (colon > 0)
        {
            if (rule[(colon + 1)..] != $"{port}")
            {
                return false;
            }

            rule = rule[..colon];
        }

        // ".example.org" excepts only what is below; "example.org" itself too.
        rule = rule.StartsWith("*.", StringComparison.Ordinal) ? rule[1..] : rule;
        return rule.StartsWith('.') ? name.EndsWith(rule, StringComparison.Ordinal) : name == rule
            || name.EndsWith("." + rule, StringComparison.Ordinal);
    }

    private static Uri? Parse(string text)
    {
        if (text.Length == 0)
        {
            return null;
        }

        return Uri.TryCreate(text.Contains("://") ? text : $"http://{text}", UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https" or "socks5"
            ? uri
            : throw new FormatException($"invalid proxy \"{text}\": want [http|https|socks5]://HOST:PORT");
    }
}
