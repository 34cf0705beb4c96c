using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Images;

/// <summary>What a build gets beside its context: secrets, agents and named contexts go to the daemon first, and the build names their IDs.</summary>
internal static class BuildAttachments
{
    private const int MaxSecretBytes = 500 * 1024;
    private const string Layout = "oci-layout://", Image = "docker-image://";

    /// <summary>Sends everything and adds it to the build's query.</summary>
    /// <exception cref="CliException">A value is wrong, something is missing here, or the daemon is not Sampan's.</exception>
    public static void Send(ClientContext context, BuildFlags flags, Query query)
    {
        if (flags.Secrets.Values.Count + flags.Ssh.Values.Count + flags.BuildContexts.Values.Count == 0) return;
        if (!context.Api.IsSampan) throw new CliException("--secret, --ssh and --build-context need Sampan's daemon");
        foreach (var secret in flags.Secrets.Values) query.Add("attachment", Secret(context, secret));
        foreach (var agent in flags.Ssh.Values) query.Add("attachment", Agent(context, agent));
        var named = new JsonObject();
        foreach (var pair in flags.BuildContexts.Values)
        {
            var at = pair.IndexOf('=');
            if (at <= 0 || at == pair.Length - 1) throw new CliException($"invalid value {FlagValues.Quote(pair)} for --build-context: it must be name=value");
            var (name, value) = (pair[..at], pair[(at + 1)..]);
            if (value.StartsWith(Image, StringComparison.Ordinal) || BuildCommand.IsRemote(value)) named[name] = value;
            else if (value.StartsWith(Layout, StringComparison.Ordinal)) query.Add("attachment", OciLayout(context, name, value[Layout.Length..]));
            else query.Add("attachment", NamedDirectory(context, name, value));
        }

        if (named.Count > 0) query.Add("namedcontexts", named.ToJsonString());
    }

    /// <summary><c>id=NAME[,src=FILE|,env=VARIABLE]</c>; without either, the variable of that name, else the file.</summary>
    private static string Secret(ClientContext context, string text)
    {
        string id = "", file = "", variable = "", type = "";
        foreach (var (key, value) in KeyValues.Parse(text, "--secret"))
        {
            switch (key)
            {
                case "id": id = value; break;
                case "src" or "source": file = value; break;
                case "env": variable = value; break;
                case "type" when value is "file" or "env": type = value; break;
                case "type": throw new CliException($"unsupported secret type {FlagValues.Quote(value)} (file or env)");
                default: throw new CliException($"unexpected key {FlagValues.Quote(key)} in --secret {text}");
            }
        }

        if (id.Length == 0) throw new CliException($"--secret {text} has no id");
        if (type == "env" && variable.Length == 0) (variable, file) = (file.Length > 0 ? file : id, "");
        if (file.Length == 0 && variable.Length == 0) (file, variable) = type != "file" && Environment.GetEnvironmentVariable(id) is not null ? ("", id) : (id, "");
        return Post(context, "secret", id, Value(id, file, variable));
    }

    private static byte[] Value(string id, string file, string variable)
    {
        if (variable.Length > 0)
        {
            return Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable(variable) ?? throw new CliException($"secret {id}: the variable {variable} is not set"));
        }

        try
        {
            return new FileInfo(file).Length <= MaxSecretBytes ? File.ReadAllBytes(file)
                : throw new CliException($"secret {id}: {file} has more than the {MaxSecretBytes} bytes that a secret may have");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"secret {id}: {e.Message}");
        }
    }

    /// <summary><c>ID[=SOCKET]</c>; without a socket that of SSH_AUTH_SOCK.</summary>
    private static string Agent(ClientContext context, string text)
    {
        var at = text.IndexOf('=');
        var id = at < 0 ? text : text[..at];
        var path = at < 0 ? Environment.GetEnvironmentVariable("SSH_AUTH_SOCK") ?? "" : text[(at + 1)..];
        if (path.Length == 0) throw new CliException($"--ssh {text}: no agent is running (SSH_AUTH_SOCK is not set)");
        if (Sys.TryStatAt(Sys.AT_FDCWD, Bytes.FromText(path), out var stat) != 0) throw new CliException($"--ssh {text}: {path}: no such file");
        if (stat.IsRegular) throw new CliException($"--ssh {text}: {path} is a file, not an agent's socket: start ssh-agent, and add the key by ssh-add");
        return Open(path, 0) is { } fd ? Post(context, Local(context, "ssh", id, fd), []) : throw new CliException($"--ssh {text}: {path} cannot be opened");
    }

    private static string NamedDirectory(ClientContext context, string name, string path)
    {
        if (!Directory.Exists(path)) throw new CliException($"--build-context {name}: {path} is not a directory");
        var root = Path.GetFullPath(path);
        if (context.Api.Address.SocketPath is not null && Open(root, Sys.O_DIRECTORY) is { } fd)
        {
            try
            {
                return Post(context, Local(context, "context", name, fd), []);
            }
            catch (DaemonException e) when (e.Status == LocalBuild.NotReachable)
            {
                Sys.Close(fd); // it goes as an archive then
            }
        }

        return Post(context, Route("context", name), BuildContext.ArchiveOf(root));
    }

    /// <summary><c>DIRECTORY[:TAG][@DIGEST]</c>.</summary>
    private static string OciLayout(ClientContext context, string name, string value)
    {
        var digestAt = value.LastIndexOf('@');
        var digest = digestAt < 0 ? "" : value[(digestAt + 1)..];
        var path = digestAt < 0 ? value : value[..digestAt];
        var tagAt = path.LastIndexOf(':');
        var tag = tagAt > path.LastIndexOf('/') ? path[(tagAt + 1)..] : "";
        path = tag.Length > 0 ? path[..tagAt] : path;
        if (!LayoutDirectory.Exists(path)) throw new CliException($"--build-context {name}: {path} is not an OCI layout: it has no index.json");
        var image = LayoutDirectory.Find(path, digest, tag)
            ?? throw new CliException($"--build-context {name}: the OCI layout {path} has no image '{(digest.Length > 0 ? digest : tag.Length > 0 ? tag : "latest")}'");
        return Post(context, Route("oci-layout", name), output => LayoutDirectory.Write(output, path, image));
    }

    /// <summary>Opens something for the daemon to find; it stays open as long as we live, which is as long as the build lasts.</summary>
    private static int? Open(string path, int flags) =>
        Sys.TryOpenAt(Sys.AT_FDCWD, Bytes.FromText(path), Sys.O_PATH | flags, 0, out var fd) == 0 ? fd : null;

    private static Query Route(string kind, string name) => new Query("/build/attachments").Add("kind", kind).Add("name", name);

    private static Query Local(ClientContext context, string kind, string name, int fd)
    {
        if (context.Api.Address.SocketPath is null) throw new CliException($"{kind} {name}: only a daemon on the same machine can use it");
        var stat = Sys.Stat(fd);
        return Route(kind, name).Add("contextfd", fd).Add("contextdev", stat.FileSystem.ToString(CultureInfo.InvariantCulture))
            .Add("contextino", stat.Inode.ToString(CultureInfo.InvariantCulture));
    }

    private static string Post(ClientContext context, string kind, string name, byte[] body) => Post(context, Route(kind, name), body);

    private static string Post(ClientContext context, Query query, byte[] body) => Post(context, query, output => output.Write(body));

    private static string Post(ClientContext context, Query query, Action<Stream> write)
    {
        using var response = context.Api.SendStream("POST", query.ToString(), "application/octet-stream", write);
        return response.ReadJson().Text("Id");
    }
}
