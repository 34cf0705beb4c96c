using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands;

/// <summary><c>inspect</c> of everything that has a name.</summary>
internal static class InspectCommand
{
    private const int BadFormat = 64;
    private const string Indent = "    ";
    private static readonly string[] Kinds = ["container", "image", "network", "volume"];
    private static readonly string[] DockersKinds = ["config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"];

    public static Command Any() => new()
    {
        Name = "inspect",
        Summary = "Show everything about containers, images, networks or volumes",
        Synopsis = "[OPTIONS] NAME|ID [NAME|ID...]",
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var format = f.Template();
            var size = f.Switch("size", 's', "Show the sizes of a container");
            var type = f.Text("type", "Look for this kind of thing only");
            return (context, args) =>
            {
                if (type.Changed && Array.IndexOf(DockersKinds, type.Value) < 0)
                {
                    throw new CliException($"unknown type: {FlagValues.Quote(type.Value)}: must be one of {string.Join(", ", Array.ConvertAll(DockersKinds, FlagValues.Quote))}");
                }

                return Print(context, args, format.Value, name => type.Value.Length > 0 ? Get(context.Api, type.Value, name, size) : Find(context.Api, name, size));
            };
        },
    };

    public static Command Container() => OfKind("container", "CONTAINER [CONTAINER...]", "Show everything about containers", withSize: true);

    public static Command Image() => OfKind("image", "IMAGE [IMAGE...]", "Show everything about images", withPlatform: true);

    public static Command Network() => OfKind("network", "NETWORK [NETWORK...]", "Show everything about networks", withVerbose: true);

    public static Command Volume() => OfKind("volume", "VOLUME [VOLUME...]", "Show everything about volumes");

    private static Command OfKind(string kind, string synopsis, string summary, bool withSize = false, bool withPlatform = false, bool withVerbose = false) => new()
    {
        Name = "inspect",
        Summary = summary,
        Synopsis = "[OPTIONS] " + synopsis,
        Arity = Arity.AtLeast(1),
        Setup = f =>
        {
            var format = f.Template();
            var size = withSize ? f.Switch("size", 's', "Show the sizes") : null;
            var platform = withPlatform ? f.Text("platform", "Look at this platform of the image") : null;
            if (withVerbose) f.Switch("verbose", 'v', "Show what helps to find faults");
            return (context, args) => Print(context, args, format.Value, name => Get(context.Api, kind, name, size?.Value ?? false, platform?.Value ?? ""));
        },
    };

    private static JsonNode? Find(ApiTransport api, string name, bool size)
    {
        foreach (var kind in Kinds)
        {
            try
            {
                return Get(api, kind, name, size);
            }
            catch (DaemonException e) when (e.NotFound || e.Reason.Contains("invalid reference format", StringComparison.Ordinal))
            {
                // Perhaps it is a thing of the next kind.
            }
        }

        throw new CliException($"Error: No such object: {name}");
    }

    private static JsonNode? Get(ApiTransport api, string kind, string name, bool size, string platform = "")
    {
        var escaped = Query.Escape(name);
        return kind switch
        {
            "container" => api.GetJson(new Query($"/containers/{escaped}/json").AddIf(size, "size").ToString()),
            "image" => api.GetJson(new Query($"/images/{escaped}/json").AddIfSet("platform", platform.Length > 0 ? Platforms.Json(platform).ToJsonString() : "").ToString()),
            "network" => api.GetJson($"/networks/{escaped}"),
            "volume" => api.GetJson($"/volumes/{escaped}"),
            _ => throw new CliException($"there is nothing of the type {FlagValues.Quote(kind)} here"),
        };
    }

    private static int Print(ClientContext context, List<string> names, string format, Func<string, JsonNode?> get)
    {
        var template = format is "" or "json" ? null : Parse(format);
        var found = new JsonArray();
        var errors = Targets.Collect(names, name => found.Add(get(name)));
        if (template is null)
        {
            context.Line(GoJson.Write(found, format == "json" ? null : Indent));
        }
        else
        {
            foreach (var item in found) context.Line(Apply(context, template, item));
        }

        if (errors.Count == 0) return 0;
        context.ErrorLine(string.Join('\n', errors));
        return 1;
    }

    private static Template Parse(string format)
    {
        try
        {
            return new Template(format);
        }
        catch (TemplateException e)
        {
            throw new CliException($"template parsing error: {e.Message}", BadFormat);
        }
    }

    private static string Apply(ClientContext context, Template template, JsonNode? item)
    {
        try
        {
            return template.Run(item);
        }
        catch (TemplateException e)
        {
            // Docker ends the line that it could not fill.
            context.Line("");
            throw new CliException($"template parsing error: {e.Message}");
        }
    }
}
