using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands.Networks;

/// <summary><c>net explain</c>.</summary>
internal static class ExplainPort
{
    public static Command Explain() => new()
    {
        Name = "explain",
        Summary = "Tell what becomes of a packet that another machine sends to a port of the host",
        Synopsis = "[IP:]PORT[/PROTOCOL]",
        Arity = Arity.Exactly(1),
        Setup = static _ => static (context, args) =>
        {
            var (rest, protocol) = args[0].Split('/', 2) is [var before, var after] ? (before, after) : (args[0], "tcp");
            var colon = rest.LastIndexOf(':');
            var ip = colon < 0 ? "" : rest[..colon].Trim('[', ']');
            var answer = context.Api.GetJson($"/sampan/port?ip={Query.Escape(ip)}&port={Query.Escape(rest[(colon + 1)..])}&protocol={Query.Escape(protocol)}");
            foreach (var way in answer.Child("Ways").Items())
            {
                context.Line(way.Text("Container") is { Length: > 0 } container ? $"{way.Text("Port")}  container {container}" : way.Text("Port"));
                foreach (var step in way.Child("Steps").Items())
                {
                    context.Line($"  {step}");
                }

                context.Line($"  => {way.Text("Result")}");
            }

            return 0;
        },
    };
}
