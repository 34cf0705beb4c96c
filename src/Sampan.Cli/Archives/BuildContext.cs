using System.Security.Cryptography;
using System.Text;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Streams;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Ignore;

namespace Sampan.Cli.Archives;

/// <summary>What a build sends: which archive, and the Dockerfile's name inside it.</summary>
/// <param name="Dockerfile">The Dockerfile's path inside the archive; empty for the default.</param>
/// <param name="Write">Writes the archive.</param>
internal sealed record BuildContext(string Dockerfile, Action<Stream> Write)
{
    /// <summary>The directory, absolute; null when the context comes from standard input.</summary>
    public string? Directory { get; init; }

    /// <summary>The Dockerfile's text when it is not in the directory.</summary>
    public byte[]? Text { get; init; }

    /// <summary>Where the Dockerfile is, when it is in the directory.</summary>
    public string? DockerfilePath { get; init; }

    /// <summary>What the directory's ignore file says.</summary>
    public IgnoreMatcher Rules => field ??= ReadRules(Directory!, DockerfilePath, DockerfilePath is null ? null : Dockerfile);

    /// <summary>The ignore file that counts, relative to the directory.</summary>
    public string IgnoreFile => Path.GetRelativePath(Directory!, IgnorePath(Directory!, DockerfilePath));

    private const string DefaultName = "Dockerfile";
    private const int PeekBytes = 512;
    private const int MaxDockerfileBytes = 16 << 20;

    /// <summary>The context from standard input: an archive, or a Dockerfile alone.</summary>
    public static BuildContext FromStdin(string dockerfile)
    {
        if (dockerfile == "-") throw new CliException("invalid argument: can't use stdin for both build context and dockerfile");
        var stdin = new FdStream(FdStream.StdinFd);
        var head = new byte[PeekBytes];
        var filled = stdin.ReadAtLeast(head, PeekBytes, throwOnEndOfStream: false);
        if (IsArchive(head.AsSpan(0, filled)))
        {
            return new BuildContext(dockerfile, output =>
            {
                output.Write(head.AsSpan(0, filled));
                stdin.CopyTo(output, 64 * 1024);
            });
        }

        if (dockerfile.Length > 0) throw new CliException("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles");
        var text = ReadAll(stdin, head.AsSpan(0, filled));
        return new BuildContext(DefaultName, output =>
        {
            using var archive = new TreeArchive(output, asRoot: true);
            archive.AddText(DefaultName, text);
        });
    }

    /// <summary>The context from a directory, without what its .dockerignore leaves out.</summary>
    /// <param name="directory">The context.</param>
    /// <param name="dockerfile">What -f said: empty, a path (inside or outside the context), or "-" for standard input.</param>
    public static BuildContext FromDirectory(string directory, string dockerfile)
    {
        var root = Path.GetFullPath(directory);
        if (File.Exists(root)) throw Unprepared($"context must be a directory: {root}");
        if (!System.IO.Directory.Exists(root)) throw Unprepared($"path {FlagValues.Quote(directory)} not found");
        root = Path.TrimEndingDirectorySeparator(System.IO.Directory.ResolveLinkTarget(root, returnFinalTarget: true)?.FullName ?? root);
        if (dockerfile == "-") return WithForeign(root, ReadAll(new FdStream(FdStream.StdinFd), []));
        var path = dockerfile.Length == 0 ? Default(root) : Path.GetFullPath(dockerfile);
        if (!File.Exists(path))
        {
            throw Unprepared(System.IO.Directory.Exists(path) ? $"the Dockerfile ({path}) is a directory" : $"unable to evaluate symlinks in Dockerfile path: lstat {path}: no such file or directory");
        }

        var inside = Path.GetRelativePath(root, path);
        if (inside.StartsWith("../", StringComparison.Ordinal) || inside == "..")
        {
            using var file = File.OpenRead(path);
            return WithForeign(root, ReadAll(file, []));
        }

        return new BuildContext(inside, output =>
        {
            using var archive = new TreeArchive(output, asRoot: true);
            Walk(archive, root, ReadRules(root, path, inside), "", IgnoreState.Root);
        })
        { Directory = root, DockerfilePath = path };
    }

    /// <summary>Writes a directory that is no context of its own (<c>--build-context</c>), without what its .dockerignore leaves out.</summary>
    public static Action<Stream> ArchiveOf(string root) => output =>
    {
        using var archive = new TreeArchive(output, asRoot: true);
        Walk(archive, root, ReadRules(root, null, null), "", IgnoreState.Root);
    };

    /// <summary>What a check needs of a context: the Dockerfile's name and text, and the ignore file.</summary>
    public static (string Name, byte[] Text, IgnoreMatcher Ignore) ForCheck(string source, string dockerfile)
    {
        if (source == "-" || dockerfile == "-")
        {
            var text = ReadAll(new FdStream(FdStream.StdinFd), []);
            if (source == "-" && IsArchive(text)) throw Unprepared("a check reads a directory or a Dockerfile, not an archive");
            return (DefaultName, text, source == "-" || !System.IO.Directory.Exists(source) ? IgnoreMatcher.None : ReadRules(Path.GetFullPath(source), null, null));
        }

        var root = Path.GetFullPath(source);
        if (!System.IO.Directory.Exists(root)) throw Unprepared($"path {FlagValues.Quote(source)} not found");
        var path = dockerfile.Length == 0 ? Default(root) : Path.GetFullPath(dockerfile);
        if (!File.Exists(path)) throw Unprepared($"the Dockerfile ({path}) does not exist");
        using var file = File.OpenRead(path);
        return (dockerfile.Length == 0 ? Path.GetFileName(path) : dockerfile, ReadAll(file, []), ReadRules(root, path, null));
    }

