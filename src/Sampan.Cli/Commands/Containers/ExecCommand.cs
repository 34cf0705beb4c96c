using System.Globalization;
using System.Text.Json;
using Sampan.Api;
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

    /// <summary>
    /// Runs a command: (1) create the exec and start it on the same connection, (2) streams, (3) exit code. With Sampan's daemon that is one
    /// request (<see cref="ExecRun"/>), with any other, or detached, one each.
    /// </summary>
    private static int Run(ClientContext context, Flags flags, List<string> args)
    {
        var keys = DetachKeys.Parse(flags.DetachKeys.Value);
        var tty = flags.Tty.Value;
        if (tty && flags.Interactive && !flags.Detach && !Terminal.Is(FdStream.StdinFd)) throw new CliException("the input device is not a TTY");

        // :: 1 create and start
        var created = Create(context, flags, args);
        var inOne = created.Header(ExecRun.Header);
        var id = inOne ?? created.ReadMember("Id");
        if (inOne is null) created.Dispose();
        if (flags.Detach)
        {
            Start(context, flags, id).Dispose();
            return 0;
        }

        using var response = inOne is null ? Start(context, flags, id) : created;
        using var session = new AttachedSession(response.Hijack(), tty, flags.Interactive, keys);
        using var window = tty && Terminal.Is(FdStream.StdoutFd) ? SignalRelay.WindowSize(context.NewConnection, $"/exec/{id}") : null;

        // :: 2 streams
        if (inOne is null || tty) context.Api.ConnectAhead();
        if (session.Run(new FdStream(FdStream.StdoutFd), new FdStream(FdStream.StderrFd)) == SessionEnd.Detached) return 0;

        // :: 3 exit code, which the daemon knows before the streams end
        if (session.ExitCode is { } sent) return sent;
        using var ended = context.Api.Get($"/exec/{id}/json");
        return int.TryParse(ended.ReadMember("ExitCode"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exitCode) ? exitCode : 0;
    }

    private static ApiResponse Create(ClientContext context, Flags flags, List<string> args)
        => context.Api.Send("POST", $"/containers/{Query.Escape(args[0])}/exec", Request(flags, args), hijack: !flags.Detach,
            headers: flags.Detach ? null : new Dictionary<string, string> { [ExecRun.Header] = ExecRun.Value });

    private static ApiResponse Start(ClientContext context, Flags flags, string id)
        => context.Api.Send("POST", $"/exec/{id}/start", hijack: !flags.Detach, body: JsonBody.OfObject(writer =>
        {
            writer.WriteBoolean("Detach", flags.Detach);
            writer.WriteBoolean("Tty", flags.Tty);
            if (flags.Tty) WriteConsoleSize(writer);
        }));

    private static byte[] Request(Flags flags, List<string> args)
    {
        var env = new List<string>();
        foreach (var file in flags.EnvFiles.Values) env.AddRange(KeyValueFiles.Read(file, "env", Environment.GetEnvironmentVariable));
        env.AddRange(flags.Env.Values);
        return JsonBody.OfObject(writer =>
        {
            writer.WriteStrings("Cmd", args[1..]);
            writer.WriteBoolean("AttachStdin", flags.Interactive && !flags.Detach);
            writer.WriteBoolean("AttachStdout", !flags.Detach);
            writer.WriteBoolean("AttachStderr", !flags.Detach);
            writer.WriteBoolean("Tty", flags.Tty);
            writer.WriteBoolean("Privileged", flags.Privileged);
            if (flags.User.Value.Length > 0) writer.WriteString("User", flags.User.Value);
            if (flags.WorkDir.Value.Length > 0) writer.WriteString("WorkingDir", flags.WorkDir.Value);
            if (flags.DetachKeys.Value.Length > 0) writer.WriteString("DetachKeys", flags.DetachKeys.Value);
            if (env.Count > 0) writer.WriteStrings("Env", env);
            if (flags.Tty) WriteConsoleSize(writer);
        });
    }

    private static void WriteConsoleSize(Utf8JsonWriter writer)
    {
        var (height, width) = Terminal.Size(FdStream.StdoutFd);
        writer.WriteStartArray("ConsoleSize");
        writer.WriteNumberValue(height);
        writer.WriteNumberValue(width);
        writer.WriteEndArray();
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
