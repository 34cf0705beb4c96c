using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Sampan.Dockerfile.Ignore;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>build context ls</c>: what a build from a directory can use, and which line of its ignore file decides.</summary>
internal static class ContextCommand
{
    public static Command Context() => new()
    {
        Name = "context",
        Summary = "Look at a build's context",
        Synopsis = "COMMAND",
        Children = static () => [List()],
    };

    private static Command List() => new()
    {
        Name = "ls",
        Summary = "List the files of a context, or say why one is in it or not",
        Synopsis = "[OPTIONS] [PATH]",
        Arity = Arity.AtMost(1),
        Setup = static f =>
        {
            var file = f.Text("file", 'f', "The Dockerfile, whose own ignore file may count (default is \"PATH/Dockerfile\")");
            var why = f.Text("why", "Say which line of the ignore file decides on this path");
            return (context, args) =>
            {
                var tree = BuildContext.FromDirectory(args.Count > 0 ? args[0] : ".", file.Value);
                if (why.Value.Length > 0)
                {
                    context.Line(Why(tree, why.Value));
                    return 0;
                }

                foreach (var path in tree.List()) context.Line(path);
                return 0;
            };
        },
    };

    private static string Why(BuildContext tree, string path)
    {
        var root = tree.Directory!;
        var full = Path.GetFullPath(Path.IsPathRooted(path) ? path : Path.Combine(root, path));
        var inside = Path.GetRelativePath(root, full);
        if (inside == ".." || inside.StartsWith("../", StringComparison.Ordinal)) throw new CliException($"{path} is not below the context {root}");
        if (!Path.Exists(full) && new FileInfo(full).LinkTarget is null) throw new CliException($"{inside}: no such file in the context {root}");
        var verdict = inside == "." ? default : tree.Rules.Check(inside);
        var what = verdict.IsIgnored ? "is left out" : "is in the context";
        return verdict.Rule switch
        {
            null => $"{inside} {what}: {(tree.Rules == IgnoreMatcher.None ? "there is no ignore file" : $"no line of {tree.IgnoreFile} matches it")}",
            { Line: 0 } => $"{inside} {what}: the builder needs it itself",
            var rule => $"{inside} {what}: line {rule.Line} of {tree.IgnoreFile}, '{rule.Text}'",
        };
    }
}
