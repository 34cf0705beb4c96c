using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Sampan.Tests.Integration.Build.Corpus;

/// <summary>An image as a corpus case describes it: its configuration, and its files over those of the base.</summary>
public static class BuiltImage
{
    private const int ShownChars = 60;

    /// <summary>What is set in an image's configuration, one line each, in a fixed order; PATH only where it is not the usual.</summary>
    public static string Config(string inspect)
    {
        JsonNode image = JsonNode.Parse(inspect)!.AsArray()[0]!;
        JsonNode config = image["Config"]!;
        var lines = new List<string>();
        void Add(string name, JsonNode? value)
        {
            string text = value switch
            {
                null or JsonArray { Count: 0 } or JsonObject { Count: 0 } => "",
                JsonObject members => string.Join(' ', members.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => m.Value is JsonValue v ? $"{m.Key}={v}" : m.Key)),
                JsonArray words => string.Join(' ', words.Select(w => JsonValue.Create(w!.GetValue<string>())!.ToJsonString(Plain))),
                _ => value.ToString(),
            };
            if (text.Length > 0)
                lines.Add($"{name}: {text}");
        }
        Add("Author", image["Author"]);
        Add("User", config["User"]);
        Add("WorkingDir", config["WorkingDir"]?.GetValue<string>() is "/" ? null : config["WorkingDir"]);
        Add("Entrypoint", config["Entrypoint"]);
        Add("Cmd", config["Cmd"]);
        var env = new JsonArray([.. (config["Env"]?.AsArray() ?? []).Select(e => e!.GetValue<string>()).Where(e => e != UsualPath).Select(e => (JsonNode)e)]);
        Add("Env", env);
        Add("Labels", config["Labels"]);
        Add("ExposedPorts", config["ExposedPorts"]);
        Add("Volumes", config["Volumes"]);
        Add("StopSignal", config["StopSignal"]);
        Add("Shell", config["Shell"]);
        Add("OnBuild", config["OnBuild"]);
        Add("Healthcheck", config["Healthcheck"] is JsonObject health ? Health(health) : null);
        return string.Concat(lines.Select(l => l + "\n"));
    }

    private static readonly System.Text.Json.JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private const string UsualPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static JsonObject Health(JsonObject health)
    {
        var shown = new JsonObject();
        foreach ((string name, JsonNode? value) in health)
        {
            string text = value is JsonArray words ? string.Join(' ', words.Select(w => w!.GetValue<string>())) : value!.ToString();
            if (text is not ("" or "0"))
                shown[name] = text;
        }
        return shown;
    }

    /// <summary>The files over the first <paramref name="baseLayers"/> layers of an archive that <c>save</c> wrote, sorted by path.</summary>
    public static string Files(byte[] archive, int baseLayers)
    {
        var entries = new Dictionary<string, byte[]>();
        using (var reader = new TarReader(new MemoryStream(archive)))
        {
            while (reader.GetNextEntry(copyData: true) is { } entry)
            {
                if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                    entries[entry.Name] = entries[Path.Combine(Path.GetDirectoryName(entry.Name)!, entry.LinkName) is var p && p.Contains("..") ? Path.GetFullPath("/" + p)[1..] : p];
                else if (entry.DataStream is { } data)
                    entries[entry.Name] = Bytes(data);
            }
        }
        var layers = JsonNode.Parse(entries["manifest.json"])!.AsArray()[0]!["Layers"]!.AsArray().Select(l => l!.GetValue<string>()).ToList();
        var below = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < baseLayers; i++)
            Apply(below, entries[layers[i]]);
        var all = new SortedDictionary<string, string>(below, StringComparer.Ordinal);
        for (int i = baseLayers; i < layers.Count; i++)
            Apply(all, entries[layers[i]]);
        IEnumerable<string> changed = all.Where(e => !below.TryGetValue(e.Key, out string? old) || old != e.Value).Select(e => $"{e.Key} {e.Value}");
        IEnumerable<string> gone = below.Keys.Where(path => !all.ContainsKey(path)).Select(path => $"{path} gone");
        return string.Concat(changed.Concat(gone).Order(StringComparer.Ordinal).Select(line => line + "\n"));
    }

    private static void Apply(SortedDictionary<string, string> files, byte[] layer)
    {
        using var reader = new TarReader(new MemoryStream(layer));
        while (reader.GetNextEntry(copyData: true) is { } entry)
        {
            string path = PathOf(entry.Name);
            string name = Path.GetFileName(path);
            string folder = path[..path.LastIndexOf('/')];
            if (name == ".wh..wh..opq")
                Remove(files, folder, andItself: false);
            else if (name.StartsWith(".wh.", StringComparison.Ordinal))
                Remove(files, $"{folder}/{name[4..]}", andItself: true);
            else if (path != "/")
                files[path] = entry.EntryType == TarEntryType.HardLink ? files[PathOf(entry.LinkName)] : About(entry);
        }
    }

    private static string PathOf(string name) => "/" + (name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name == "." ? "" : name).Trim('/');

    private static void Remove(SortedDictionary<string, string> files, string path, bool andItself)
    {
        foreach (string below in files.Keys.Where(f => f.StartsWith(path + "/", StringComparison.Ordinal) || (andItself && f == path)).ToList())
            files.Remove(below);
    }

    private static string About(TarEntry entry)
    {
        string mode = Convert.ToString((int)entry.Mode, 8);
        string owner = string.Create(CultureInfo.InvariantCulture, $"{entry.Uid}:{entry.Gid}");
        IEnumerable<string> xattrs = entry is PaxTarEntry pax
            ? pax.ExtendedAttributes.Where(a => a.Key.StartsWith("SCHILY.xattr.", StringComparison.Ordinal)).Select(a => $" {a.Key[13..]}=0x{Convert.ToHexStringLower(Encoding.UTF8.GetBytes(a.Value))}").Order(StringComparer.Ordinal) : [];
        return entry.EntryType switch
        {
            TarEntryType.Directory => $"dir {mode} {owner}",
            TarEntryType.SymbolicLink => $"link {owner} {entry.LinkName}",
            TarEntryType.RegularFile or TarEntryType.V7RegularFile => $"file {mode} {owner} {Content(entry.DataStream)}",
            _ => $"{entry.EntryType.ToString().ToLowerInvariant()} {mode} {owner}",
        } + string.Concat(xattrs);
    }

    private static string Content(Stream? data)
    {
        byte[] bytes = data is null ? [] : Bytes(data);
        string text = Encoding.UTF8.GetString(bytes);
        return text.Length <= ShownChars && text.All(c => c is '\n' or '\t' or (>= ' ' and <= '~'))
            ? System.Text.Json.JsonSerializer.Serialize(text, Plain) : $"{bytes.Length} sha256:{Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]}";
    }

    private static byte[] Bytes(Stream stream)
    {
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
