using System.Text;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>top</c>.</summary>
internal static class TopCommand
{
    // Wider than listings: ps columns are read like ps prints them.
    private const int ColumnWidth = 20;

    public static Command Top() => new()
    {
        Name = "top",
        Summary = "Show the processes of a container",
        Synopsis = "CONTAINER [ps OPTIONS]",
        Spellings = ["container top", "top"],
        Arity = Arity.AtLeast(1),
        Interspersed = false,
        Setup = static _ => static (context, args) =>
        {
            var path = new Query($"/containers/{Query.Escape(args[0])}/top").AddIfSet("ps_args", string.Join(' ', args.GetRange(1, args.Count - 1))).ToString();
            var top = context.Api.GetJson(path);
            var text = new StringBuilder().AppendJoin('\t', top.Texts("Titles")).Append('\n');
            foreach (var process in top.Items("Processes"))
            {
                var cells = new List<string>();
                foreach (var cell in process.Items()) cells.Add(cell?.ToString() ?? "");
                text.AppendJoin('\t', cells).Append('\n');
            }

            context.Out.Write(TabWriter.Align(text.ToString(), ColumnWidth));
            return 0;
        },
    };
}

/// <summary><c>port</c>.</summary>
internal static class PortCommand
{
    public static Command Port() => new()
    {
        Name = "port",
        Summary = "Show where a container's ports are published",
        Synopsis = "CONTAINER [PRIVATE_PORT[/PROTO]]",
        Spellings = ["container port", "port"],
        Arity = Arity.Range(1, 2),
        Setup = static _ => static (context, args) =>
        {
            var ports = context.Api.GetJson($"/containers/{Query.Escape(args[0])}/json").Child("NetworkSettings").Child("Ports");
            if (args.Count == 1)
            {
                var lines = new List<string>();
                foreach (var (port, bindings) in ports.Members())
                {
                    foreach (var binding in bindings.Items()) lines.Add($"{port} -> {Address(binding.Text("HostIp"), binding.Text("HostPort"))}");
                }

                lines.Sort(static (a, b) => PortOf(a) is var x && PortOf(b) is var y && x != y ? x.CompareTo(y) : string.CompareOrdinal(a, b));
                foreach (var line in lines) context.Line(line);
                return 0;
            }

            var wanted = args[1].Contains('/') ? args[1] : args[1] + "/tcp";
            var bound = ports.Child(wanted).Items();
            if (bound.Count == 0) throw new CliException($"Error: No public port '{args[1]}' published for {args[0]}");
            foreach (var binding in bound) context.Line(Address(binding.Text("HostIp"), binding.Text("HostPort")));
            return 0;
        },
    };

    private static string Address(string ip, string port) => ip.Contains(':') ? $"[{ip}]:{port}" : $"{ip}:{port}";

    private static int PortOf(string line) => int.TryParse(line.AsSpan(0, line.IndexOf('/')), out var port) ? port : 0;
}

/// <summary><c>diff</c>.</summary>
internal static class DiffCommand
{
    private static readonly string[] Kinds = ["C", "A", "D"];

    public static Command Diff() => new()
    {
        Name = "diff",
        Summary = "Show what a container changed in its file system",
        Synopsis = "CONTAINER",
        Spellings = ["container diff", "diff"],
        Arity = Arity.Exactly(1),
        Setup = static _ => static (context, args) =>
        {
            if (args[0].Length == 0) throw new CliException("Container name cannot be empty");
            foreach (var change in context.Api.GetJson($"/containers/{Query.Escape(args[0])}/changes").Items())
            {
                context.Line($"{Kinds[change.Number("Kind")]} {change.Text("Path")}");
            }

            return 0;
        },
    };
}
