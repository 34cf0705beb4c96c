using System.Text;
using System.Text.Json.Nodes;
using Sampan.Api;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Host;

/// <summary><c>info</c>.</summary>
internal static class InfoCommand
{
    public static Command Info(string group = "Commands") => new()
    {
        Name = "info",
        Summary = "Show what the daemon says about itself and its machine",
        Synopsis = "[OPTIONS]",
        Spellings = ["system info", "info"],
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
        if (format.Length > 0)
        {
            var template = new Template(format == "json" ? "{{json .}}" : format);
            var all = (JsonObject)context.Api.GetJson("/info")!;
            all["ClientInfo"] = new JsonObject { ["Debug"] = context.Debug, ["Context"] = "default", ["Plugins"] = new JsonArray(), ["Warnings"] = null };
            context.Line(template.Run(all));
            return 0;
        }

        context.Out.Write($"Client:\n Version:    {Product.Version}\n Context:    default\n Debug Mode: {(context.Debug ? "true" : "false")}\n\nServer:\n");
        context.Out.Flush();
        var info = context.Api.GetJson("/info");
        context.Out.Write(Text(info));
        foreach (var warning in info.Texts("Warnings")) context.ErrorLine(warning);
        return 0;
    }

    private static string Text(JsonNode? info)
    {
        var text = new StringBuilder();
        void Line(string label, object? value) => text.Append(' ').Append(label).Append(": ").Append(value).Append('\n');
        void Optional(string label, string name)
        {
            if (info.Text(name) is { Length: > 0 } value) Line(label, value);
        }

        static string Yes(bool value) => value ? "true" : "false";
        Line("Containers", info.Number("Containers"));
        Line(" Running", info.Number("ContainersRunning"));
        Line(" Paused", info.Number("ContainersPaused"));
        Line(" Stopped", info.Number("ContainersStopped"));
        Line("Images", info.Number("Images"));
        Optional("Server Version", "ServerVersion");
        Optional("Storage Driver", "Driver");
        foreach (var pair in info.Items("DriverStatus")) Line(" " + Item(pair, 0), Item(pair, 1));
        Optional("Logging Driver", "LoggingDriver");
        Optional("Cgroup Driver", "CgroupDriver");
        Optional("Cgroup Version", "CgroupVersion");
        text.Append(" Plugins:\n");
        var plugins = info.Child("Plugins");
        Line(" Volume", string.Join(' ', plugins.Texts("Volume")));
        Line(" Network", string.Join(' ', plugins.Texts("Network")));
        if (plugins.Texts("Log") is { Count: > 0 } logs) Line(" Log", string.Join(' ', logs));
        Line("Swarm", info.Child("Swarm").Text("LocalNodeState") is { Length: > 0 } swarm ? swarm : "inactive");
        if (info.Child("Runtimes").Members() is { Count: > 0 } runtimes) Line("Runtimes", string.Join(' ', runtimes.ConvertAll(static r => r.Key)));
        Optional("Default Runtime", "DefaultRuntime");
        Optional("Init Binary", "InitBinary");
        foreach (var (label, name) in (ReadOnlySpan<(string, string)>)[("containerd version", "ContainerdCommit"), ("runc version", "RuncCommit"), ("init version", "InitCommit")])
        {
            if (info.Child(name).Text("ID") is { Length: > 0 } commit) Line(label, commit);
        }

        if (info.Texts("SecurityOptions") is { Count: > 0 } security)
        {
            text.Append(" Security Options:\n");
            foreach (var option in security) SecurityOption(text, option);
        }

        Optional("Kernel Version", "KernelVersion");
        Optional("Operating System", "OperatingSystem");
        Optional("OSType", "OSType");
        Optional("Architecture", "Architecture");
        Line("CPUs", info.Number("NCPU"));
        Line("Total Memory", Units.HumanBinary(info.Number("MemTotal")));
        Optional("Name", "Name");
        Optional("ID", "ID");
        Optional("Docker Root Dir", "DockerRootDir");
        Line("Debug Mode", Yes(info.Flag("Debug")));
        Optional("HTTP Proxy", "HttpProxy");
        Optional("HTTPS Proxy", "HttpsProxy");
        Optional("No Proxy", "NoProxy");
        List(text, "Labels", info.Texts("Labels"));
        Line("Experimental", Yes(info.Flag("ExperimentalBuild")));
        List(text, "Insecure Registries", info.Child("RegistryConfig").Texts("InsecureRegistryCIDRs"));
        List(text, "Registry Mirrors", info.Child("RegistryConfig").Texts("Mirrors"));
        Line("Live Restore Enabled", Yes(info.Flag("LiveRestoreEnabled")));
        return text.Append('\n').ToString();
    }

    private static void SecurityOption(StringBuilder text, string option)
    {
        foreach (var part in option.Split(','))
        {
            var at = part.IndexOf('=');
            var (key, value) = at < 0 ? ("name", part) : (part[..at], part[(at + 1)..]);
            if (key == "name") text.Append("  ").Append(value).Append('\n');
            else text.Append("   ").Append(char.ToUpperInvariant(key[0])).Append(key.AsSpan(1)).Append(": ").Append(value).Append('\n');
        }
    }

    private static void List(StringBuilder text, string label, List<string> values)
    {
        if (values.Count == 0) return;
        text.Append(' ').Append(label).Append(":\n");
        foreach (var value in values) text.Append("  ").Append(value).Append('\n');
    }

    private static string Item(JsonNode? pair, int index) => pair is JsonArray a && a.Count > index ? a[index]?.ToString() ?? "" : "";
}
