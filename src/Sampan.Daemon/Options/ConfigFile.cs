using System.Text.Json;

namespace Sampan.Daemon.Options;

/// <summary>daemon.json: the flags' names (plural for those that repeat) as keys.</summary>
internal static class ConfigFile
{
    /// <summary>Keys of dockerd without a flag of that name; accepted.</summary>
    private static readonly string[] WithoutFlag =
        ["features", "builder", "runtimes", "default-runtime", "storage-opts", "containerd"];

    /// <summary>Adds the file's values to those of the command line.</summary>
    /// <exception cref="SettingsException">Not readable, not JSON, an unknown key, or a value given in both places.</exception>
    public static void Merge(Settings settings, string path, bool mustExist)
    {
        if (!mustExist && !File.Exists(path))
        {
            return;
        }

        var prefix = $"unable to configure the daemon with file {path}";
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{prefix}: {e.Message}");
        }

        if (bytes.AsSpan().Trim(" \t\r\n"u8).IsEmpty)
        {
            return;
        }

        try
        {
            using var document = JsonDocument.Parse(bytes);
            Merge(settings, document.RootElement, prefix);
        }
        catch (JsonException e)
        {
            throw new SettingsException($"{prefix}: {e.Message}");
        }
    }

    private static void Merge(Settings settings, JsonElement root, string prefix)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new SettingsException($"{prefix}: not a JSON object");
        }

        // proxies is an object of flags of their own.
        var known = root.EnumerateObject()
            .SelectMany(p => p is { Name: "proxies", Value.ValueKind: JsonValueKind.Object } ? p.Value.EnumerateObject().AsEnumerable() : [p])
            .Select(p => (Property: p, Flag: Flag.All.FirstOrDefault(f => f.Key == p.Name && f.Name != "config-file"))).ToList();
        var unknown = known.Where(k => k.Flag is null && !WithoutFlag.Contains(k.Property.Name)).Select(k => k.Property.Name).ToList();
        if (unknown.Count > 0)
        {
            throw new SettingsException(
                $"{prefix}: the following directives don't match any configuration option: {string.Join(", ", unknown)}");
        }

        var twice = known.Where(k => k.Flag is not null && settings.Values.ContainsKey(k.Flag.Name))
            .Select(k => $"{k.Property.Name}: (from flag: {Show(k.Flag!, settings)}, from file: {k.Property.Value.GetRawText()})").ToList();
        if (twice.Count > 0)
        {
            throw new SettingsException(
                $"{prefix}: the following directives are specified both as a flag and in the configuration file: {string.Join(", ", twice)}");
        }

        if (root.TryGetProperty("builder", out var builder))
        {
            try
            {
                settings.BuildGc = BuilderSection.Read(builder);
            }
            catch (SettingsException e)
            {
                throw new SettingsException($"{prefix}: {e.Message}");
            }
        }

        foreach (var (property, flag) in known)
        {
            if (flag is not null)
            {
                Add(settings, flag, property.Value, prefix);
            }
        }
    }

    private static string Show(Flag flag, Settings settings) =>
        flag.Kind is FlagKind.List or FlagKind.Map ? $"[{string.Join(' ', settings.List(flag.Name))}]" : settings.Text(flag.Name)!;

    private static void Add(Settings settings, Flag flag, JsonElement value, string prefix)
    {
        switch (flag.Kind, value.ValueKind)
        {
            case (FlagKind.Text, JsonValueKind.String):
                settings.Add(flag, value.GetString()!);
                break;
            case (FlagKind.Text or FlagKind.Number, JsonValueKind.Number):
                settings.Add(flag, value.GetRawText());
                break;
            case (FlagKind.Boolean, JsonValueKind.True or JsonValueKind.False):
                settings.Add(flag, value.GetBoolean() ? "true" : "false");
                break;
            case (FlagKind.List, JsonValueKind.Array):
                foreach (var item in value.EnumerateArray())
                {
                    settings.Add(flag, item.ValueKind == JsonValueKind.Object ? Pairs(item) : item.ToString());
                }

                break;
            case (FlagKind.Map, JsonValueKind.Object):
                foreach (var item in value.EnumerateObject())
                {
                    settings.Add(flag, $"{item.Name}={(item.Value.ValueKind == JsonValueKind.Object ? Limit(item.Value) : item.Value.ToString())}");
                }

                break;
            default:
                throw new SettingsException($"{prefix}: '{flag.Key}' must not be {value.GetRawText()}");
        }
    }

    /// <summary>A limit is an object in the file, <c>{"Name": "nofile", "Soft": 1024, "Hard": 2048}</c>, and <c>nofile=1024:2048</c> as a flag.</summary>
    private static string Limit(JsonElement limit) => string.Join(':', new[] { "Soft", "Hard" }.Select(n => limit.TryGetProperty(n, out var value) ? value.ToString() : ""));

    /// <summary>An address pool is an object in the file and <c>base=…,size=…</c> as a flag.</summary>
    private static string Pairs(JsonElement item) => string.Join(',', item.EnumerateObject().Select(p => $"{p.Name}={p.Value}"));
}
