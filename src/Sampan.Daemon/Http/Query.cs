using System.Globalization;
using System.Text.Json;
using Sampan.Api;

namespace Sampan.Daemon.Http;

/// <summary>The query of a request, read as moby reads it.</summary>
internal sealed class Query
{
    private readonly Dictionary<string, List<string>> _values = new(StringComparer.Ordinal);

    /// <param name="text">Without the question mark.</param>
    public Query(string text)
    {
        foreach (var pair in text.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=');
            var name = Decode(equals < 0 ? pair : pair[..equals]);
            if (!_values.TryGetValue(name, out var list))
            {
                _values[name] = list = [];
            }

            list.Add(equals < 0 ? "" : Decode(pair[(equals + 1)..]));
        }
    }

    public bool Has(string name) => _values.ContainsKey(name);

    /// <summary>The first value, or null when it is absent or empty.</summary>
    public string? this[string name] => _values.TryGetValue(name, out var list) && list[0].Length > 0 ? list[0] : null;

    public IReadOnlyList<string> All(string name) => _values.TryGetValue(name, out var list) ? list : [];

    /// <summary>Everything but nothing, <c>0</c>, <c>no</c>, <c>false</c> and <c>none</c> is true.</summary>
    public bool Bool(string name, bool absent = false) =>
        Has(name) ? this[name]?.Trim().ToLowerInvariant() is not (null or "0" or "no" or "false" or "none") : absent;

    /// <summary>A number, <paramref name="absent"/> when there is none.</summary>
    /// <exception cref="ApiException">400: not a number.</exception>
    public long Int64(string name, long absent = 0)
    {
        if (this[name] is not { } text)
        {
            return absent;
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new ApiException(400, $"invalid value '{text}' for '{name}': not a number");
    }

    /// <inheritdoc cref="Int64"/>
    public int Int32(string name, int absent = 0) => Int64(name, absent) is >= int.MinValue and <= int.MaxValue and var value
        ? (int)value
        : throw new ApiException(400, $"invalid value '{this[name]}' for '{name}': out of range");

    /// <summary>Seconds (with a fraction) since 1970, or RFC 3339; null when absent.</summary>
    public DateTimeOffset? Time(string name)
    {
        var text = this[name];
        if (text is null)
        {
            return null;
        }

        if (decimal.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds))
        {
            return Math.Abs(seconds) < 200_000_000_000m // about the year 8300, which DateTime can hold
                ? DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond))
                : throw new ApiException(400, $"invalid value '{text}' for '{name}': out of range");
        }

        return GoTime.Parse(text) ?? throw new ApiException(400, $"invalid value '{text}' for '{name}': neither seconds since 1970 nor RFC 3339");
    }

    /// <summary>JSON in a parameter, null when absent.</summary>
    public T? Json<T>(string name, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        if (this[name] is not { } text)
        {
            return default;
        }

        try
        {
            return JsonSerializer.Deserialize(text, type);
        }
        catch (JsonException e)
        {
            throw new ApiException(400, $"invalid value of '{name}': {e.Message}");
        }
    }

    /// <summary>Filters as <c>{"name":["value"]}</c>, or as old clients write them <c>{"name":{"value":true}}</c>.</summary>
    public Dictionary<string, List<string>> Filters()
    {
        if (this["filters"] is not { } text)
        {
            return [];
        }

        try
        {
            return JsonSerializer.Deserialize(text, ApiJson.Wire.DictionaryStringListString) ?? [];
        }
        catch (JsonException)
        {
            return OldFilters(text);
        }
    }

    private static Dictionary<string, List<string>> OldFilters(string text)
    {
        try
        {
            var old = JsonSerializer.Deserialize(text, ApiJson.Wire.DictionaryStringDictionaryStringBoolean) ?? [];
            return old.ToDictionary(f => f.Key, f => f.Value.Where(v => v.Value).Select(v => v.Key).ToList());
        }
        catch (JsonException)
        {
            throw new ApiException(400, $"invalid filter: '{text}' is not a JSON object of lists");
        }
    }

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
