using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>attach</c>, and the attaching that run and start do.</summary>
internal static class AttachCommand
{
    public static Command Attach() => new()
    {
        Name = "attach",
        Summary = "Join our standard streams to those of a running container",
        Synopsis = "[OPTIONS] CONTAINER",
        Spellings = ["container attach", "attach"],
        Arity = Arity.Exactly(1),
        Setup = static f =>
        {
            var keys = f.DetachKeys();
            var noStdin = f.Switch("no-stdin", "Leave our STDIN out");
            var proxy = f.Switch("sig-proxy", "Pass our signals on to the process", initial: true);
            return (context, args) => Run(context, args[0], keys.Value, !noStdin, proxy);
        },
    };

    /// <summary>Attaches to a container's streams over the connection that is free.</summary>
    public static AttachedSession? Open(ApiTransport api, string container, bool tty, bool stdin, bool stdout, bool stderr, byte[] keys, string keysText)
    {
        if (!stdin && !stdout && !stderr) return null;
        var path = new Query($"/containers/{Query.Escape(container)}/attach").Add("stream", "1").AddIf(stdin, "stdin").AddIf(stdout, "stdout")
            .AddIf(stderr, "stderr").AddIfSet("detachKeys", keysText).ToString();
        using var response = api.Send("POST", path, hijack: true);
        return new AttachedSession(response.Hijack(), tty, stdin, keys);
    }

    private static int Run(ClientContext context, string container, string keysText, bool withInput, bool proxy)
    {
        var keys = DetachKeys.Parse(keysText);
        var name = Query.Escape(container);
        var inspect = context.Api.GetJson($"/containers/{name}/json");
        var state = inspect.Child("State");
        if (!state.Flag("Running")) throw new CliException("cannot attach to a stopped container, start it first");
        if (state.Flag("Paused")) throw new CliException("cannot attach to a paused container, unpause it first");
        if (state.Flag("Restarting")) throw new CliException("cannot attach to a restarting container, wait until it is running");
        var config = inspect.Child("Config");
        var tty = config.Flag("Tty");
        withInput &= config.Flag("OpenStdin");
        if (tty && withInput && !Terminal.Is(FdStream.StdinFd)) throw new CliException("the input device is not a TTY");
        var id = inspect.Text("Id");
        using var session = Open(context.Api, id, tty, withInput, stdout: true, stderr: true, keys, keysText)!;
        using var wait = context.Api.Send("POST", $"/containers/{id}/wait");
        using var signals = proxy && !tty ? SignalRelay.Signals(context.NewConnection, id) : null;
        using var window = tty && Terminal.Is(FdStream.StdoutFd) ? SignalRelay.WindowSize(context.NewConnection, $"/containers/{id}") : null;
        return session.Run(new FdStream(FdStream.StdoutFd), new FdStream(FdStream.StderrFd)) == SessionEnd.Detached ? 0 : RunCommand.ExitCode(context, wait);
    }
}
