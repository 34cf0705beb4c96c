using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands.Containers;

/// <summary>The commands that change what containers do: stop, kill, restart, pause, unpause, wait, rename.</summary>
internal static class LifecycleCommands
{
    private const string Several = "CONTAINER [CONTAINER...]";

    public static Command Stop() => StopLike("stop", "Stop running containers");

    public static Command Restart() => StopLike("restart", "Stop containers and start them again");

    public static Command Kill() => new()
    {
        Name = "kill",
        Summary = "Send running containers a signal, SIGKILL when not told otherwise",
        Synopsis = "[OPTIONS] " + Several,
        Spellings = ["container kill", "kill"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var signal = f.Text("signal", 's', "Signal to send");
            return (context, args) => Targets.Each(context, args, name =>
            {
                context.Api.Post(new Query(Path(name, "kill")).AddIfSet("signal", signal.Value).ToString());
                return name;
            });
        },
    };

    public static Command Pause() => Simple("pause", "Halt all processes of containers");

    public static Command Unpause() => Simple("unpause", "Let all processes of containers go on");

    public static Command Wait() => new()
    {
        Name = "wait",
        Summary = "Wait until containers end, then print their exit codes",
        Synopsis = Several,
        Spellings = ["container wait", "wait"],
        Arity = Arity.AtLeast(1),
        Setup = static _ => static (context, args) => Targets.Each(context, args, name =>
        {
            var result = context.Api.Post(Path(name, "wait"));
            if (result.Child("Error").Text("Message") is { Length: > 0 } message) throw new CliException(message);
            return $"{result.Number("StatusCode")}";
        }),
    };

    public static Command Rename() => new()
    {
        Name = "rename",
        Summary = "Give a container another name",
        Synopsis = "CONTAINER NEW_NAME",
        Spellings = ["container rename", "rename"],
        Arity = Arity.Exactly(2),
        Setup = static _ => static (context, args) =>
        {
            if (args[0].Trim().Length == 0 || args[1].Trim().Length == 0) throw new CliException("Error: Neither old nor new names may be empty");
            try
            {
                context.Api.Post(new Query(Path(args[0], "rename")).Add("name", args[1]).ToString());
                return 0;
            }
            catch (DaemonException e)
            {
                throw new CliException($"{e.Message}\nError: failed to rename container named {args[0]}");
            }
        },
    };

    public static string Path(string container, string verb) => $"/containers/{Query.Escape(container)}/{verb}";

    private static Command StopLike(string verb, string summary) => new()
    {
        Name = verb,
        Summary = summary,
        Synopsis = "[OPTIONS] " + Several,
        Spellings = [$"container {verb}", verb],
        Arity = Arity.AtLeast(1),
        Setup = f =>
        {
            var signal = f.Text("signal", 's', "Signal to send");
            var timeout = f.Int("timeout", 't', "Seconds to wait before the container is killed");
            f.HiddenAlias(timeout, "time");
            return (context, args) => Targets.Each(context, args, name =>
            {
                var query = new Query(Path(name, verb)).AddIfSet("signal", signal.Value);
                if (timeout.Changed) query.Add("t", timeout.Value);
                context.Api.Post(query.ToString());
                return name;
            });
        },
    };

    private static Command Simple(string verb, string summary) => new()
    {
        Name = verb,
        Summary = summary,
        Synopsis = Several,
        Spellings = [$"container {verb}", verb],
        Arity = Arity.AtLeast(1),
        Setup = _ => (context, args) => Targets.Each(context, args, name =>
        {
            context.Api.Post(Path(name, verb));
            return name;
        }),
    };
}
