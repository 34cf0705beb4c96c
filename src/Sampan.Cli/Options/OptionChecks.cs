using System.Net;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Oci;

namespace Sampan.Cli.Options;

/// <summary>Checks of single flag values, with Docker's messages.</summary>
internal static class OptionChecks
{
    /// <summary>NAME=value, or NAME to take the value from here; a name that is not set here is sent alone, to be removed.</summary>
    public static string Env(string value)
    {
        if (value.Length == 0 || value[0] == '=') throw new FlagValueException($"invalid environment variable: {value}");
        return value.Contains('=') ? value : Environment.GetEnvironmentVariable(value) is { } here ? $"{value}={here}" : value;
    }

    public static string Label(string value)
    {
        var name = value.IndexOf('=') is >= 0 and var at ? value[..at] : value;
        return name.Trim().Length == 0 ? throw new FlagValueException($"invalid label '{value}': empty name")
            : value;
    }

    public static string Attach(string value)
        => value.ToLowerInvariant() is var stream && stream is "stdin" or "stdout" or "stderr"
            ? stream
            : throw new FlagValueException("valid streams are STDIN, STDOUT and STDERR");

    public static string Address(string value)
        => IPAddress.TryParse(value.Trim(), out var address) && (value.Contains(':') || value.AsSpan().Count('.') == 3)
            ? address.ToString()
            : throw new FlagValueException($"IP address is not correctly formatted: {value}");

    public static string Domain(string value)
    {
        var text = value.Trim();
        if (text == ".") return text;
        var labels = text.TrimEnd('.').Split('.');
        var valid = text.Length is > 0 and <= 255;
        foreach (var label in labels)
        {
            valid &= label.Length is > 0 and < 64 && label.AsSpan().IndexOfAnyExcept(DomainCharacters) < 0 && label[0] != '-' && label[^1] != '-';
        }

        return valid ? text : throw new FlagValueException($"{value} is not a valid domain");
    }

    /// <summary><c>host:address</c> or <c>host=address</c>, in the first form.</summary>
    public static string ExtraHost(string value)
    {
        var at = value.AsSpan().IndexOfAny('=', ':');
        if (at <= 0) throw new FlagValueException($"bad format for add-host: \"{value}\"");
        var address = value[(at + 1)..];
        if (address.StartsWith('[') && address.EndsWith(']')) address = address[1..^1];
        return address == "host-gateway" || IPAddress.TryParse(address, out _) && (address.Contains(':') || address.AsSpan().Count('.') == 3)
            ? $"{value[..at]}:{address}"
            : throw new FlagValueException($"invalid IP address in add-host: \"{address}\"");
    }

    public static string Filter(string value)
        => value.Contains('=') ? value : throw new FlagValueException("bad format of filter (expected name=value)");

    public static string Sysctl(string value)
    {
        ReadOnlySpan<string> alone = ["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"];
        var at = value.IndexOf('=');
        var name = at < 0 ? "" : value[..at];
        return alone.Contains(name) || name.StartsWith("net.", StringComparison.Ordinal) || name.StartsWith("fs.mqueue.", StringComparison.Ordinal)
            ? value
            : throw new FlagValueException($"sysctl '{value}' is not allowed");
    }

    /// <summary><c>nofile=1024[:2048]</c> as the API's Ulimit.</summary>
    public static JsonObject Ulimit(string value)
    {
        try
        {
            var limit = Api.Ulimit.Parse(value);
            return new JsonObject { ["Name"] = limit.Name, ["Hard"] = limit.Hard, ["Soft"] = limit.Soft };
        }
        catch (FormatException e)
        {
            throw new FlagValueException(e.Message);
        }
    }

    /// <summary><c>all</c> or a number, as the API's DeviceRequest.</summary>
    public static JsonObject Gpu(string value)
    {
        var count = value == "all" ? -1 : long.TryParse(value, out var n) ? n
            : throw new FlagValueException($"invalid count ({value}): value must be either \"all\" or an integer: invalid syntax");
        return new JsonObject { ["Driver"] = "", ["Count"] = count, ["Capabilities"] = new JsonArray((JsonNode)new JsonArray("gpu")) };
    }

