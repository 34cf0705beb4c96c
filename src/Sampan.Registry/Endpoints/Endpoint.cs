using System.Net;
using System.Net.Sockets;
using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>Where a registry's API is.</summary>
/// <param name="Base">Scheme, host, port, and a mirror's path; without <c>/v2/</c>, without a slash at the end.</param>
/// <param name="IsMirror">Not the registry itself: it gets no credentials, and when it fails the next is asked.</param>
/// <param name="IsSchemeOpen">It may turn out to speak plain HTTP.</param>
public sealed record Endpoint(Uri Base, bool IsMirror, bool IsSchemeOpen);

/// <summary>From an image's domain to the addresses to ask, by Docker's rules.</summary>
internal sealed class EndpointTable(RegistryOptions options)
{
    private const string HubDomain = "docker.io", HubHost = "registry-1.docker.io";

    private readonly List<(string Domain, Uri Base)> _mirrors = [.. options.Mirrors.Select(ParseMirror)];

    /// <summary>The mirrors of a domain (for reading only), then the registry itself.</summary>
    public IEnumerable<Endpoint> Of(string domain, bool writing) =>
        [
            .. _mirrors.Where(m => !writing && m.Domain == domain).Select(m => new Endpoint(m.Base, IsMirror: true, IsSchemeOpen: false)),
            new Endpoint(new Uri($"https://{HostOf(domain)}"), IsMirror: false, IsInsecure(domain)),
        ];

    /// <summary>Whether a host's certificate need not be valid and plain HTTP is allowed: loopback, and what the settings name.</summary>
    public bool IsInsecure(string host)
    {
        var name = HostName(host);
        if (options.InsecureRegistries.Any(r => r.Equals(host, StringComparison.OrdinalIgnoreCase)
            || r.Equals(name, StringComparison.OrdinalIgnoreCase)))
        {
            return true;
        }

        if (name.Equals("localhost", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        var ranges = options.InsecureRegistries.Where(r => r.Contains('/'))
            .Select(r => IPNetwork.TryParse(r, out var range) ? range : (IPNetwork?)null)
            .OfType<IPNetwork>().ToList();
        return AddressesOf(name, ranges.Count > 0).Any(a => IPAddress.IsLoopback(a)
            || ranges.Exists(r => r.BaseAddress.AddressFamily == a.AddressFamily && r.Contains(a)));
    }

    /// <summary>The host whose API serves a domain.</summary>
    public static string HostOf(string domain) => domain == HubDomain ? HubHost : domain;

    /// <summary>Without the port and the brackets of IPv6.</summary>
    private static string HostName(string host)
    {
        var end = host.StartsWith('[') ? host.IndexOf(']') : host.LastIndexOf(':');
        return end < 0 ? host : host.StartsWith('[') ? host[1..end] : host[..end];
    }

    /// <summary>A name is looked up only when a range of addresses could matter.</summary>
    private static IPAddress[] AddressesOf(string name, bool lookup)
    {
        if (IPAddress.TryParse(name, out var address))
        {
            return [address];
        }

        try
        {
            return lookup ? Dns.GetHostAddresses(name) : [];
        }
        catch (SocketException)
        {
            // A host without an address is no insecure one; the request will say what is wrong with it.
            return [];
        }
    }

    private static (string Domain, Uri Base) ParseMirror(string text)
    {
        var (domain, url) = text.Split('=', 2) is [var d, var u] && !d.Contains('/') ? (d, u) : (HubDomain, text);
        return Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0
            && uri.Query.Length == 0 && uri.Fragment.Length == 0
            ? (ImageReference.ParseName($"{domain}/a/b").Domain, new Uri(url.TrimEnd('/')))
            : throw new FormatException(
                $"invalid registry mirror \"{text}\": want http[s]://HOST[:PORT][/PATH] without user, query and fragment");
    }
}
