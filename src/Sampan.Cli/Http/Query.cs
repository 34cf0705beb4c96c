using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Sampan.Cli.Http;

/// <summary>Builds a path with its query.</summary>
internal sealed class Query(string path)
{
    private readonly StringBuilder _text = new(path);
    private bool _any;

    /// <summary>A name as a part of a path.</summary>
    public static string Escape(string name) => Uri.EscapeDataString(name);

    public Query Add(string name, string value)
    {
        _text.Append(_any ? '&' : '?').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        _any = true;
        return this;
    }

    public Query AddIfSet(string name, string value) => value.Length > 0 ? Add(name, value) : this;

    public Query AddIf(bool condition, string name, string value = "1") => condition ? Add(name, value) : this;

    public Query Add(string name, long value) => Add(name, value.ToString(CultureInfo.InvariantCulture));

    /// <summary><c>name=value</c> filters in the API's form: <c>{"label":{"a=b":true}}</c>.</summary>
    public Query AddFilters(List<string> filters)
    {
        if (filters.Count == 0) return this;
        var all = new JsonObject();
        foreach (var filter in filters)
        {
            var at = filter.IndexOf('=');
            var key = filter[..at].Trim().ToLowerInvariant();
            if (all[key] is not JsonObject values) all[key] = values = [];
            values[filter[(at + 1)..].Trim()] = true;
        }

        return Add("filters", all.ToJsonString());
    }

    public override string ToString() => _text.ToString();
}
