using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>logs</c>.</summary>
internal static class LogsCommand
{
    public static Command Logs() => new()
    {
        Name = "logs",
        Summary = "Show what a container has printed",
        Synopsis = "[OPTIONS] CONTAINER",
        Spellings = ["container logs", "logs"],
        Arity = Arity.Exactly(1),
        Setup = static f =>
        {
            var details = f.Switch("details", "Show the attributes that log options added");
            var follow = f.Switch("follow", 'f', "Go on with what is printed from now on");
            var since = f.Text("since", "Only from this time on (\"2013-01-02T13:23:37Z\"), or this long ago (\"42m\")");
            var tail = f.Text("tail", 'n', "Only so many lines from the end", "all");
            var timestamps = f.Switch("timestamps", 't', "Show when each line was printed");
            var until = f.Text("until", "Only up to this time (\"2013-01-02T13:23:37Z\"), or this long ago (\"42m\")");
            return (context, args) =>
            {
                // The container tells whether its log is one stream or two.
                var inspect = context.Api.GetJson($"/containers/{Query.Escape(args[0])}/json");
                var path = new Query($"/containers/{inspect.Text("Id")}/logs").Add("stdout", "1").Add("stderr", "1").AddIf(follow, "follow")
                    .AddIf(timestamps, "timestamps").AddIf(details, "details").Add("tail", tail.Value)
                    .AddIfSet("since", Time(since.Value, "since", context.Now)).AddIfSet("until", Time(until.Value, "until", context.Now)).ToString();
                using var response = context.Api.Get(path);
                var output = new FdStream(FdStream.StdoutFd);
                if (inspect.Child("Config").Flag("Tty")) OutputPump.Raw(response.Body.Read, output);
                else OutputPump.Multiplexed(response.Body.Read, output, new FdStream(FdStream.StderrFd));
                return 0;
            };
        },
    };

    private static string Time(string text, string flag, DateTimeOffset now)
    {
        if (text.Length == 0) return "";
        try
        {
            return Durations.Timestamp(text, now);
        }
        catch (CliException e)
        {
            throw new CliException($"invalid value for \"{flag}\": {e.Message}");
        }
    }
}
