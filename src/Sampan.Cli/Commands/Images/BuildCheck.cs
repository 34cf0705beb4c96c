using System.Net.Sockets;
using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Lint;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>build --check</c>: looks through the Dockerfile and builds nothing. Exit code 1 when there is something to say.</summary>
internal static class BuildCheck
{
    private const int Warned = 1;

    public static int Run(ClientContext context, string source, string dockerfile, IReadOnlyDictionary<string, string?> buildArgs)
    {
        var (name, text, ignore) = BuildContext.ForCheck(source, dockerfile);
        try
        {
            var model = DockerfileModel.Parse(text, name);
            var report = Linter.Check(model, new() { BuildArgs = buildArgs, Ignore = ignore, BaseEnvironment = image => Environment(context, image) });
            context.Out.Write(LintText.Of(model.Source, report));
            if (report.Failure is { } failure) throw new CliException(failure);
            return report.Warnings.Count == 0 ? 0 : Warned;
        }
        catch (DockerfileException e)
        {
            throw new CliException(e.Excerpt is null ? e.LocatedMessage : $"{e.LocatedMessage}\n{e.Excerpt}");
        }
    }

    /// <summary>
    /// The variables that a base image sets. A check needs no daemon and pulls nothing: an image that no daemon has sets none that we know of.
    /// </summary>
    private static IReadOnlyCollection<string> Environment(ClientContext context, string image)
    {
        try
        {
            DaemonSocket.Open(context.Api.Address).Dispose();
            return [.. context.Api.GetJson($"/images/{image}/json").Child("Config").Texts("Env").Select(entry => entry.Split('=', 2)[0])];
        }
        catch (Exception e) when (e is SocketException or NoDaemonException or DaemonException)
        {
            return [];
        }
    }
}
