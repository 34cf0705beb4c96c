using System.Net.Sockets;
using Sampan.Api;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Cli.Templates;
using Sampan.Linux;

namespace Sampan.Cli;

/// <summary>The command line: finds the command, parses its flags, runs it, and turns failures into messages and exit codes.</summary>
internal static class Client
{
    private const int InternalError = 1;

    /// <summary>What a shell shows for a program that SIGPIPE ended.</summary>
    private const int BrokenPipe = 141;

    public static int Run(string[] args)
    {
        var globals = new GlobalFlags();
        List<string> words;
        try
        {
            words = globals.Flags.Parse(args, interspersed: false);
        }
        catch (HelpRequestedException)
        {
            Print(HelpPage.OfProgram(CommandTree.Root, globals.Flags, ClientContext.Columns));
            return 0;
        }
        catch (UsageException e)
        {
            return Fail($"{e.Message}\n\nUsage:  sampan [OPTIONS] COMMAND [ARG...]\n\nRun 'sampan --help' for more information", e.ExitCode);
        }

        if (globals.Version)
        {
            Print($"Sampan version {Product.Version}, build {Product.Commit}\n");
            return 0;
        }

        globals.Apply();
        return Dispatch(globals, words, args);
    }

    private static int Dispatch(GlobalFlags globals, List<string> words, string[] args)
    {
        if (words is ["help", .. var topic]) words = [.. topic, "--help"];
        if (words.Count == 0 || words is ["--help"])
        {
            Print(HelpPage.OfProgram(CommandTree.Root, globals.Flags, ClientContext.Columns));
            return 0;
        }

        var command = CommandTree.Root;
        var path = "sampan";
        var next = 0;
        while (next < words.Count && command.Children is not null && CommandTree.Find(command, words[next]) is { } child)
        {
            command = child;
            path += " " + child.Name;
            next++;
        }

        if (next == 0 && Plugins.Find(words[0]) is { } plugin)
        {
            try
            {
                Plugins.Run(plugin, args, globals);
            }
            catch (Exception e) when (e is SyscallException or NoDaemonException)
            {
                return Fail($"sampan: {e.Message}", InternalError);
            }
        }

        var rest = words.GetRange(next, words.Count - next);
        return command.Setup is not null ? Execute(globals, command, path, rest) : Group(command, path, rest);
    }

    /// <summary>A word that only groups commands.</summary>
    private static int Group(Command command, string path, List<string> rest)
    {
        if (rest.Count == 0 || rest is ["--help", ..] or ["-h", ..])
        {
            Print(HelpPage.Of(command, path, ClientContext.Columns));
            return 0;
        }

        if (rest[0].StartsWith('-'))
        {
            try
            {
                new FlagSet().Parse(rest, interspersed: false);
            }
            catch (UsageException e)
            {
                return Fail(Usage(e.Message, command, path), e.ExitCode);
            }
        }

        var usage = command == CommandTree.Root ? "" : $"Usage:  {path}\n\n";
        return Fail($"sampan: unknown command: {path} {rest[0]}\n\n{usage}Run '{path} --help' for more information", 1);
    }

    private static int Execute(GlobalFlags globals, Command command, string path, List<string> words)
    {
        var flags = new FlagSet();
        var body = command.Setup!(flags);
        List<string> args;
        try
        {
            args = flags.Parse(words, command.Interspersed);
        }
        catch (HelpRequestedException e)
        {
            if (e.DeprecatedShorthand) Print("Flag shorthand -h has been deprecated, use --help\n");
            Print(HelpPage.Of(command, path, ClientContext.Columns));
            return 0;
        }
        catch (UsageException e)
        {
            return Fail(Usage(e.Message, command, path), e.ExitCode);
        }

        if (command.Arity.Complaint(path, args.Count) is { } complaint) return Fail(Usage("sampan: " + complaint, command, path), 1);
        using var context = new ClientContext(globals.Connect) { Debug = globals.Debug };
        return Guard(context, command, path, () => body(context, args));
    }

    /// <summary>The one place where failures become messages and exit codes.</summary>
    private static int Guard(ClientContext context, Command command, string path, Func<int> run)
    {
        try
        {
            var code = run();
            context.Out.Flush();
            return code;
        }
        catch (PlainException e)
        {
            return Fail(context, e.Message, e.ExitCode);
        }
        catch (UsageException e)
        {
            return Fail(context, Usage(e.Message, command, path), e.ExitCode);
        }
        catch (CliException e) when (command.RunLike)
        {
            return Fail(context, $"sampan: {e.Message}\n\nRun '{path} --help' for more information", RunExitCode(e.Message));
        }
        catch (CliException e)
        {
            return Fail(context, e.Message, e.ExitCode);
        }
        catch (TemplateException e)
        {
            return Fail(context, $"{(e.WhileParsing ? "template parsing error" : "failed to execute template")}: {e.Message}", 1);
        }
        catch (SyscallException e) when (e.Errno == Errno.EPIPE)
        {
            return BrokenPipe;
        }
        catch (SocketException e)
        {
            return Fail(context, $"error during connect: {e.Message}", InternalError);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail(context, e.Message, InternalError);
        }
    }

    /// <summary>126 and 127 as a shell has them, when the program could not be started; 125 for every other failure before it ran.</summary>
    private static int RunExitCode(string message)
    {
        static bool Says(string message, params ReadOnlySpan<string> texts)
        {
            foreach (var text in texts)
            {
                if (message.Contains(text, StringComparison.Ordinal)) return true;
            }

            return false;
        }

        if (Says(message, "executable file not found", "no such file or directory", "system cannot find the file specified"))
        {
            // Only the daemon's word counts: a missing --env-file of ours is 125.
            return message.StartsWith("Error response from daemon", StringComparison.Ordinal) ? 127 : 125;
        }

        return message.StartsWith("Error response from daemon", StringComparison.Ordinal)
            && Says(message, "permission denied", "is a directory", "exec format error") ? 126 : 125;
    }

    private static string Usage(string message, Command command, string path)
        => $"{message}\n\nUsage:  {HelpPage.UsageLines(command, path)}\n\nRun '{path} --help' for more information";

    private static int Fail(ClientContext context, string message, int code)
    {
        if (message.Length > 0) context.ErrorLine(message);
        return code;
    }

    private static int Fail(string message, int code)
    {
        Terminal.Write(FdStream.StderrFd, System.Text.Encoding.UTF8.GetBytes(message + "\n"));
        return code;
    }

    private static void Print(string text)
    {
        try
        {
            Terminal.Write(FdStream.StdoutFd, System.Text.Encoding.UTF8.GetBytes(text));
        }
        catch (SyscallException e) when (e.Errno == Errno.EPIPE)
        {
            // The reader has seen enough of the help.
        }
    }
}
