using System.Text.Json;
using Sampan.Api;

namespace Sampan.Daemon.Options;

/// <summary>daemon.json's <c>builder</c>, which has no flags: <c>{"gc": {"enabled": true, "defaultKeepStorage": "20GB", "policy": […]}}</c>.</summary>
internal static class BuilderSection
{
    /// <exception cref="SettingsException">An unknown key or a value of another kind.</exception>
    public static BuildGcOptions Read(JsonElement builder)
    {
        var gc = new BuildGcOptions();
        foreach (var member in Members("builder", builder))
        {
            gc = member.Name switch
            {
                "gc" => ReadGc(member.Value),
                "entitlements" => gc, // (every client may ask for them here: the socket is root's)
                _ => throw Unknown("builder", member),
            };
        }

        return gc;
    }

    private static BuildGcOptions ReadGc(JsonElement element)
    {
        var gc = new BuildGcOptions();
        foreach (var member in Members("builder.gc", element))
        {
            gc = member.Name switch
            {
                "enabled" => gc with { Enabled = Boolean(member) },
                "defaultKeepStorage" or "defaultReservedSpace" => gc with { DefaultReservedSpace = Bytes(member) },
                "defaultMaxUsedSpace" => gc with { DefaultMaxUsedSpace = Bytes(member) },
                "defaultMinFreeSpace" => gc with { DefaultMinFreeSpace = Bytes(member) },
                "policy" when member.Value.ValueKind == JsonValueKind.Array => gc with { Policy = [.. member.Value.EnumerateArray().Select(Rule)] },
                "policy" => throw Wrong(member),
                _ => throw Unknown("builder.gc", member),
            };
        }

        return gc;
    }

    private static BuildPruneOptions Rule(JsonElement element)
    {
        var rule = new BuildPruneOptions();
        foreach (var member in Members("builder.gc.policy", element))
        {
            rule = member.Name switch
            {
                "all" => rule with { All = Boolean(member) },
                "keepStorage" or "reservedSpace" => rule with { ReservedSpace = Bytes(member) },
                "maxUsedSpace" => rule with { MaxUsedSpace = Bytes(member) },
                "minFreeSpace" => rule with { MinFreeSpace = Bytes(member) },
                "filter" => rule with { Filters = FiltersOf(member) },
                _ => throw Unknown("builder.gc.policy", member),
            };
        }

        return rule;
    }

    /// <summary>A list of <c>name=value</c>.</summary>
    private static Dictionary<string, List<string>> FiltersOf(JsonProperty member)
    {
        if (member.Value.ValueKind != JsonValueKind.Array || member.Value.EnumerateArray().Any(f => f.ValueKind != JsonValueKind.String || !f.GetString()!.Contains('=')))
        {
            throw Wrong(member);
        }

        return member.Value.EnumerateArray().Select(f => f.GetString()!.Split('=', 2)).GroupBy(f => f[0])
            .ToDictionary(group => group.Key, group => group.Select(f => f[1]).ToList());
    }

    private static JsonElement.ObjectEnumerator Members(string name, JsonElement element) => element.ValueKind == JsonValueKind.Object
        ? element.EnumerateObject() : throw new SettingsException($"'{name}' must not be {element.GetRawText()}");

    private static bool Boolean(JsonProperty member) =>
        member.Value.ValueKind is JsonValueKind.True or JsonValueKind.False ? member.Value.GetBoolean() : throw Wrong(member);

    private static long Bytes(JsonProperty member) => member.Value.ValueKind switch
    {
        JsonValueKind.Number when member.Value.TryGetInt64(out var bytes) && bytes >= 0 => bytes,
        JsonValueKind.String => DaemonConfig.Size(member.Name, member.Value.GetString()!),
        _ => throw Wrong(member),
    };

    private static SettingsException Wrong(JsonProperty member) => new($"'{member.Name}' must not be {member.Value.GetRawText()}");

    private static SettingsException Unknown(string section, JsonProperty member) => new($"'{section}' has no key '{member.Name}'");
}
