using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>registry serve</c>.</summary>
internal static class ServeCommand
{
    public static Command Serve() => new()
    {
        Name = "serve",
        Summary = "Serve the images of this machine, and what is pushed, as a registry",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var address = f.Text("addr", "Address and port to listen on", "127.0.0.1:5000");
            var mirror = f.Text("mirror", "Fetch from the registry at this URL what is not here, and keep it");
            var quiet = f.Switch("quiet", 'q', "Do not print the requests");
            return (context, _) =>
            {
                using var response = context.Api.Send("POST", new Query("/registry/serve").Add("addr", address.Value).AddIfSet("mirror", mirror.Value).ToString());
                ProgressStream.Show(response.Body, quiet ? TextWriter.Null : context.Out, false);
                return 0;
            };
        },
    };
}
