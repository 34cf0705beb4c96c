using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Host;

/// <summary><c>events</c>.</summary>
internal static class EventsCommand
{
    private const int BadFormat = 64;

    public static Command Events() => new()
    {
        Name = "events",
        Summary = "Show what happens, as it happens",
        Synopsis = "[OPTIONS]",
        Spellings = ["system events", "events"],
        Arity = Arity.None,
        Setup = static f =>
        {
            var filter = f.Filter();
            var format = f.Format();
            var since = f.Text("since", "Begin with what happened after this time");
            var until = f.Text("until", "End at this time");
            return (context, _) =>
            {
                var template = Parse(format.Value);
                var query = new Query("/events").AddIfSet("since", since.Value.Length > 0 ? Durations.Timestamp(since.Value, context.Now) : "")
                    .AddIfSet("until", until.Value.Length > 0 ? Durations.Timestamp(until.Value, context.Now) : "").AddFilters(filter.Values);
                using var response = context.Api.Get(query.ToString());
                foreach (var message in ProgressStream.Messages(response.Body))
                {
                    context.Line(template is null ? Text(message) : template.Run(message));
                    context.Out.Flush();
                }

                return 0;
            };
        },
    };

    private static Template? Parse(string format)
    {
        try
        {
            return format.Length == 0 ? null : new Template(format == "json" ? "{{json .}}" : format);
        }
        catch (TemplateException e)
        {
            throw new CliException($"Error parsing format: {e.Message}", BadFormat);
        }
    }

    /// <summary><c>2024-01-02T15:04:05.000000000Z container start ID (image=x, name=y)</c>.</summary>
    private static string Text(JsonNode message)
    {
        var text = new StringBuilder();
        if (message.Number("timeNano") is not 0 and var nano)
        {
            var time = DateTimeOffset.UnixEpoch.AddTicks(nano / 100).ToLocalTime();
            text.Append(time.ToString("yyyy-MM-ddTHH:mm:ss.fffffff", CultureInfo.InvariantCulture)).Append((nano % 100).ToString("00", CultureInfo.InvariantCulture))
                .Append(time.ToString("zzz", CultureInfo.InvariantCulture)).Append(' ');
        }

        var actor = message.Child("Actor");
        text.Append(message.Text("Type")).Append(' ').Append(message.Text("Action")).Append(' ').Append(actor.Text("ID"));
        var attributes = actor.Child("Attributes").Members();
        if (attributes.Count > 0) text.Append(" (").AppendJoin(", ", attributes.ConvertAll(static a => $"{a.Key}={a.Value}")).Append(')');
        return text.ToString();
    }
}
