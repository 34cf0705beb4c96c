using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Registries;
using Sampan.Cli.Streams;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>pull</c>.</summary>
internal static class PullCommand
{
    public static Command Pull(string group = "Commands") => new()
    {
        Name = "pull",
        Summary = "Fetch an image from a registry",
        Synopsis = "[OPTIONS] NAME[:TAG|@DIGEST]",
        Spellings = ["image pull", "pull"],
        Arity = Arity.Exactly(1),
        Group = group,
        Setup = static f =>
        {
            var all = f.Switch("all-tags", 'a', "Fetch all tags of the repository");
            f.Switch("disable-content-trust", "Skip the verification of the image's signature", initial: true);
            var platform = f.Text("platform", "Platform of the image (os[/arch[/variant]])");
            var quiet = f.Switch("quiet", 'q', "Do not show the progress");
            return (context, args) =>
            {
                OptionChecks.Reference(args[0]);
                if (all && args[0].LastIndexOf(':') > args[0].LastIndexOf('/')) throw new CliException("tag can't be used with --all-tags/-a");
                PullImage(context, args[0], platform.Value, quiet, toError: false, all);
                return 0;
            };
        },
    };

    /// <summary>Fetches an image and shows how that goes.</summary>
    public static void PullImage(ClientContext context, string image, string platform, bool quiet, bool toError, bool allTags = false)
    {
        var (name, tag) = Split(image);
        using var response = context.Api.Send(
            "POST",
            new Query("/images/create").Add("fromImage", name).AddIfSet("tag", allTags ? "" : tag).AddIfSet("platform", platform).ToString(),
            headers: CredentialFile.HeaderFor(image));
        ProgressStream.Show(response.Body, quiet ? TextWriter.Null : toError ? context.Error : context.Out, Terminal.Is(toError ? FdStream.StderrFd : FdStream.StdoutFd));
        if (!toError) context.Line(quiet || !allTags ? ImageReference.Parse(image).ToString() : ImageReference.Parse(image).Name);
    }

    /// <summary>Name and tag (or digest); the tag is latest when none is said.</summary>
    private static (string Name, string Tag) Split(string image)
    {
        if (image.IndexOf('@') is > 0 and var at) return (image[..at], image[(at + 1)..]);
        var colon = image.LastIndexOf(':');
        return colon > image.LastIndexOf('/') ? (image[..colon], image[(colon + 1)..]) : (image, "latest");
    }
}
