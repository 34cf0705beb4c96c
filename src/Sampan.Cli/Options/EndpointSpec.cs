using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Options;

/// <summary>Reads <c>--network NAME</c> or <c>--network name=NAME,alias=…,ip=…</c>.</summary>
internal static class EndpointSpec
{
    public static string Check(string value)
    {
        Parse(value);
        return value;
    }

    /// <summary>The network's name, and the API's EndpointSettings for it.</summary>
    public static (string Network, JsonObject Settings) Parse(string value)
    {
        var settings = new JsonObject();
        if (!value.Contains('=') || value.StartsWith("container:", StringComparison.Ordinal)) return (value, settings);
        var name = "";
        foreach (var field in MountSpec.CsvFields(value))
        {
            var at = field.IndexOf('=');
            if (at <= 0) throw new FlagValueException($"invalid field {field}");
            var text = field[(at + 1)..].Trim();
            switch (field[..at].Trim().ToLowerInvariant())
            {
                case "name": name = text; break;
                case "alias": List(settings, "Aliases").Add((JsonNode)text); break;
                case "ip": Object(settings, "IPAMConfig")["IPv4Address"] = text; break;
                case "ip6": Object(settings, "IPAMConfig")["IPv6Address"] = text; break;
                case "mac-address": settings["MacAddress"] = Mac(text) ?? throw new FlagValueException("invalid MAC address"); break;
                case "link-local-ip": List(Object(settings, "IPAMConfig"), "LinkLocalIPs").Add((JsonNode)text); break;
                case "gw-priority": settings["GwPriority"] = FlagValues.Int(text); break;
                case "driver-opt" when text.IndexOf('=') is > 0 and var equals:
                    Object(settings, "DriverOpts")[text[..equals].ToLowerInvariant()] = text[(equals + 1)..];
                    break;
                case "driver-opt": throw new FlagValueException($"invalid key value pair format in driver options");
                default: throw new FlagValueException($"invalid field key {field[..at].Trim()}");
            }
        }

        return name.Length > 0 ? (name, settings) : throw new FlagValueException("network name/id is not specified");
    }

    /// <summary>Six bytes in hexadecimal with colons, lower case; null when the text is not that.</summary>
    public static string? Mac(string text)
    {
        var parts = text.Split(':', '-');
        if (parts.Length is not (6 or 8)) return null;
        foreach (var part in parts)
        {
            if (part.Length != 2 || !char.IsAsciiHexDigit(part[0]) || !char.IsAsciiHexDigit(part[1])) return null;
        }

        return string.Join(':', parts).ToLowerInvariant();
    }

    public static JsonArray List(JsonObject parent, string name)
    {
        if (parent[name] is JsonArray list) return list;
        parent[name] = list = [];
        return list;
    }

    public static JsonObject Object(JsonObject parent, string name)
    {
        if (parent[name] is JsonObject child) return child;
        parent[name] = child = [];
        return child;
    }
}
