using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands;

/// <summary><c>rm</c> and <c>rmi</c>.</summary>
internal static class RemoveCommands
{
    public static Command Container(string name, string[] aliases) => new()
    {
        Name = name,
        Aliases = aliases,
        Summary = "Remove containers",
        Synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
        Spellings = ["container rm", "container remove", "rm"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var force = f.Switch("force", 'f', "Kill a running container first");
            var link = f.Switch("link", 'l', "Remove the link of that name");
            var volumes = f.Switch("volumes", 'v', "Remove the container's anonymous volumes too");
            return (context, args) => Targets.Each(context, args, container =>
            {
                var path = container.Trim('/');
                if (path.Length == 0) throw new CliException("Container name cannot be empty");
                try
                {
                    context.Api.Send("DELETE", new Query($"/containers/{Query.Escape(path)}").AddIf(force, "force").AddIf(link, "link")
                        .AddIf(volumes, "v").ToString()).Dispose();
                }
                catch (DaemonException e) when (e.NotFound && force)
                {
                    // -f asks for a state ("it is not there"), so that what is not there is said but is no failure.
                    context.ErrorLine(e.Message);
                    return null;
                }

                return container;
            });
        },
    };

    public static Command Image(string name, string[] aliases) => new()
    {
        Name = name,
        Aliases = aliases,
        Summary = "Remove images",
        Synopsis = "[OPTIONS] IMAGE [IMAGE...]",
        Spellings = ["image rm", "image remove", "rmi"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var force = f.Switch("force", 'f', "Remove it although containers or several names use it");
            var noPrune = f.Switch("no-prune", "Keep untagged parents");
            var platforms = f.Strings("platform", "Remove only these platforms of the image");
            return (context, args) => Targets.Each(context, args, image =>
            {
                var query = new Query($"/images/{Query.Escape(image)}").AddIf(force, "force").AddIf(noPrune, "noprune");
                foreach (var platform in platforms.Values) query.Add("platforms", Platforms.Json(platform).ToJsonString());
                try
                {
                    using var response = context.Api.Send("DELETE", query.ToString());
                    foreach (var item in response.ReadJson().Items())
                    {
                        if (item.Text("Deleted") is { Length: > 0 } deleted) context.Line("Deleted: " + deleted);
                        else context.Line("Untagged: " + item.Text("Untagged"));
                    }
                }
                catch (DaemonException e) when (e.NotFound && force)
                {
                    context.ErrorLine(e.Message);
                }

                return null;
            });
        },
    };
}
