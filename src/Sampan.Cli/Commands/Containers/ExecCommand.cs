using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>exec</c>.</summary>
internal static class ExecCommand
{
    public static Command Exec(string group = "Commands") => new()
    {
        Name = "exec",
        Summary = "Run another command in a running container",
        Synopsis = "[OPTIONS] CONTAINER COMMAND [ARG...]",
        Spellings = ["container exec", "exec"],
        Arity = Arity.AtLeast(2),
        Interspersed = false,
        Group = group,
        Setup = static f =>
        {
            var flags = new Flags(f);
            return (context, args) => Run(context, flags, args);
        },
    };

    /// <summary>Runs a command: (1) create the exec, (2) start it on the same connection, (3) streams, (4) exit code.</summary>
    private static int Run(ClientContext context, Flags flags, List<string> args)
    {
        var keys = DetachKeys.Parse(flags.DetachKeys.Value);
        var tty = flags.Tty.Value;
        if (tty && flags.Interactive && !flags.Detach && !Terminal.Is(FdStream.StdinFd)) throw new CliException("the input device is not a TTY");

        // :: 1 create
        var created = context.Api.Post($"/containers/{Query.Escape(args[0])}/exec", Request(flags, args));
        var id = created.Text("Id");
        var start = new JsonObject { ["Detach"] = flags.Detach.Value, ["Tty"] = tty };
        if (tty) start["ConsoleSize"] = ConsoleSize();
        if (flags.Detach)
        {
            context.Api.Post($"/exec/{id}/start", start);
            return 0;
        }

        // :: 2 start
        using var response = context.Api.Send("POST", $"/exec/{id}/start", start, hijack: true);
        using var session = new AttachedSession(response.Hijack(), tty, flags.Interactive, keys);
        using var window = tty && Terminal.Is(FdStream.StdoutFd) ? SignalRelay.WindowSize(context.NewConnection, $"/exec/{id}") : null;

        // :: 3 streams
        context.Api.ConnectAhead();
        if (session.Run(new FdStream(FdStream.StdoutFd), new FdStream(FdStream.StderrFd)) == SessionEnd.Detached) return 0;

        // :: 4 exit code, which the daemon knows before the streams end
        return (int)context.Api.GetJson($"/exec/{id}/json").Number("ExitCode");
    }

    private static JsonObject Request(Flags flags, List<string> args)
    {
        var env = new List<string>();
        foreach (var file in flags.EnvFiles.Values) env.AddRange(KeyValueFiles.Read(file, "env", Environment.GetEnvironmentVariable));
        env.AddRange(flags.Env.Values);
        var request = new JsonObject
        {
            ["Cmd"] = ContainerRequest.Strings(args[1..]),
            ["AttachStdin"] = flags.Interactive && !flags.Detach,
            ["AttachStdout"] = !flags.Detach,
            ["AttachStderr"] = !flags.Detach,
            ["Tty"] = flags.Tty.Value,
            ["Privileged"] = flags.Privileged.Value,
        };
        ContainerRequest.Text(request, "User", flags.User.Value);
        ContainerRequest.Text(request, "WorkingDir", flags.WorkDir.Value);
        ContainerRequest.Text(request, "DetachKeys", flags.DetachKeys.Value);
        ContainerRequest.List(request, "Env", env);
        if (flags.Tty) request["ConsoleSize"] = ConsoleSize();
        return request;
    }

    private static JsonArray ConsoleSize()
    {
        var (height, width) = Terminal.Size(FdStream.StdoutFd);
        return new JsonArray(height, width);
    }

    private sealed class Flags(FlagSet f)
    {
        public readonly SwitchFlag Detach = f.Switch("detach", 'd', "Run the command in the background");
        public readonly ValueFlag<string> DetachKeys = f.DetachKeys();
        public readonly ListFlag Env = f.List("env", 'e', "Set an environment variable", OptionChecks.Env);
        public readonly ListFlag EnvFiles = f.List("env-file", "Read environment variables from a file");
        public readonly SwitchFlag Interactive = f.Switch("interactive", 'i', "Keep STDIN open, attached or not");
        public readonly SwitchFlag Privileged = f.Switch("privileged", "Give the command all capabilities");
        public readonly SwitchFlag Tty = f.Switch("tty", 't', "Give it a terminal");
        public readonly ValueFlag<string> User = f.Text("user", 'u', "User, and group after a colon: names or numbers");
        public readonly ValueFlag<string> WorkDir = f.Text("workdir", 'w', "Working directory inside the container");
    }
}
