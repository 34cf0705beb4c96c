using System.Net;

namespace Sampan.Network.Names;

/// <summary>Servers that are asked together, in the user's order.</summary>
/// <param name="Id">Part of the keys of the cache: other servers may give other answers.</param>
internal sealed record UpstreamGroup(int Id, IPEndPoint[] Servers);

/// <summary>Which servers know the names of the rest of the world. Follows the host's resolv.conf.</summary>
/// <param name="readHost">The host's resolv.conf.</param>
internal sealed class Upstreams(Func<string> readHost)
{
    private const int Port = 53, ServerLimit = 8, LookMs = 1000;
    private readonly Dictionary<string, UpstreamGroup> _groups = [];
    private IReadOnlyList<string> _host = [];
    private string? _text;
    private long _lookAt = long.MinValue;
    private int _version;

    /// <summary>The servers of a container that asks now.</summary>
    public UpstreamGroup Of(Asker asker, long now)
    {
        if (now >= _lookAt)
        {
            Look(now);
        }

        if (asker.Upstreams is not { } group || asker.UpstreamsVersion != _version)
        {
            asker.Upstreams = group = Choose(asker.Container);
            asker.UpstreamsVersion = _version;
        }

        return group;
    }

    private void Look(long now)
    {
        _lookAt = now + LookMs;
        var text = readHost();
        if (text == _text)
        {
            return;
        }

        _text = text;
        _host = [.. HostFiles.Nameservers(text).Select(a => a.ToString())];
        _version++;
        _groups.Clear();
    }

    /// <summary>The user's servers or the host's. Those that would ask the container itself, which asks us, are no help: they are a loop.</summary>
    private UpstreamGroup Choose(NamedContainer container)
    {
        var isOwn = container.Servers.Count > 0;
        var servers = (isOwn ? container.Servers : _host)
            .Where(s => !container.Endpoints.Exists(e => e.Address == s || e.Address6 == s) && !(isOwn && s == ResolverSockets.Address.ToString()))
            .Distinct().Take(ServerLimit).ToList();
        var key = string.Join(' ', servers);
        if (!_groups.TryGetValue(key, out var group))
        {
            var points = servers.Select(s => IPAddress.TryParse(s, out var address) ? new IPEndPoint(address, Port) : null).OfType<IPEndPoint>();
            _groups[key] = group = new UpstreamGroup((_version << 12) + _groups.Count, [.. points]);
        }

        return group;
    }
}
