using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
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
            var certificate = f.Text("tls-cert", "Speak TLS with the certificate (and those between it and its authority) in this file");
            var key = f.Text("tls-key", "The certificate's key");
            var users = f.Text("htpasswd", "Only the users of this file, which 'htpasswd -B' made, may pull and push");
            var insecure = f.Switch("insecure", "Speak plain HTTP on an address that others reach");
            var quiet = f.Switch("quiet", 'q', "Do not print the requests");
            return (context, _) =>
            {
                if (certificate.Changed != key.Changed)
                {
                    throw new CliException("--tls-cert and --tls-key belong together");
                }

                using var response = context.Api.Send("POST", "/registry/serve", new JsonObject
                {
                    ["Address"] = address.Value,
                    ["Mirror"] = mirror.Value,
                    ["Certificate"] = Content(certificate),
                    ["Key"] = Content(key),
                    ["Users"] = Content(users),
                    ["Insecure"] = insecure.Value,
                });
                ProgressStream.Show(response.Body, quiet ? TextWriter.Null : context.Out, false);
                return 0;
            };
        },
    };

    private static string? Content(ValueFlag<string> file) => file.Changed ? File.ReadAllText(file.Value) : null;
}
