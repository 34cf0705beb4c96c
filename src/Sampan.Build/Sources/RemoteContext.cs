using Sampan.Build.Files;
using Sampan.Linux;

namespace Sampan.Build.Sources;

/// <summary>
/// A build context on another machine: a git repository (<c>URL#ref:directory</c>), an archive, or a Dockerfile alone. Dispose it after the
/// build.
/// </summary>
public sealed class RemoteContext : IDisposable
{
    private const string DockerfileName = "Dockerfile";
    private readonly TempDirectory _place;

    private RemoteContext(TempDirectory place) => _place = place;

    /// <summary>The context's directory.</summary>
    public required string Directory { get; init; }

    /// <summary>The URL gave no archive: the file is the only one of the context, called <c>Dockerfile</c>.</summary>
    public bool IsDockerfile { get; private init; }

    /// <summary>Fetches a context.</summary>
    /// <param name="sshAgent">The socket of an agent for git over ssh; null for none.</param>
    /// <param name="progress">Gets bytes so far, and in all (0 when unknown).</param>
    /// <exception cref="BuildException">The URL is neither, the server cannot be reached, or there is no such reference or directory.</exception>
    /// <exception cref="Store.StoreException">The archive is damaged, hostile or beyond a limit.</exception>
    public static async Task<RemoteContext> FetchAsync(
        Store.Store store, string url, string? sshAgent, Action<long, long>? progress, CancellationToken cancel)
    {
        var place = TempDirectory.Create(store.DataRoot, "context");
        try
        {
            return GitUrl.TryParse(url, isContext: true) is { } git ? await CloneAsync(place, git, sshAgent, cancel)
                : RemoteUrl.IsHttp(url) ? await DownloadAsync(place, url, store.Layers.Limits, progress, cancel)
                : throw new BuildException(BuildErrorKind.InvalidInput, $"'{RemoteUrl.Redact(url)}' is neither a git repository nor an http URL");
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    public void Dispose() => _place.Dispose();

    private static async Task<RemoteContext> CloneAsync(TempDirectory place, GitUrl url, string? sshAgent, CancellationToken cancel)
    {
        var git = new GitSource(url, url.KeepGitDir ?? false, sshAgent, SourceLimits.Default);
        var home = place.Make("home", 0x1C0);
        var commit = await git.ResolveAsync(home, cancel);
        var tree = place.Make("tree", 0x1ED);
        await git.CheckOutAsync(commit, home, tree, cancel);
        return new MergedView([tree]).Resolve(url.SubDirectory).Node is { Stat.IsDirectory: true } node ? new(place) { Directory = node.RealPath }
            : throw new BuildException(BuildErrorKind.InvalidInput, $"git repository '{url.Display}' has no directory '{url.SubDirectory}'");
    }

    private static async Task<RemoteContext> DownloadAsync(TempDirectory place, string url, Store.ApplyLimits limits, Action<long, long>? progress, CancellationToken cancel)
    {
        var named = place.Make("file", 0x1ED);
        var path = Path.Combine(named, DockerfileName);
        await HttpSource.FetchAsync(url, null, path, SourceLimits.Default, progress, cancel);
        var file = new MergedView([named]).Resolve(DockerfileName).Node!;
        if (!Archive.IsLikely(file))
        {
            Sys.ChmodAt(Sys.AT_FDCWD, Bytes.FromText(path), 0x1A4 /* 0644 */);
            return new(place) { Directory = named, IsDockerfile = true };
        }

        var tree = place.Make("tree", 0x1ED);
        return Archive.Unpack(file, tree, limits, cancel) ? new(place) { Directory = tree } : throw new BuildException(
            BuildErrorKind.InvalidInput, $"what '{RemoteUrl.Redact(url)}' gives is compressed, but no archive");
    }
}
