using System.Globalization;
using System.Text.RegularExpressions;
using Sampan.Api;
using Sampan.Dockerfile.Instructions;

namespace Sampan.Engine;

/// <summary>The <c>filters</c> of a list request: a name with its accepted values, any of which may match (all names must).</summary>
internal sealed class Filters
{
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);
    private readonly Dictionary<string, List<string>> _values;

    /// <param name="values">As parsed from the query.</param>
    /// <param name="known">The names this list understands; another is an error, as with dockerd.</param>
    public Filters(Dictionary<string, List<string>>? values, params ReadOnlySpan<string> known)
    {
        _values = values ?? [];
        foreach (var name in _values.Keys)
        {
            if (!known.Contains(name))
            {
                throw EngineException.Invalid($"invalid filter '{name}'");
            }
        }
    }

    public bool Has(string name) => _values.TryGetValue(name, out var list) && list.Count > 0;

    public IReadOnlyList<string> Get(string name) => _values.TryGetValue(name, out var list) ? list : [];

    /// <summary>True when the filter is not given, or one of its values satisfies <paramref name="matches"/>.</summary>
    public bool Match(string name, Func<string, bool> matches) => !Has(name) || _values[name].Exists(v => matches(v));

    /// <summary>
    /// True when the filter is not given, or one of its values is one of these texts or, as a regular expression, matches a part of one: so Docker
    /// takes names and ids.
    /// </summary>
    public bool MatchPattern(string name, params IReadOnlyList<string> texts) => Match(name, value => texts.Any(text => text == value || IsMatch(text, value)));

    /// <summary>Label filters: <c>key</c> or <c>key=value</c>; unlike other filters all of them must hold.</summary>
    public bool MatchLabels(IReadOnlyDictionary<string, string>? labels, string name = "label")
    {
        foreach (var wanted in Get(name))
        {
            var equals = wanted.IndexOf('=');
            var key = equals < 0 ? wanted : wanted[..equals];
            if (labels is null || !labels.TryGetValue(key, out var value) || (equals >= 0 && value != wanted[(equals + 1)..]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The label filters of the prune commands: what has all labels of <c>label!</c> stays.</summary>
    public bool MatchLabelsToPrune(IReadOnlyDictionary<string, string>? labels) =>
        MatchLabels(labels) && !(Has("label!") && MatchLabels(labels, "label!"));

    /// <summary>
    /// A filter of time such as <c>until=24h</c>: an age, a time as RFC 3339 has it, or seconds since 1970; null when not given.
    /// </summary>
    /// <exception cref="EngineException">It is none of these.</exception>
    public DateTimeOffset? Time(string name, DateTimeOffset now)
    {
        if (!Has(name))
        {
            return null;
        }

        var text = Get(name)[0];
        try
        {
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) ? DateTimeOffset.UnixEpoch.AddSeconds(seconds)
                : GoTime.Parse(text) ?? now - GoDuration.Parse(text);
        }
        catch (Exception e) when (e is FormatException or ArgumentOutOfRangeException)
        {
            throw EngineException.Invalid($"invalid filter '{name}={text}': neither a duration, as 24h, nor a time");
        }
    }

    private static bool IsMatch(string text, string pattern)
    {
        try
        {
            return Regex.IsMatch(text, pattern, RegexOptions.None, PatternTimeout);
        }
        catch (RegexParseException)
        {
            return false; // no expression, as with Docker no error
        }
    }

    /// <summary>A boolean filter such as <c>dangling=true</c>; null when not given.</summary>
    public bool? Bool(string name)
    {
        if (!Has(name))
        {
            return null;
        }

        return Get(name)[0] switch
        {
            "1" or "true" or "True" or "TRUE" or "t" => true,
            "0" or "false" or "False" or "FALSE" or "f" => false,
            var other => throw EngineException.Invalid($"invalid filter '{name}={other}'"),
        };
    }
}
