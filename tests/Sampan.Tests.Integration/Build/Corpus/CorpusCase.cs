using Sampan.Tests.Integration.Kit;

namespace Sampan.Tests.Integration.Build.Corpus;

/// <summary>
/// A Dockerfile with its context and what it must build, from the files <c>*.txt</c> beside this one:
/// <code>
/// === name              begins a case; "sampan" after it: the classic builder of Docker 20.10 cannot build it, "options": its command line has not
///                       all flags, and buildah's other ones
/// -- build --target x   flags of build
/// -- Dockerfile         lines up to the next "-- "
/// -- file path 755      a file of the context with its mode (644 where none is given); the last line's end is left out with "-n"
/// -- xattr path name 0x… an extended attribute of the file before it
/// -- link path target   a symlink of the context
/// -- tar.gz path        an archive of the context, compressed by its name, that holds the files "name=content" of the lines below
/// -- site file path     a file, or any of the above, below a web server: {site} is its URL; {here} is the context's directory
/// -- site git path      a bare repository with a branch "main" of the files "name=content"
/// -- config             the image's configuration: "key: value", only what is not empty
/// -- files              what the image has over busybox: path, type, mode, owner, content or target, extended attributes
/// -- error              the build fails, and says this
/// </code>
/// </summary>
public sealed record CorpusCase(string Name, bool IsSampanOnly, bool NeedsOptions, IReadOnlyList<(string Head, string Body)> Parts)
{
    /// <summary>All cases by name.</summary>
    public static IReadOnlyDictionary<string, CorpusCase> All { get; } = Read();

    /// <summary>A part's lines; null when the case has none of that kind.</summary>
    public string? Part(string head) => Parts.Where(p => p.Head == head).Select(p => p.Body).FirstOrDefault();

    /// <summary>Flags of <c>build</c> for a context that was written to <paramref name="folder"/>.</summary>
    public string Flags(string folder) =>
        Parts.Where(p => p.Head.StartsWith("build ", StringComparison.Ordinal)).Select(p => p.Head[6..].Replace("{here}", folder, StringComparison.Ordinal)).FirstOrDefault() ?? "";

    /// <summary>Some of it comes from a web server.</summary>
    public bool HasSite => Parts.Any(p => p.Head.StartsWith("site", StringComparison.Ordinal));

    /// <summary>The directory of the web server for a context.</summary>
    public static string SiteOf(string folder) => folder + ".site";

    /// <summary>How many of the image's layers are the base's: one of busybox, or none of scratch.</summary>
    public int BaseLayers => Part("Dockerfile")!.Split('\n').Last(l => l.StartsWith("FROM ", StringComparison.Ordinal)).StartsWith("FROM scratch", StringComparison.Ordinal) ? 0 : 1;

    /// <summary>Writes the context.</summary>
    /// <param name="site">The URL of what is in <see cref="SiteOf"/>.</param>
    public async Task WriteAsync(string folder, Machine machine, string site = "")
    {
        Directory.CreateDirectory(folder);
        foreach ((string head, string body) in Parts)
        {
            bool isServed = head.StartsWith("site ", StringComparison.Ordinal);
            string[] words = (isServed ? head[5..] : head).Split(' ');
            string path = Path.Combine(isServed ? SiteOf(folder) : folder, words.Length > 1 ? words[1] : words[0]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            switch (words[0])
            {
                case "Dockerfile":
                    await File.WriteAllTextAsync(path, body.Replace("{site}", site, StringComparison.Ordinal));
                    break;
                case "git":
                    await RepositoryAsync(path, body, machine);
                    break;
                case "file":
                    await File.WriteAllTextAsync(path, words.Contains("-n") ? body.TrimEnd('\n') : body);
                    File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(words.Length > 2 && words[2] != "-n" ? words[2] : "644", 8));
                    break;
                case "xattr":
                    (await machine.ShellAsync($"setfattr -n {words[2]} -v {words[3]} {path}")).Succeeds();
                    break;
                case "link":
                    File.CreateSymbolicLink(path, words[2]);
                    break;
                case "tar" or "tar.gz" or "tar.bz2" or "tar.xz" or "tar.zst":
                    await ArchiveAsync(path, words[0], body, machine);
                    break;
            }
        }
    }

    private static async Task ArchiveAsync(string path, string kind, string body, Machine machine)
    {
        string inside = await FilesAsync(path + ".inside", body);
        (await machine.ShellAsync($"cd {inside} && tar --owner=7 --group=8 --mode=u=rwX,go=rX -caf ../x.{kind} * && cd .. && rm -r {inside} && mv x.{kind} {path}")).Succeeds();
    }

    private static async Task RepositoryAsync(string path, string body, Machine machine)
    {
        string inside = await FilesAsync(path + ".inside", body);
        (await machine.ShellAsync($"""
            cd {inside} && export GIT_CONFIG_GLOBAL=/dev/null && git init -q -b main . && git config user.email a@b && git config user.name a
            git add . && git commit -qm 1 && git clone -q --bare . {path} && git -C {path} update-server-info && rm -r {inside}
            """)).Succeeds();
    }

    private static async Task<string> FilesAsync(string folder, string lines)
    {
        foreach (string[] file in lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=', 2)))
        {
            string path = Path.Combine(folder, file[0]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, file[1]);
        }
        return folder;
    }

    private static Dictionary<string, CorpusCase> Read()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Build", "Corpus");
        var cases = new Dictionary<string, CorpusCase>();
        foreach (string file in Directory.GetFiles(folder, "*.txt").Order(StringComparer.Ordinal))
        {
            foreach (string text in ("\n" + File.ReadAllText(file)).Split("\n=== ").Skip(1))
            {
                string[] sections = text.TrimEnd('\n').Split("\n-- ");
                string[] title = sections[0].Split('\n')[0].Split(' ');
                var parts = sections.Skip(1).Select(s => s.Split('\n', 2)).Select(s => (s[0], s.Length > 1 && s[1].Length > 0 ? s[1] + "\n" : "")).ToList();
                cases.Add(title[0], new(title[0], title.Contains("sampan"), title.Contains("options"), parts));
            }
        }
        return cases;
    }
}