    public static JsonObject Weight(string value) => DeviceNumber(value, "Weight", isSize: false);

    public static JsonObject Rate(string value) => DeviceNumber(value, "Rate", isSize: false);

    public static JsonObject ByteRate(string value) => DeviceNumber(value, "Rate", isSize: true);

    /// <summary><c>/dev/sda:200</c>: a weight or rate of one device.</summary>
    private static JsonObject DeviceNumber(string value, string member, bool isSize)
    {
        var at = value.IndexOf(':');
        if (at < 0 || at == value.Length - 1) throw new FlagValueException($"bad format: {value}");
        var path = value[..at];
        if (!path.StartsWith("/dev/", StringComparison.Ordinal)) throw new FlagValueException($"bad format for device path: {value}");
        try
        {
            var number = isSize ? Formatting.Units.ParseBytes(value[(at + 1)..]) : (long)FlagValues.UInt(value[(at + 1)..]);
            if (member == "Weight" && number is not 0 and (< 10 or > 1000)) throw new FlagValueException($"invalid weight for device: {value}");
            return new JsonObject { ["Path"] = path, [member] = number };
        }
        catch (FlagValueException) when (member != "Weight")
        {
            throw new FlagValueException(
                $"invalid rate for device: {value}. The correct format is <device-path>:<number>{(isSize ? "[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb" : ". Number must be a positive integer")}");
        }
    }

    /// <summary><c>/dev/x[:/dev/y][:rwm]</c> as the API's DeviceMapping.</summary>
    public static JsonObject Device(string value)
    {
        var parts = value.Split(':');
        var permissions = parts.Length == 3 ? parts[2] : parts.Length == 2 && IsDeviceMode(parts[1]) ? parts[1] : "rwm";
        if (parts.Length > 3 || value.Length == 0) throw new CliException($"invalid device specification: {value}");
        var inside = parts.Length > 1 && !(parts.Length == 2 && IsDeviceMode(parts[1])) ? parts[1] : parts[0];
        if (!inside.StartsWith('/')) throw new CliException($"{inside} is not an absolute path");
        if (!IsDeviceMode(permissions)) throw new CliException($"bad mode specified: {permissions}");
        return new JsonObject { ["PathOnHost"] = parts[0], ["PathInContainer"] = inside, ["CgroupPermissions"] = permissions };
    }

    /// <summary><c>no</c>, <c>always</c>, <c>unless-stopped</c>, <c>on-failure[:n]</c> as the API's RestartPolicy.</summary>
    public static JsonObject Restart(string value)
    {
        var at = value.IndexOf(':');
        var name = at < 0 ? value : value[..at];
        if (at == 0) throw new CliException("invalid restart policy format: no policy provided before colon");
        long count = 0;
        if (at >= 0 && (value.AsSpan(at + 1).Contains(':') || !long.TryParse(value.AsSpan(at + 1), out count)))
        {
            throw new CliException(value.AsSpan(at + 1).Contains(':')
                ? "invalid restart policy format: too many colons"
                : "invalid restart policy format: maximum retry count must be an integer");
        }

        return new JsonObject { ["Name"] = name, ["MaximumRetryCount"] = count };
    }

    /// <summary>The name of an image.</summary>
    public static void Reference(string value)
    {
        try
        {
            ImageReference.ParseName(value);
        }
        catch (FormatException e)
        {
            throw new CliException(e.Message);
        }
    }

    public static string ReferenceFlag(string value)
    {
        try
        {
            Reference(value);
            return value;
        }
        catch (CliException e)
        {
            throw new FlagValueException(e.Message);
        }
    }

    private const string DomainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    private static bool IsDeviceMode(string text) => text.Length is > 0 and <= 3 && text.AsSpan().IndexOfAnyExcept("rwm") < 0;
}
