using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Images;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>run</c> and <c>create</c>.</summary>
internal static class RunCommand
{
    private const string Synopsis = "[OPTIONS] IMAGE [COMMAND] [ARG...]";
    private const int DaemonFailure = 125;

    public static Command Run(string group = "Commands") => new()
    {
        Name = "run",
        Summary = "Create a container from an image and run it",
        Synopsis = Synopsis,
        Spellings = ["container run", "run"],
        Arity = Arity.AtLeast(1),
        Interspersed = false,
        RunLike = true,
        Group = group,
        Setup = static f =>
        {
            var container = new ContainerFlags(f);
            var detach = f.Switch("detach", 'd', "Run in the background and print the container's ID");
            var keys = f.DetachKeys();
            var proxy = f.Switch("sig-proxy", "Pass our signals on to the process", initial: true);
            return (context, args) => RunContainer(context, container, args, detach, proxy, keys.Value);
        },
    };

    public static Command Create() => new()
    {
        Name = "create",
        Summary = "Create a container without starting it",
        Synopsis = Synopsis,
        Spellings = ["container create", "create"],
        Arity = Arity.AtLeast(1),
        Interspersed = false,
        RunLike = true,
        Setup = static f =>
        {
            var container = new ContainerFlags(f);
            return (context, args) =>
            {
                context.Line(CreateContainer(context, container, ContainerRequest.Build(container, args)));
                return 0;
            };
        },
    };

    /// <summary>Runs a container: (1) create, (2) attach, (3) wait, (4) start, (5) streams, (6) exit code.</summary>
    private static int RunContainer(ClientContext context, ContainerFlags flags, List<string> args, bool detach, bool proxy, string keys)
    {
        var request = ContainerRequest.Build(flags, args);
        var detachKeys = DetachKeys.Parse(keys);
        Prepare(request, flags, detach);
        var tty = flags.Process.Tty.Value;

        // :: 1 create
        var id = CreateContainer(context, flags, request);

        // :: 2 attach before the start, so that no output is lost; it takes over the connection that create used
        using var session = detach ? null : AttachCommand.Open(context.Api, id, tty, Wants(request, "AttachStdin"), Wants(request, "AttachStdout"), Wants(request, "AttachStderr"), detachKeys, keys);

        // :: 3 wait before the start too: with --rm nobody could be asked afterwards
        using var wait = detach ? null : context.Api.Send("POST", $"/containers/{id}/wait?condition={(flags.Limits.Remove ? "removed" : "next-exit")}");

        // :: 4 start
        using var signals = !detach && proxy && !tty ? SignalRelay.Signals(context.NewConnection, id) : null;
        context.Api.Post($"/containers/{id}/start");
        if (detach)
        {
            context.Line(id);
            return 0;
        }

        // :: 5 streams
        using var window = tty && Terminal.Is(FdStream.StdoutFd) ? SignalRelay.WindowSize(context.NewConnection, $"/containers/{id}") : null;
        if (session is not null && session.Run(new FdStream(FdStream.StdoutFd), new FdStream(FdStream.StderrFd)) == SessionEnd.Detached) return 0;

        // :: 6 exit code
        return ExitCode(context, wait!);
    }

    /// <summary>The exit code that a wait answers with.</summary>
    public static int ExitCode(ClientContext context, ApiResponse wait)
    {
        var result = wait.ReadJson();
        if (result.Child("Error").Text("Message") is not { Length: > 0 } message) return (int)result.Number("StatusCode");
        context.ErrorLine($"Error waiting for container: {message}");
        return DaemonFailure;
    }

    private static void Prepare(JsonObject request, ContainerFlags flags, bool detach)
    {
        if (detach)
        {
            if (flags.Process.Attach.Values.Count > 0) throw new PlainException("conflicting options: cannot specify both --attach and --detach");
            foreach (var name in (ReadOnlySpan<string>)["AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"]) request[name] = false;
        }
        else if (flags.Process.Tty && request["AttachStdin"]!.GetValue<bool>() && !Terminal.Is(FdStream.StdinFd))
        {
            throw new PlainException("the input device is not a TTY");
        }
    }

    private static bool Wants(JsonObject request, string stream) => request[stream]!.GetValue<bool>();

    private static string CreateContainer(ClientContext context, ContainerFlags flags, JsonObject request)
    {
        var image = request.Text("Image");
        if (image.Length != 64) OptionChecks.Reference(image); // an ID is no name
        if (flags.CidFile.Value is { Length: > 0 } used && File.Exists(used))
        {
            throw new CliException($"container ID file found, make sure the other container isn't running or delete {used}");
        }

        var path = new Query("/containers/create").AddIfSet("name", flags.Name.Value).AddIfSet("platform", flags.Platform.Value).ToString();
        if (flags.Pull.Value == "always") RegistryCommands.PullImage(context, image, flags.Platform.Value, flags.Quiet, toError: true);
        JsonNode? created;
        try
        {
            created = context.Api.Post(path, request);
        }
        catch (DaemonException e) when (e.NotFound && flags.Pull.Value == "missing" && e.Reason.Contains("No such image", StringComparison.OrdinalIgnoreCase))
        {
            context.ErrorLine($"Unable to find image '{Tagged(image)}' locally");
            RegistryCommands.PullImage(context, image, flags.Platform.Value, flags.Quiet, toError: true);
            created = context.Api.Post(path, request);
        }

        foreach (var warning in created.Texts("Warnings")) context.ErrorLine("WARNING: " + warning);
        var id = created.Text("Id");
        if (flags.CidFile.Value.Length > 0) WriteCidFile(flags.CidFile.Value, id);
        return id;
    }

    private static string Tagged(string image)
        => image.Contains('@') || image.LastIndexOf(':') > image.LastIndexOf('/') ? image : image + ":latest";

    private static void WriteCidFile(string path, string id)
    {
        try
        {
            File.WriteAllText(path, id);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"failed to create the container ID file: {HostFiles.Opening(path, e).Message}");
        }
    }
}
