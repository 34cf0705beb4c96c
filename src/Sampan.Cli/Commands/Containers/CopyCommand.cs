using System.Text.Json.Nodes;
using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>cp</c>: between a container and this machine, by Docker's rules of where things land.</summary>
internal static class CopyCommand
{
    private const long DirectoryBit = 1L << 31;
    private const long LinkBit = 1L << 27;

    public static Command Copy() => new()
    {
        Name = "cp",
        Summary = "Copy files between a container and this machine",
        Synopsis = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-",
        SecondSynopsis = "[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
        Details = "A source of '-' is a tar archive on STDIN, to be unpacked into a directory of the container;\n"
            + "a destination of '-' writes what is copied as a tar archive to STDOUT.",
        Spellings = ["container cp", "cp"],
        Arity = Arity.Exactly(2),
        Setup = static f =>
        {
            var archive = f.Switch("archive", 'a', "Keep owners");
            var follow = f.Switch("follow-link", 'L', "Copy what a link leads to");
            var quiet = f.Switch("quiet", 'q', "Do not say what was copied");
            return (context, args) =>
            {
                if (args[0].Length == 0) throw new CliException("source can not be empty");
                if (args[1].Length == 0) throw new CliException("destination can not be empty");
                var (from, source) = Split(args[0]);
                var (to, destination) = Split(args[1]);
                if (from.Length > 0 && to.Length > 0) throw new CliException("copying between containers is not supported");
                if (from.Length == 0 && to.Length == 0) throw new CliException("must specify at least one container source");
                var size = from.Length > 0 ? Fetch(context, from, source, destination, archive, follow) : Send(context, source, to, destination, archive, follow);
                if (!quiet && destination != "-" && Terminal.Is(FdStream.StdoutFd)) context.ErrorLine($"Successfully copied {Units.Human(size)} to {args[1]}");
                return 0;
            };
        },
    };

    /// <summary>Container and path; a path of this machine has no container. Only what looks absolute or relative is surely local.</summary>
    private static (string Container, string Path) Split(string text)
    {
        if (text.StartsWith('/') || text.StartsWith('.')) return ("", text);
        var at = text.IndexOf(':');
        return at < 0 ? ("", text) : at == 0 ? throw new CliException($"invalid container path {FlagValues.Quote(text)}") : (text[..at], text[(at + 1)..]);
    }

    private static string ArchivePath(string container, string path)
        => new Query($"/containers/{Query.Escape(container)}/archive").Add("path", path.StartsWith('/') ? path : "/" + path).ToString();

    /// <summary>What is at a path of a container, or null.</summary>
    private static (string Name, bool IsDirectory, string LinkTarget)? Stat(ClientContext context, string container, string path)
    {
        using var response = context.Api.Send("HEAD", ArchivePath(container, path), checkStatus: false);
        if (response.Status == 404 && response.Header("X-Docker-Container-Path-Stat") is null) return null;
        if (response.Status >= 400) throw new DaemonException(response.Status, $"request returned status {response.Status}");
        return Stat(response);
    }

    private static (string Name, bool IsDirectory, string LinkTarget) Stat(ApiResponse response)
    {
        var stat = JsonNode.Parse(Convert.FromBase64String(response.Header("X-Docker-Container-Path-Stat") ?? throw new CliException("the daemon did not say what it sends")));
        var mode = stat.Number("mode");
        return (stat.Text("name"), (mode & DirectoryBit) != 0, (mode & LinkBit) != 0 ? stat.Text("linkTarget") : "");
    }

