using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;

namespace Sampan.Cli.Options;

/// <summary>Reads <c>--mount type=…,source=…,target=…</c> into the API's Mount.</summary>
internal static class MountSpec
{
    /// <exception cref="FlagValueException">A field is unknown, wrong or missing.</exception>
    public static JsonObject Parse(string text)
    {
        if (text.Trim().Length == 0) throw new FlagValueException("EOF");
        var mount = new JsonObject { ["Type"] = "volume" };
        foreach (var field in CsvFields(text))
        {
            var equals = field.IndexOf('=');
            var key = (equals < 0 ? field : field[..equals]).ToLowerInvariant();
            Apply(mount, key, equals < 0 ? null : field[(equals + 1)..], field);
        }

        var type = mount["Type"]!.GetValue<string>();
        if (type.Length == 0) throw new FlagValueException("type is required");
        if (mount["Target"] is null) throw new FlagValueException("target is required");
        foreach (var (options, owner) in (ReadOnlySpan<(string, string)>)[("BindOptions", "bind"), ("VolumeOptions", "volume"), ("TmpfsOptions", "tmpfs"), ("ImageOptions", "image")])
        {
            if (mount[options] is not null && type != owner) throw new FlagValueException($"cannot mix '{owner}-*' options with mount type '{type}'");
        }

        return mount;
    }

    /// <summary>Cuts a line of comma-separated values, in which quotes protect commas.</summary>
    public static List<string> CsvFields(string line)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (c == '"' && quoted && i + 1 < line.Length && line[i + 1] == '"') field.Append(line[++i]);
            else if (c == '"' && (quoted || field.Length == 0)) quoted = !quoted;
            else if (c == '"') throw new FlagValueException($"parse error on line 1, column {i + 1}: bare \" in non-quoted-field");
            else if (c == ',' && !quoted) fields.Add(Take(field));
            else field.Append(c);
        }

        if (quoted) throw new FlagValueException($"parse error on line 1, column {line.Length + 1}: extraneous or missing \" in quoted-field");
        fields.Add(field.ToString());
        return fields;
    }

    private static string Take(StringBuilder field)
    {
        var text = field.ToString();
        field.Clear();
        return text;
    }

    private static void Apply(JsonObject mount, string key, string? value, string field)
    {
        if (value is null && key is not ("readonly" or "ro" or "volume-nocopy" or "bind-nonrecursive"))
        {
            throw new FlagValueException($"invalid field '{field}' must be a key=value pair");
        }

        switch (key)
        {
            case "type":
                mount["Type"] = value!.ToLowerInvariant();
                break;
            case "source" or "src":
                // A relative path of the host is relative to here, which the daemon cannot know.
                mount["Source"] = value is "." or ".." || value!.StartsWith("./", StringComparison.Ordinal) || value.StartsWith("../", StringComparison.Ordinal)
                    ? Path.GetFullPath(value)
                    : value;
                break;
            case "target" or "dst" or "destination":
                mount["Target"] = value!.Length == 0 ? null : value;
                break;
            case "readonly" or "ro":
                mount["ReadOnly"] = Bool(key, value);
                break;
            case "consistency":
                mount["Consistency"] = value!.ToLowerInvariant();
                break;
            default:
                ApplyTyped(mount, key, value, field);
                break;
        }
    }

    private static void ApplyTyped(JsonObject mount, string key, string? value, string field)
    {
        switch (key)
        {
            case "bind-propagation":
                Part(mount, "BindOptions")["Propagation"] = value!.ToLowerInvariant();
                break;
            case "bind-nonrecursive":
                Part(mount, "BindOptions")["NonRecursive"] = Bool(key, value);
                break;
            case "bind-recursive":
                Recursive(Part(mount, "BindOptions"), value!);
                break;
            case "volume-subpath":
                Part(mount, "VolumeOptions")["Subpath"] = value;
                break;
            case "volume-nocopy":
                Part(mount, "VolumeOptions")["NoCopy"] = Bool(key, value);
                break;
            case "volume-label":
                Part(Part(mount, "VolumeOptions"), "Labels")[Before(value!)] = After(value!);
                break;
            case "volume-driver":
                Part(Part(mount, "VolumeOptions"), "DriverConfig")["Name"] = value;
                break;
            case "volume-opt":
                Part(Part(Part(mount, "VolumeOptions"), "DriverConfig"), "Options")[Before(value!)] = After(value!);
                break;
            case "image-subpath":
                Part(mount, "ImageOptions")["Subpath"] = value;
                break;
            case "tmpfs-size":
                Part(mount, "TmpfsOptions")["SizeBytes"] = Size(key, value!);
                break;
            case "tmpfs-mode":
                Part(mount, "TmpfsOptions")["Mode"] = Octal(key, value!);
                break;
            default:
                throw new FlagValueException($"unexpected key '{key}' in '{field}'");
        }
    }

    private static void Recursive(JsonObject options, string value)
    {
        switch (value)
        {
            case "enabled": break;
            case "disabled": options["NonRecursive"] = true; break;
            case "writable": options["ReadOnlyNonRecursive"] = true; break;
            case "readonly": options["ReadOnlyForceRecursive"] = true; break;
            default:
                throw new FlagValueException(
                    $"invalid value for bind-recursive: {value} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")");
        }
    }

    private static JsonObject Part(JsonObject parent, string name)
    {
        if (parent[name] is JsonObject part) return part;
        parent[name] = part = [];
        return part;
    }

    private static bool Bool(string key, string? value)
    {
        try
        {
            return value is null || FlagValues.Bool(value);
        }
        catch (FlagValueException)
        {
            throw new FlagValueException($"invalid value for {key}: {value}");
        }
    }

    private static long Size(string key, string value)
    {
        try
        {
            return Units.ParseBytes(value);
        }
        catch (FlagValueException)
        {
            throw new FlagValueException($"invalid value for {key}: {value}");
        }
    }

    private static int Octal(string key, string value)
    {
        var mode = 0;
        foreach (var c in value)
        {
            if (c is < '0' or > '7' || mode > 0xFFF) throw new FlagValueException($"invalid value for {key}: {value}");
            mode = mode * 8 + (c - '0');
        }

        return value.Length > 0 ? mode : throw new FlagValueException(string.Create(CultureInfo.InvariantCulture, $"invalid value for {key}: {value}"));
    }

    private static string Before(string value) => value.IndexOf('=') is >= 0 and var at ? value[..at] : value;

    private static string After(string value) => value.IndexOf('=') is >= 0 and var at ? value[(at + 1)..] : "";
}
