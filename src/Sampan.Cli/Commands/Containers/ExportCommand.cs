using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>export</c>.</summary>
internal static class ExportCommand
{
    public static Command Export() => new()
    {
        Name = "export",
        Summary = "Write a container's file system as a tar archive",
        Synopsis = "[OPTIONS] CONTAINER",
        Spellings = ["container export", "export"],
        Arity = Arity.Exactly(1),
        Setup = static f =>
        {
            var output = f.Text("output", 'o', "Write to this file instead of STDOUT");
            return (context, args) =>
            {
                ArchiveOutput.Check(output.Value, "failed to export container");
                using var response = context.Api.Get($"/containers/{Query.Escape(args[0])}/export");
                ArchiveOutput.Copy(response.Body, output.Value);
                return 0;
            };
        },
    };
}

/// <summary>Where an archive goes: a file, which appears only when it is whole, or STDOUT, unless that is a terminal.</summary>
internal static class ArchiveOutput
{
    public static void Check(string path, string prefix)
    {
        if (path.Length == 0)
        {
            if (Terminal.Is(FdStream.StdoutFd)) throw new CliException("cowardly refusing to save to a terminal. Use the -o flag or redirect");
            return;
        }

        var folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        if (!Directory.Exists(folder)) throw new CliException($"{prefix}: invalid output path: directory {FlagValues.Quote(folder)} does not exist");
        if (Directory.Exists(path)) throw new CliException($"{prefix}: invalid output path: \"{path}\" must be a regular file");
    }

    public static void Copy(Stream archive, string path)
    {
        if (path.Length == 0)
        {
            archive.CopyTo(new FdStream(FdStream.StdoutFd));
            return;
        }

        // A device or a pipe is written to, never replaced, also behind a link: -o /dev/null must leave the machine its /dev/null.
        path = Path.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path;
        if (Sys.TryStatAt(Sys.AT_FDCWD, Bytes.FromText(path), out var stat) == 0 && !stat.IsRegular)
        {
            using var device = File.OpenWrite(path);
            archive.CopyTo(device);
            return;
        }

        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            // An image may hold secrets: only its owner reads it, as with Docker.
            using (var file = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                archive.CopyTo(file);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
