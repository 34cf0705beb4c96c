using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Registries;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>login</c>, <c>logout</c>.</summary>
internal static class LoginCommands
{
    public static Command Login() => new()
    {
        Name = "login",
        Summary = "Authenticate to a registry",
        Synopsis = "[OPTIONS] [SERVER]",
        Arity = Arity.AtMost(1),
        Setup = static f =>
        {
            var user = f.Text("username", 'u', "Name of the user");
            var password = f.Text("password", 'p', "Password or token");
            var stdin = f.Switch("password-stdin", "Take the password from standard input");
            return (context, args) => LogIn(context, args.Count > 0 ? args[0] : "", user.Value, password.Value, stdin);
        },
    };

    public static Command Logout() => new()
    {
        Name = "logout",
        Summary = "Forget the credentials of a registry",
        Synopsis = "[SERVER]",
        Arity = Arity.AtMost(1),
        Setup = static _ => static (context, args) => LogOut(context, args.Count > 0 ? args[0] : ""),
    };

    private static int LogIn(ClientContext context, string server, string user, string password, bool fromStdin)
    {
        if (fromStdin && password.Length > 0) throw new CliException("--password and --password-stdin are mutually exclusive");
        if (fromStdin && user.Length == 0) throw new CliException("Must provide --username with --password-stdin");
        if (password.Length > 0) context.Error.Write("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
        if (fromStdin) password = new StreamReader(new FdStream(FdStream.StdinFd)).ReadToEnd().TrimEnd('\n', '\r');
        if ((user.Length == 0 || password.Length == 0) && !fromStdin && !Terminal.Is(FdStream.StdinFd))
        {
            throw new CliException("Error: Cannot perform an interactive login from a non TTY device");
        }

        if (user.Length == 0) user = Ask(context, "Username: ", hidden: false);
        if (user.Length == 0) throw new CliException("Error: Non-null Username Required");
        if (password.Length == 0 && !fromStdin) password = Ask(context, "Password: ", hidden: true);
        if (password.Length == 0) throw new CliException("Error: Password Required");

        var key = CredentialFile.KeyOf(server);
        var answer = context.Api.Post("/auth", new JsonObject { ["username"] = user, ["password"] = password, ["serveraddress"] = key });
        var file = CredentialFile.Open();
        if (file.Store(key, user, password, (string?)answer?["IdentityToken"] ?? ""))
        {
            context.Error.Write($"\nWARNING! Your credentials are stored unencrypted in '{file.Location}'.\n"
                + "Configure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n");
        }

        context.Line((string?)answer?["Status"] is { Length: > 0 } status ? status : "Login Succeeded");
        return 0;
    }

    private static int LogOut(ClientContext context, string server)
    {
        var key = CredentialFile.KeyOf(server);
        context.Line(CredentialFile.Open().Remove(key) ? $"Removing login credentials for {key}" : $"Not logged in to {key}");
        return 0;
    }

    /// <summary>One line from the terminal, without showing it when it is secret.</summary>
    private static string Ask(ClientContext context, string question, bool hidden)
    {
        context.Error.Write(question);
        var settings = hidden ? Terminal.SetRaw(FdStream.StdinFd) : null;
        try
        {
            var line = new List<byte>();
            Span<byte> next = stackalloc byte[1];
            while (Terminal.Read(FdStream.StdinFd, next) == 1 && next[0] is not ((byte)'\n' or (byte)'\r'))
            {
                if (hidden && next[0] == 3) throw new CliException("interrupted");
                if (hidden && next[0] == 127) line.RemoveRange(Math.Max(0, line.Count - 1), Math.Min(1, line.Count));
                else line.Add(next[0]);
            }

            return System.Text.Encoding.UTF8.GetString([.. line]).Trim();
        }
        finally
        {
            if (settings is not null)
            {
                Terminal.Restore(FdStream.StdinFd, settings);
                context.Error.Write("\n");
            }
        }
    }
}
