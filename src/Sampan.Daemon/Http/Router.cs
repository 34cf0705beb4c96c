namespace Sampan.Daemon.Http;

/// <summary>A route's work.</summary>
internal delegate Task RouteHandler(ApiCall call);

/// <summary>
/// Method and path to handler. A template is a path with at most one <c>{name}</c>, which stands for any text, slashes too (image names
/// have them). Exact paths win; among the others the first registered does.
/// </summary>
internal sealed class Router
{
    private sealed record Route(string Method, string Prefix, string Suffix, RouteHandler Handler);

    private readonly Dictionary<(string Method, string Path), RouteHandler> _exact = [];
    private readonly List<Route> _named = [];

    public void Map(string method, string template, RouteHandler handler)
    {
        var open = template.IndexOf('{');
        if (open < 0)
        {
            _exact.Add((method, template), handler);
            return;
        }

        var close = template.IndexOf('}', open);
        _named.Add(new Route(method, template[..open], template[(close + 1)..], handler));
    }

    /// <summary>The handler of a path, and what its name stands for; null when there is none.</summary>
    public (RouteHandler Handler, string Name)? Find(string method, string path)
    {
        if (_exact.TryGetValue((method, path), out var handler))
        {
            return (handler, "");
        }

        foreach (var route in _named)
        {
            if (route.Method == method && path.Length > route.Prefix.Length + route.Suffix.Length
                && path.StartsWith(route.Prefix, StringComparison.Ordinal) && path.EndsWith(route.Suffix, StringComparison.Ordinal))
            {
                return (route.Handler, path[route.Prefix.Length..^route.Suffix.Length]);
            }
        }

        return null;
    }
}