    private static string Default(string root)
    {
        var path = Path.Combine(root, DefaultName);
        var lower = Path.Combine(root, "dockerfile");
        return !File.Exists(path) && File.Exists(lower) ? lower : path;
    }

    /// <summary>A Dockerfile from elsewhere travels in the archive under a name of its own, which the ignore file keeps out of the build.</summary>
    private static BuildContext WithForeign(string root, byte[] text)
    {
        // The name depends on the content alone, so that the same build sends the same bytes.
        var name = ".dockerfile." + Convert.ToHexStringLower(SHA256.HashData(text).AsSpan(0, 10));
        return new BuildContext(name, output =>
        {
            using var archive = new TreeArchive(output, asRoot: true);
            var rules = ReadRules(root, null, null);
            var ignore = Path.Combine(root, ".dockerignore");
            var own = (File.Exists(ignore) ? File.ReadAllText(ignore).TrimEnd('\n') + "\n" : "") + $".dockerignore\n{name}\n";
            archive.AddText(".dockerignore", Encoding.UTF8.GetBytes(own));
            archive.AddText(name, text);
            Walk(archive, root, rules, "", IgnoreState.Root, except: ".dockerignore");
        })
        { Directory = root, Text = text };
    }

    private static string IgnorePath(string root, string? dockerfile) =>
        dockerfile is not null && File.Exists(dockerfile + ".dockerignore") ? dockerfile + ".dockerignore" : Path.Combine(root, ".dockerignore");

    private static IgnoreMatcher ReadRules(string root, string? dockerfile, string? inside)
    {
        var path = IgnorePath(root, dockerfile);
        if (!File.Exists(path)) return IgnoreMatcher.None;
        try
        {
            // Both are sent whatever the rules say: the daemon needs them.
            return IgnoreMatcher.Parse(File.ReadAllText(path), ".dockerignore", inside is null ? [".dockerignore"] : [".dockerignore", inside]);
        }
        catch (DockerfileException e)
        {
            throw Unprepared($"error checking context: {e.Message}");
        }
    }

    /// <summary>The paths in the context, directories with a slash at their end, in the order in which they are sent.</summary>
    public IEnumerable<string> List() => List("", IgnoreState.Root);

    private IEnumerable<string> List(string folder, IgnoreState state)
    {
        foreach (var name in TreeArchive.Names(Path.Combine(Directory!, folder)))
        {
            var path = folder.Length == 0 ? name : folder + "/" + name;
            var here = Rules.Enter(path, state);
            var isDirectory = System.IO.Directory.Exists(Path.Combine(Directory!, path)) && new FileInfo(Path.Combine(Directory!, path)).LinkTarget is null;
            if (!here.Verdict.IsIgnored) yield return isDirectory ? path + "/" : path;
            if (!isDirectory || (here.Verdict.IsIgnored && Rules.CanSkip(path))) continue;
            foreach (var below in List(path, here)) yield return below;
        }
    }

    private static void Walk(TreeArchive archive, string root, IgnoreMatcher rules, string folder, IgnoreState state, string? except = null)
    {
        foreach (var name in TreeArchive.Names(folder.Length == 0 ? root : Path.Combine(root, folder)))
        {
            var path = folder.Length == 0 ? name : folder + "/" + name;
            if (path == except) continue;
            var here = rules.Enter(path, state);
            var full = Path.Combine(root, path);
            if (here.Verdict.IsIgnored)
            {
                // An exception may bring something below back; the directory itself is made on the way.
                if (System.IO.Directory.Exists(full) && new DirectoryInfo(full).LinkTarget is null && !rules.CanSkip(path)) Walk(archive, root, rules, path, here);
                continue;
            }

            if (archive.Add(full, path)) Walk(archive, root, rules, path, here);
        }
    }

    /// <summary>Whether the bytes begin a tar archive, or something compressed that may hold one.</summary>
    private static bool IsArchive(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> xz = [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], zstd = [0x28, 0xB5, 0x2F, 0xFD], gzip = [0x1F, 0x8B];
        return head.StartsWith(gzip) || head.StartsWith("BZh"u8) || head.StartsWith(xz) || head.StartsWith(zstd)
            || head.Length > 262 && head[257..].StartsWith("ustar"u8);
    }

    private static byte[] ReadAll(Stream stream, ReadOnlySpan<byte> head)
    {
        using var all = new MemoryStream();
        all.Write(head);
        var buffer = new byte[64 * 1024];
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            all.Write(buffer.AsSpan(0, count));
            if (all.Length > MaxDockerfileBytes) throw Unprepared($"the Dockerfile is larger than {MaxDockerfileBytes} bytes");
        }

        return all.ToArray();
    }

    private static CliException Unprepared(string reason) => new($"unable to prepare context: {reason}");
}
