using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Options;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>commit</c>.</summary>
internal static class CommitCommand
{
    public static Command Commit() => new()
    {
        Name = "commit",
        Summary = "Make an image of a container's changes",
        Synopsis = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
        Spellings = ["container commit", "commit"],
        Arity = Arity.Range(1, 2),
        Setup = static f =>
        {
            var author = f.Text("author", 'a', "Author of the image");
            var changes = f.List("change", 'c', "Dockerfile instruction to apply to the image");
            var message = f.Text("message", 'm', "Message of the commit");
            var pause = f.Switch("pause", 'p', "Halt the container meanwhile", initial: true);
            return (context, args) =>
            {
                var query = new Query("/commit").Add("container", args[0]);
                if (args.Count == 2)
                {
                    OptionChecks.Reference(args[1]);
                    var colon = args[1].LastIndexOf(':');
                    var tagged = colon > args[1].LastIndexOf('/');
                    query.Add("repo", tagged ? args[1][..colon] : args[1]).AddIf(tagged, "tag", tagged ? args[1][(colon + 1)..] : "");
                }

                query.AddIfSet("author", author.Value).AddIfSet("comment", message.Value).Add("pause", pause ? "1" : "0");
                foreach (var change in changes.Values) query.Add("changes", change);
                context.Line(context.Api.Post(query.ToString(), new JsonObject()).Text("Id"));
                return 0;
            };
        },
    };
}
