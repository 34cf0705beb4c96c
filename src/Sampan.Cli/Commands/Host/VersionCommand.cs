using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Api;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Host;

/// <summary><c>version</c>.</summary>
internal static class VersionCommand
{
    public static Command Version(string group) => new()
    {
        Name = "version",
        Summary = "Show the versions of client and daemon",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Group = group,
        Setup = static f =>
        {
            var format = f.Template();
            return (context, _) => Run(context, format.Value);
        },
    };

    private static int Run(ClientContext context, string format)
    {
        var template = format.Length == 0 ? null : new Template(format == "json" ? "{{json .}}" : format);
        JsonNode? server = null;
        CliException? failure = null;
        try
        {
            server = context.Api.GetJson("/version");
        }
        catch (CliException e)
        {
            failure = e;
        }

        var client = Client(context);
        if (template is not null)
        {
            context.Line(Render(template, new JsonObject { ["Client"] = client, ["Server"] = server }, failure));
        }
        else
        {
            context.Out.Write(Text(client, server));
        }

        return failure is null ? 0 : throw failure;
    }

    /// <summary>What needs only the client's half works without a daemon; a template that misses the other half fails for want of a daemon.</summary>
    private static string Render(Template template, JsonObject versions, CliException? failure)
    {
        try
        {
            return template.Run(versions);
        }
        catch (TemplateException) when (failure is not null)
        {
            throw failure;
        }
    }

    private static JsonObject Client(ClientContext context) => new()
    {
        ["Version"] = Product.Version,
        ["ApiVersion"] = context.Api.Version,
        ["DefaultAPIVersion"] = ApiTransport.NewestVersion,
        ["GitCommit"] = Product.Commit,
        ["GoVersion"] = global::System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
        ["RuntimeVersion"] = global::System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
        ["Os"] = "linux",
        ["Arch"] = ClientInfo.Architecture,
        ["BuildTime"] = "",
        ["Context"] = "default",
    };

    private static string Text(JsonObject client, JsonNode? server)
    {
        var text = new StringBuilder("Client:\n");
        Line(text, "Version", client.Text("Version"));
        Line(text, "API version", client.Text("ApiVersion"));
        Line(text, "Runtime", client.Text("RuntimeVersion"));
        Line(text, "Git commit", client.Text("GitCommit"));
        Line(text, "OS/Arch", $"{client.Text("Os")}/{client.Text("Arch")}");
        if (server is null) return text.ToString();
        var name = server.Child("Platform").Text("Name");
        text.Append("\nServer:").Append(name.Length > 0 ? " " + name : "").Append('\n');
        text.Append(" Engine:\n");
        Line(text, " Version", server.Text("Version"));
        Line(text, " API version", $"{server.Text("ApiVersion")} (minimum version {server.Text("MinAPIVersion")})");
        if (server.Text("GoVersion") is { Length: > 0 } go) Line(text, " Go version", go);
        Line(text, " Git commit", server.Text("GitCommit"));
        Line(text, " Built", Built(server.Text("BuildTime")));
        Line(text, " OS/Arch", $"{server.Text("Os")}/{server.Text("Arch")}");
        Line(text, " Experimental", server.Flag("Experimental") ? "true" : "false");
        foreach (var component in server.Items("Components"))
        {
            if (component.Text("Name") == "Engine") continue;
            text.Append(' ').Append(component.Text("Name")).Append(":\n");
            Line(text, " Version", component.Text("Version"));
            foreach (var (key, value) in component.Child("Details").Members()) Line(text, " " + key, value?.ToString() ?? "");
        }

        return text.ToString();
    }

    private static string Built(string time)
        => DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var built)
            ? built.ToString("ddd MMM d HH:mm:ss yyyy", CultureInfo.InvariantCulture)
            : time;

    private static void Line(StringBuilder text, string label, string value) => text.Append(' ').Append((label + ":").PadRight(18)).Append(' ').Append(value).Append('\n');
}