    private static long Fetch(ClientContext context, string container, string source, string destination, bool owners, bool follow)
    {
        if (source.Length == 0) throw new CliException("the path in the container can not be empty");
        if (follow && Stat(context, container, source) is { LinkTarget.Length: > 0 } link) source = Resolve(source, link.LinkTarget);
        using var response = context.Api.Get(ArchivePath(container, source));
        if (destination == "-")
        {
            response.Body.CopyTo(new FdStream(FdStream.StdoutFd));
            return 0;
        }

        var (name, isDirectory, _) = Stat(response);
        var isRoot = name == "/";
        var contentOnly = isRoot || source.EndsWith("/.", StringComparison.Ordinal) || source == ".";
        var target = Path.GetFullPath(destination);
        var exists = Directory.Exists(target);
        if (!exists && (destination.EndsWith('/') || destination.EndsWith("/.", StringComparison.Ordinal)) && !isDirectory)
        {
            throw new CliException($"destination directory {FlagValues.Quote(destination)} does not exist: no such directory");
        }

        if (!exists && isDirectory && File.Exists(target)) throw new CliException("cannot copy directory");
        var parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(target)) ?? "/";
        if (!exists && !Directory.Exists(parent)) throw new CliException($"invalid output path: directory {FlagValues.Quote(parent)} does not exist");

        // Into an existing directory under its own name; otherwise the destination is the new name.
        var root = exists ? contentOnly ? target : Path.Combine(target, name) : Path.TrimEndingDirectorySeparator(target);
        return TreeExtraction.Extract(response.Body, root, owners, strip: !isRoot);
    }

    private static long Send(ClientContext context, string source, string container, string destination, bool owners, bool follow)
    {
        var at = Stat(context, container, destination);
        if (at is { LinkTarget.Length: > 0 } link)
        {
            destination = Resolve(destination, link.LinkTarget);
            at = Stat(context, container, destination);
        }

        if (source == "-")
        {
            if (at is not { IsDirectory: true }) throw new CliException($"destination \"{container}:{destination}\" must be a directory");
            return Put(context, container, destination, owners, static output => new FdStream(FdStream.StdinFd).CopyTo(output));
        }

        var path = Path.GetFullPath(source);
        if (follow && new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true) is { } final) path = final.FullName;
        var trimmed = Path.TrimEndingDirectorySeparator(path);
        var isDirectory = Directory.Exists(trimmed) && new DirectoryInfo(trimmed).LinkTarget is null;
        if (!isDirectory && !File.Exists(trimmed) && new FileInfo(trimmed).LinkTarget is null) throw new CliException($"lstat {trimmed}: no such file or directory");
        var contentOnly = trimmed == "/" || source.EndsWith("/.", StringComparison.Ordinal) || source == ".";
        if (!isDirectory && (contentOnly || source.EndsWith('/'))) throw new CliException("not a directory");
        var (folder, name) = Landing(destination, at?.IsDirectory, isDirectory, contentOnly, Path.GetFileName(trimmed), $"{container}:{destination}");
        return Put(context, container, folder, owners, output =>
        {
            using var archive = new TreeArchive(output, asRoot: false);
            archive.AddTree(trimmed, name);
        });
    }

    /// <summary>The container's directory to unpack in, and the name there.</summary>
    private static (string Folder, string Name) Landing(string destination, bool? existingIsDirectory, bool sourceIsDirectory, bool contentOnly, string sourceName, string shown)
    {
        if (existingIsDirectory == true) return (destination, contentOnly ? "." : sourceName);
        if (existingIsDirectory == false && sourceIsDirectory) throw new CliException("cannot copy directory");
        if (existingIsDirectory is null && destination.EndsWith('/') && !sourceIsDirectory)
        {
            throw new CliException($"destination directory \"{shown}\" does not exist: no such directory");
        }

        var path = "/" + destination.Trim('/');
        var slash = path.LastIndexOf('/');
        return (slash == 0 ? "/" : path[..slash], path[(slash + 1)..]);
    }

    private static string Resolve(string path, string target)
    {
        if (target.StartsWith('/')) return target;
        var full = "/" + path.Trim('/');
        return Path.GetFullPath(target, full[..(full.LastIndexOf('/') + 1)]);
    }

    private static long Put(ClientContext context, string container, string folder, bool owners, Action<Stream> write)
    {
        long size = 0;
        var path = ArchivePath(container, folder) + "&noOverwriteDirNonDir=true" + (owners ? "&copyUIDGID=true" : "");
        using var response = context.Api.SendStream("PUT", path, "application/x-tar", output =>
        {
            using var counting = new CountingStream(output);
            write(counting);
            size = counting.Count;
        });
        response.Body.CopyTo(Stream.Null);
        return size;
    }
}
