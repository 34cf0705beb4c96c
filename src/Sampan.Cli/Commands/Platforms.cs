using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Commands;

/// <summary><c>os[/arch[/variant]]</c> as the API's JSON.</summary>
internal static class Platforms
{
    public static JsonObject Json(string text)
    {
        var parts = text.Split('/');
        if (parts.Length is 0 or > 3 || Array.Exists(parts, static p => p.Length == 0)) throw new CliException($"invalid platform: {text}");
        var platform = new JsonObject { ["os"] = parts[0] };
        if (parts.Length > 1) platform["architecture"] = parts[1];
        if (parts.Length > 2) platform["variant"] = parts[2];
        return platform;
    }
}
