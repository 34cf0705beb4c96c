using Sampan.Build.Files;
using Sampan.Build.Progress;
using Sampan.Build.Steps;
using Sampan.Dockerfile.Instructions;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build.Sources;

/// <summary>
/// The URLs of one ADD: (1) what they hold now, for the step's key, by as little traffic as will do: a checksum or a commit's name says
/// it all, a branch's commit and an unchanged ETag need one short answer; (2) their files, when the cache does not have the step.
/// </summary>
internal sealed class RemoteSources(StepContext context, AddInstruction instruction) : IDisposable
{
    private readonly StepContext _context = context;
    private readonly List<Remote> _remotes = [];
    private readonly SourceLimits _limits = SourceLimits.Default;

    public static bool IsRemote(string source) => RemoteUrl.IsHttp(source) || GitUrl.TryParse(source) is not null;

    /// <summary>Finds out what the URLs among the sources hold, and gives it as parts of the key.</summary>
    /// <exception cref="BuildException">A server cannot be reached, or what it has is not what the checksum says.</exception>
    public async Task<IReadOnlyList<CacheKeyPart>> ResolveAsync(IReadOnlyList<string> sources, string? checksum, CancellationToken cancel)
    {
        var remote = sources.Where(IsRemote).ToList();
        if (checksum is not null && (remote.Count != 1 || sources.Count != 1))
        {
            throw new BuildException(BuildErrorKind.InvalidInput, remote.Count == 0
                ? "checksum can't be specified for local sources" : "checksum can't be specified for multiple sources");
        }

        foreach (var source in remote)
        {
            var git = GitUrl.TryParse(source);
            Remote found = git is not null
                ? new GitRemote(source, git with { Checksum = checksum ?? git.Checksum }, git.KeepGitDir ?? instruction.KeepGitDir)
                : new HttpRemote(source, checksum);
            _remotes.Add(found);
            await found.ResolveAsync(this, cancel);
        }

        return [.. _remotes.Select(r => new CacheKeyPart($"url {RemoteUrl.Redact(r.Source)}", r.Identity!))];
    }

    /// <summary>Fetches what is not there yet; each source's file or directory.</summary>
    public async Task<IReadOnlyDictionary<string, MergedNode>> FetchAsync(CancellationToken cancel)
    {
        var nodes = new Dictionary<string, MergedNode>();
        foreach (var remote in _remotes)
        {
            nodes[remote.Source] = await remote.FetchAsync(this, cancel);
        }

        return nodes;
    }

    public void Dispose() => _remotes.ForEach(remote => remote.Directory?.Dispose());

    private TempDirectory NewDirectory() => TempDirectory.Create(_context.Session.Store.DataRoot, "remote");

    private abstract class Remote(string source)
    {
        public string Source { get; } = source;

        /// <summary>What the source holds, in one word.</summary>
        public string? Identity { get; protected set; }

        public TempDirectory? Directory { get; protected set; }

        public abstract Task ResolveAsync(RemoteSources owner, CancellationToken cancel);

        public abstract Task<MergedNode> FetchAsync(RemoteSources owner, CancellationToken cancel);
    }

    private sealed class GitRemote(string source, GitUrl url, bool keepGitDir) : Remote(source)
    {
        private string? _commit;
        private GitSource? _git;

        public override async Task ResolveAsync(RemoteSources owner, CancellationToken cancel)
        {
            Directory = owner.NewDirectory();
            _git = new(url, keepGitDir, await owner._context.Session.Request.AgentAsync("default", cancel), owner._limits);
            _commit = await _git.ResolveAsync(Directory.Make("home", 0x1C0), cancel);
            if (_commit is null)
            {
                await CheckOutAsync(cancel);
            }

            Identity = $"commit {_commit} {url.SubDirectory} {(keepGitDir ? "with .git" : "")}".Trim();
        }

