using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>tag</c>.</summary>
internal static class TagCommand
{
    public static Command Tag() => new()
    {
        Name = "tag",
        Summary = "Give an image another name",
        Synopsis = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        Spellings = ["image tag", "tag"],
        Arity = Arity.Exactly(2),
        Setup = static _ => static (context, args) =>
        {
            OptionChecks.Reference(args[1]);
            var colon = args[1].LastIndexOf(':');
            var tagged = colon > args[1].LastIndexOf('/');
            context.Api.Post(new Query($"/images/{Query.Escape(args[0])}/tag").Add("repo", tagged ? args[1][..colon] : args[1])
                .AddIf(tagged, "tag", tagged ? args[1][(colon + 1)..] : "").ToString());
            return 0;
        },
    };
}

/// <summary><c>import</c>.</summary>
internal static class ImportCommand
{
    public static Command Import() => new()
    {
        Name = "import",
        Summary = "Make an image of a root file system in a tar archive",
        Synopsis = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
        Spellings = ["image import", "import"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var changes = f.List("change", 'c', "Dockerfile instruction to apply to the image");
            var message = f.Text("message", 'm', "Message of the import");
            var platform = f.Text("platform", "Platform of the image (os[/arch[/variant]])");
            return (context, args) => Run(context, args, changes.Values, message.Value, platform.Value);
        },
    };

    private static int Run(ClientContext context, List<string> args, List<string> changes, string message, string platform)
    {
        var source = args[0];
        if (args.Count > 1) OptionChecks.Reference(args[1]);
        var remote = source.StartsWith("http://", StringComparison.Ordinal) || source.StartsWith("https://", StringComparison.Ordinal);
        var query = new Query("/images/create").Add("fromSrc", remote ? source : "-").AddIfSet("message", message).AddIfSet("platform", platform);
        if (args.Count > 1)
        {
            var colon = args[1].LastIndexOf(':');
            var tagged = colon > args[1].LastIndexOf('/');
            query.Add("repo", tagged ? args[1][..colon] : args[1]).AddIf(tagged, "tag", tagged ? args[1][(colon + 1)..] : "");
        }

        foreach (var change in changes) query.Add("changes", change);
        using var file = remote || source == "-" ? null : Open(source);
        Stream archive = file is null ? new FdStream(FdStream.StdinFd) : file;
        using var response = remote
            ? context.Api.Send("POST", query.ToString())
            : context.Api.SendStream("POST", query.ToString(), "text/plain", body => archive.CopyTo(body));
        ProgressStream.Show(response.Body, context.Out, Terminal.Is(FdStream.StdoutFd));
        return 0;
    }

    public static FileStream Open(string path)
    {
        try
        {
            return File.OpenRead(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw HostFiles.Opening(path, e);
        }
    }
}

/// <summary><c>load</c>.</summary>
internal static class LoadCommand
{
    public static Command Load() => new()
    {
        Name = "load",
        Summary = "Read images from an archive that save wrote",
        Synopsis = "[OPTIONS]",
        Spellings = ["image load", "load"],
        Arity = Arity.None,
        Setup = static f =>
        {
            var input = f.Text("input", 'i', "Read this file instead of STDIN");
            var platform = f.Text("platform", "Read only this platform of the images");
            var quiet = f.Switch("quiet", 'q', "Do not show the progress");
            return (context, _) =>
            {
                if (input.Value.Length == 0 && Terminal.Is(FdStream.StdinFd)) throw new CliException("requested load from stdin, but stdin is empty");
                using var file = input.Value.Length == 0 ? null : ImportCommand.Open(input.Value);
                Stream archive = file is null ? new FdStream(FdStream.StdinFd) : file;
                var terminal = Terminal.Is(FdStream.StdoutFd);
                var query = new Query("/images/load").Add("quiet", quiet || !terminal ? "1" : "0");
                if (platform.Value.Length > 0) query.Add("platform", Platforms.Json(platform.Value).ToJsonString());
                using var response = context.Api.SendStream("POST", query.ToString(), "application/x-tar", body => archive.CopyTo(body));
                ProgressStream.Show(response.Body, context.Out, terminal);
                return 0;
            };
        },
    };
}

/// <summary><c>save</c>.</summary>
internal static class SaveCommand
{
    public static Command Save() => new()
    {
        Name = "save",
        Summary = "Write images to an archive",
        Synopsis = "[OPTIONS] IMAGE [IMAGE...]",
        Spellings = ["image save", "save"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var output = f.Text("output", 'o', "Write to this file instead of STDOUT");
            var platform = f.Text("platform", "Write only this platform of the images");
            return (context, args) =>
            {
                ArchiveOutput.Check(output.Value, "failed to save image");
                var query = args.Count == 1 ? new Query($"/images/{Query.Escape(args[0])}/get") : new Query("/images/get");
                if (args.Count > 1)
                {
                    foreach (var image in args) query.Add("names", image);
                }

                if (platform.Value.Length > 0) query.Add("platform", Platforms.Json(platform.Value).ToJsonString());
                using var response = context.Api.Get(query.ToString());
                ArchiveOutput.Copy(response.Body, output.Value);
                return 0;
            };
        },
    };
}
