using System.Collections.Concurrent;
using System.Text;
using Sampan.Build.Context;
using Sampan.Build.Files;
using Sampan.Build.Steps;
using Sampan.Dockerfile.Ignore;
using Sampan.Oci;

namespace Sampan.Build.Sources;

/// <summary>
/// What a name stands for in place of a stage or an image (<c>--build-context name=…</c>): a directory, or another image. One of the two is
/// given.
/// </summary>
public sealed record NamedContext
{
    /// <summary>A directory, absolute.</summary>
    public string? Directory { get; init; }

    /// <summary>The directory is the user's own, see <see cref="BuildRequest.ContextIsLive"/>.</summary>
    public bool IsLive { get; init; }

    /// <summary>An image's name or ID.</summary>
    public string? Image { get; init; }

    /// <summary>
    /// The form in which names are compared: images without the parts that are understood (<c>docker.io/library</c>, <c>:latest</c>), as the
    /// Dockerfile may write them or not; stages in lower case.
    /// </summary>
    public static string Normalize(string name)
    {
        try
        {
            var familiar = ImageReference.Parse(name).FamiliarString;
            return familiar.EndsWith(":latest", StringComparison.Ordinal) ? familiar[..^":latest".Length] : familiar;
        }
        catch (FormatException)
        {
            return name.ToLowerInvariant();
        }
    }
}

/// <summary>A directory of files that a build may use, and what its ignore file leaves out.</summary>
internal sealed record ContextFiles(MergedView View, IgnoreMatcher Ignore, string Directory, bool IsLive)
{
    private const int MaxIgnoreFileBytes = 16 << 20;

    /// <summary>Opens a directory with the ignore file in it.</summary>
    /// <exception cref="Dockerfile.DockerfileException">The ignore file is malformed.</exception>
    public static ContextFiles Open(string directory, bool isLive, FileDigests digests)
    {
        var view = new MergedView([directory], isTimeless: true) { Digests = digests };
        var ignore = view.Resolve(".dockerignore").Node is { Stat.IsRegular: true } file
            ? IgnoreMatcher.Parse(Encoding.UTF8.GetString(MergedView.ReadFile(file, MaxIgnoreFileBytes)), ".dockerignore") : IgnoreMatcher.None;
        return new(view, ignore, directory, isLive);
    }

    /// <summary>What a copy of one of its directories, or of a file, consists of.</summary>
    /// <param name="keyword">For messages.</param>
    public Transfer Plan(string keyword, string source, string destination) => TransferPlanner.Plan(
        new()
        {
            Keyword = keyword,
            Sources = [source.Replace("[", "\\[")],
            Destination = destination,
            WorkingDirectory = "/",
            Ignore = Ignore,
        },
        View, new MergedView([]), _ => null);
}

/// <summary>The named contexts of one build, each opened when it is first used.</summary>
internal sealed class NamedContexts(BuildRequest request, Store.Store store)
{
    private readonly Dictionary<string, NamedContext> _contexts = request.NamedContexts.ToDictionary(c => NamedContext.Normalize(c.Key), c => c.Value);
    private readonly ConcurrentDictionary<string, Lazy<ContextFiles>> _open = new();

    /// <summary>What a name stands for; null when nobody said anything of it.</summary>
    public NamedContext? Find(string name) => _contexts.Count == 0 ? null : _contexts.GetValueOrDefault(NamedContext.Normalize(name));

    /// <summary>The files of a context that is a directory.</summary>
    public ContextFiles Files(NamedContext context) => _open.GetOrAdd(context.Directory!, directory => new(() => ContextFiles.Open(
        directory, context.IsLive, new FileDigests(context.IsLive && !request.HashAlways ? store.FileMemo : null, context.IsLive)))).Value;

    /// <summary>Keeps the digests of what was read for the next build.</summary>
    public void Save()
    {
        foreach (var files in _open.Values.Where(files => files.IsValueCreated))
        {
            files.Value.View.Digests?.Save();
        }
    }
}