        public override async Task<MergedNode> FetchAsync(RemoteSources owner, CancellationToken cancel)
        {
            if (!System.IO.Directory.Exists(Tree))
            {
                await CheckOutAsync(cancel);
            }

            return new MergedView([Tree]).Resolve(url.SubDirectory).Node is { Stat.IsDirectory: true } node ? node
                : throw new BuildException(
                BuildErrorKind.InvalidInput, $"git repository '{url.Display}' has no directory '{url.SubDirectory}' at {_commit}");
        }

        private string Tree => Path.Combine(Directory!.Path, "tree");

        private async Task CheckOutAsync(CancellationToken cancel) =>
            _commit = await _git!.CheckOutAsync(_commit, Path.Combine(Directory!.Path, "home"), Directory.Make("tree", 0x1ED), cancel);
    }

    private sealed class HttpRemote(string source, string? checksum) : Remote(source)
    {
        private HttpFile? _file;
        private string? _path;

        public override async Task ResolveAsync(RemoteSources owner, CancellationToken cancel)
        {
            if (checksum is not null)
            {
                Identity = Expected.ToString();
                return;
            }

            // What it was the last time, when the server still says that it is the same.
            var store = owner._context.Session.Store;
            CacheKeyPart[] parts = [new("url", Source)];
            var before = owner._context.Session.Request.NoCache ? null : store.BuildCache.Get(BuildCache.KeyOf(parts))?.State?.Split('\n');
            var file = await DownloadAsync(owner, before?[0], cancel);
            if (file is null)
            {
                Identity = $"{before![1]} {before[2]}";
                return;
            }

            Identity = $"{file.Digest} {file.FileName}";
            if (file.ETag is { } etag)
            {
                store.BuildCache.Put(new()
                {
                    Key = BuildCache.KeyOf(parts),
                    State = $"{etag}\n{file.Digest}\n{file.FileName}",
                    Description = $"ETag of {RemoteUrl.Redact(Source)}",
                    Created = DateTimeOffset.UtcNow,
                });
            }
        }

        public override async Task<MergedNode> FetchAsync(RemoteSources owner, CancellationToken cancel)
        {
            var file = _file ?? (await DownloadAsync(owner, null, cancel))!;
            if (checksum is not null && file.Digest != Expected)
            {
                throw new BuildException(
                    BuildErrorKind.InvalidInput,
                    $"digest mismatch of '{RemoteUrl.Redact(Source)}': it is {file.Digest}, expected {Expected}");
            }

            // The planner takes the last part of a destination that is no directory, so only a directory needs the name.
            var name = file.FileName.Length > 0 ? file.FileName : "unnamed";
            var place = Path.Combine(Directory!.Path, "named", name);
            System.IO.Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            File.Move(_path!, place, overwrite: true);
            _path = place;
            if (file.FileName.Length == 0 && owner.IntoDirectory)
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"cannot determine filename from url: {RemoteUrl.Redact(Source)}");
            }

            return new MergedView([Path.GetDirectoryName(place)!]).Resolve(name).Node!;
        }

        private Digest Expected => Digest.TryParse(checksum, out var digest) && digest.Algorithm == "sha256" ? digest
            : throw new BuildException(BuildErrorKind.InvalidInput,
                $"invalid checksum '{checksum}': it must be sha256: and 64 hexadecimal digits");

        private async Task<HttpFile?> DownloadAsync(RemoteSources owner, string? etag, CancellationToken cancel)
        {
            Directory ??= owner.NewDirectory();
            _path = Path.Combine(Directory.Path, "download");
            var reported = 0L;
            return _file = await HttpSource.FetchAsync(Source, etag, _path, owner._limits, Progress, cancel);

            void Progress(long bytes, long total)
            {
                var now = System.Environment.TickCount64;
                if (bytes == total || now - reported >= 100)
                {
                    reported = now;
                    owner._context.Session.Report(new StepProgress(owner._context.Step, "Downloading", bytes, total));
                }
            }
        }
    }

    /// <summary>The destination is a directory, so that a file needs a name of its own.</summary>
    public bool IntoDirectory { get; set; }
}
