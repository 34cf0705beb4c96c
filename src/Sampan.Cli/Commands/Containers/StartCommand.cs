using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>start</c>.</summary>
internal static class StartCommand
{
    public static Command Start() => new()
    {
        Name = "start",
        Summary = "Start containers that were created or have ended",
        Synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
        Spellings = ["container start", "start"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var attach = f.Switch("attach", 'a', "Attach STDOUT and STDERR and pass signals on");
            var keys = f.DetachKeys();
            var interactive = f.Switch("interactive", 'i', "Attach STDIN");
            var checkpoint = f.Text("checkpoint", "Restore from this checkpoint");
            var checkpointDir = f.Text("checkpoint-dir", "Folder of the checkpoints");
            return (context, args) =>
            {
                if (attach || interactive)
                {
                    return args.Count == 1
                        ? StartAttached(context, args[0], interactive, keys.Value)
                        : throw new CliException("you cannot start and attach multiple containers at once");
                }

                var failed = new List<string>();
                var code = Targets.Each(context, args, name =>
                {
                    failed.Add(name);
                    context.Api.Post(new Query($"/containers/{Query.Escape(name)}/start").AddIfSet("checkpoint", checkpoint.Value)
                        .AddIfSet("checkpoint-dir", checkpointDir.Value).ToString());
                    failed.Remove(name);
                    return name;
                });
                if (failed.Count > 0) context.ErrorLine($"Error: failed to start containers: {string.Join(", ", failed)}");
                return code;
            };
        },
    };

    private static int StartAttached(ClientContext context, string name, bool interactive, string keysText)
    {
        var keys = DetachKeys.Parse(keysText);
        var inspect = context.Api.GetJson($"/containers/{Query.Escape(name)}/json");
        var id = inspect.Text("Id");
        var config = inspect.Child("Config");
        var tty = config.Flag("Tty");
        var withInput = interactive && config.Flag("OpenStdin");
        if (tty && withInput && !Terminal.Is(FdStream.StdinFd)) throw new CliException("the input device is not a TTY");
        using var session = AttachCommand.Open(context.Api, id, tty, withInput, stdout: true, stderr: true, keys, keysText)!;
        var condition = inspect.Child("HostConfig").Flag("AutoRemove") ? "removed" : "next-exit";
        using var wait = context.Api.Send("POST", $"/containers/{id}/wait?condition={condition}");
        using var signals = tty ? null : SignalRelay.Signals(context.NewConnection, id);
        context.Api.Post($"/containers/{id}/start");
        using var window = tty && Terminal.Is(FdStream.StdoutFd) ? SignalRelay.WindowSize(context.NewConnection, $"/containers/{id}") : null;
        return session.Run(new FdStream(FdStream.StdoutFd), new FdStream(FdStream.StderrFd)) == SessionEnd.Detached ? 0 : RunCommand.ExitCode(context, wait);
    }
}
