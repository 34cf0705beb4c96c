using System.Text;
using Sampan.Build.Files;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Ignore;
using Sampan.Linux;

namespace Sampan.Build.Steps;

/// <summary>COPY or ADD with everything expanded.</summary>
internal sealed record TransferRequest
{
    /// <summary>COPY or ADD, for messages.</summary>
    public required string Keyword { get; init; }

    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>Files given in the Dockerfile.</summary>
    public IReadOnlyList<(string Name, string Content)> Inline { get; init; } = [];

    public required string Destination { get; init; }

    public required string WorkingDirectory { get; init; }

    public string? Chown { get; init; }

    public string? Chmod { get; init; }

    public IReadOnlyList<string> Exclude { get; init; } = [];

    public bool Parents { get; init; }

    /// <summary>The source is the context, not a stage or image.</summary>
    public bool FromContext { get; init; } = true;

    /// <summary>What the context's ignore file leaves out.</summary>
    public IgnoreMatcher Ignore { get; init; } = IgnoreMatcher.None;

    /// <summary>Local archives are unpacked (ADD).</summary>
    public bool Unpack { get; init; }

    /// <summary>What the URLs among the sources are (ADD): downloaded files, and directories of repositories.</summary>
    public IReadOnlyDictionary<string, MergedNode> Remote { get; init; } = new Dictionary<string, MergedNode>();

    /// <summary>Downloaded archives are unpacked, too.</summary>
    public bool UnpackRemote { get; init; }
}

/// <summary>Works out what COPY and ADD put where, after the Dockerfile reference's rules. Writes nothing.</summary>
internal sealed class TransferPlanner
{
    private readonly TransferRequest _request;
    private readonly MergedView _source;
    private readonly MergedView _target;
    private readonly (uint Uid, uint Gid) _owner;
    private readonly ModeChange? _mode;
    private readonly IgnoreMatcher _exclude;
    private readonly Func<MergedNode, MergedView?> _unpack;
    private readonly Dictionary<string, TransferItem> _items = [];
    private readonly List<string> _order = [];

    private TransferPlanner(TransferRequest request, MergedView source, MergedView target, Func<MergedNode, MergedView?> unpack)
    {
        _request = request;
        _source = source;
        _target = target;
        _unpack = unpack;
        _owner = request.Chown is null ? (0, 0) : Ownership.Parse(request.Chown, target);
        _mode = request.Chmod is null ? null : ModeChange.Parse(request.Chmod);
        _exclude = request.Exclude.Count == 0 ? IgnoreMatcher.None : IgnoreMatcher.Parse(string.Join('\n', request.Exclude), "--exclude");
    }

    /// <summary>Works it out.</summary>
    /// <param name="source">Where the sources are.</param>
    /// <param name="target">The stage's files so far.</param>
    /// <param name="unpack">Unpacks a file that is an archive; null when it is none.</param>
    /// <exception cref="BuildException">A source is missing.</exception>
    /// <exception cref="FormatException">A flag's value is wrong.</exception>
    /// <exception cref="IOException">A file stands where a directory must be.</exception>
    public static Transfer Plan(TransferRequest request, MergedView source, MergedView target, Func<MergedNode, MergedView?> unpack)
    {
        var planner = new TransferPlanner(request, source, target, unpack);
        planner.Run();
        return new([.. planner._order.Select(path => planner._items[path])], planner._owner, source.Digests);
    }

    private void Run()
    {
        var isDirectory = SaysDirectory(_request.Destination);
        var matches = _request.Sources.SelectMany(Match).ToList();
        if (!isDirectory && (_request.Sources.Count + _request.Inline.Count > 1 || matches.Count > 1))
        {
            throw new BuildException(
                BuildErrorKind.InvalidInput,
                $"When using {_request.Keyword} with more than one source file, the destination must be a directory and end with a /");
        }

        var target = Target(_request, _target);
        var exists = target.Node is { Stat.IsDirectory: true };
        if (isDirectory && target.Node is { Stat.IsDirectory: false })
        {
            throw new IOException($"destination '{target.Path}' is not a directory");
        }

        foreach (var (name, content) in _request.Inline)
        {
            var bytes = Encoding.UTF8.GetBytes(content);
            var path = isDirectory || exists ? Join(target.Path, name) : target.Path;
            Put(new(path, $"<<{name}", null, bytes, new(_mode?.Apply(0x1A4, false) ?? 0x1A4, _owner.Uid, _owner.Gid, default), true));
        }

        foreach (var match in matches)
        {
            Source(match, target.Path, isDirectory || exists);
        }
    }

    /// <summary>True when what is copied keeps its name, in a directory.</summary>
    public static bool IsIntoDirectory(TransferRequest request, MergedView target) =>
        SaysDirectory(request.Destination) || Target(request, target).Node is { Stat.IsDirectory: true };

    private static bool SaysDirectory(string written) => written.EndsWith('/') || written is "." or ".."
        || written.EndsWith("/.", StringComparison.Ordinal) || written.EndsWith("/..", StringComparison.Ordinal);

    private static Resolution Target(TransferRequest request, MergedView target) =>
        target.Resolve(request.Destination.StartsWith('/') ? request.Destination : $"{request.WorkingDirectory}/{request.Destination}");

    private void Source(Found match, string destination, bool intoDirectory)
    {
        if (_request.Parents && !match.IsRemote)
        {
            var parent = match.Relative.LastIndexOf('/');
            destination = parent < 0 ? destination : _target.Resolve($"{destination}/{match.Relative[..parent]}").Path;
            intoDirectory = true;
        }

        if (match.Node.Stat.IsDirectory)
        {
            var top = _request.Parents ? Join(destination, Last(match.Relative)) : destination;
            var ignored = match.IsRemote ? IgnoreState.Root : StateOf(match.Node);
            Tree(new(match.Node, top, match.Name, "", Overwrite: false, KeepOwners: false, FromArchive: match.IsRemote), IgnoreState.Root, ignored);
            return;
        }

        if (_exclude.Check(match.Name.TrimStart('/')).IsIgnored || _exclude.Check(Last(match.Name)).IsIgnored)
        {
            return;
        }

        if ((match.IsRemote ? _request.UnpackRemote : _request.Unpack) && match.Node.Stat.IsRegular && _unpack(match.Node) is { Root: { } archive })
        {
            // What an archive says of owners holds unless --chown says something else.
            Tree(
                new(archive, destination, match.Name, "", Overwrite: false, KeepOwners: _request.Chown is null, FromArchive: true),
                IgnoreState.Root, IgnoreState.Root);
            return;
        }

        Put(Item(match.Node, intoDirectory ? Join(destination, Last(match.Name)) : destination, match.Name, overwrite: true, keepOwners: false));
    }

    /// <summary>A directory and everything in it.</summary>
    private void Tree(Branch branch, IgnoreState excluded, IgnoreState ignored)
    {
        var before = _order.Count;
        var top = Item(branch.Directory, branch.Path, branch.Name, branch.Overwrite, branch.KeepOwners);

        // The root of a context or an archive is a directory of ours, whose mode, owner and time mean nothing.
        var isOurs = branch.Directory.Path == "/" && (branch.FromArchive || _request.FromContext);
        Put(!isOurs ? top : top with
        {
            Source = branch.Directory with { IsTimeless = true },
            Attributes = top.Attributes with { Mode = _mode?.Apply(0x1ED, true) ?? 0x1ED, Uid = _owner.Uid, Gid = _owner.Gid },
        });
        foreach (var child in MergedView.List(branch.Directory))
        {
            var last = Last(child.Path);
            var relative = branch.Relative.Length == 0 ? last : $"{branch.Relative}/{last}";
            var childExcluded = _exclude.Rules.Count == 0 ? excluded : _exclude.Enter(relative, excluded);
            var childIgnored = branch.FromArchive || _request.Ignore.Rules.Count == 0 ? ignored : _request.Ignore.Enter(child.Path[1..], ignored);
            if (IsOut(_exclude, childExcluded, child, relative) || IsOut(_request.Ignore, childIgnored, child, child.Path[1..])
                || child.Stat.Type == FileStat.S_IFSOCK)
            {
                continue; // (a socket is of no use to anyone but the process that listens)
            }

            if (child.Stat.IsDirectory)
            {
                Tree(
                    branch with { Directory = child, Path = Join(branch.Path, last), Name = Join(branch.Name, last), Relative = relative, Overwrite = true },
                    childExcluded, childIgnored);
            }
            else
            {
                Put(Item(child, Join(branch.Path, last), Join(branch.Name, last), overwrite: true, branch.KeepOwners));
            }
        }

        // A directory that is left out itself comes along only for what an exception brings back in it.
        if (_order.Count == before + 1 && (excluded.Verdict.IsIgnored || ignored.Verdict.IsIgnored))
        {
            _items.Remove(_order[before]);
            _order.RemoveAt(before);
        }
    }

    private IgnoreState StateOf(MergedNode node)
    {
        var state = IgnoreState.Root;
        var path = node.Path[1..];
        for (var end = path.IndexOf('/'); path.Length > 0; end = path.IndexOf('/', end + 1))
        {
            state = _request.Ignore.Enter(end < 0 ? path : path[..end], state);
            if (end < 0)
            {
                break;
            }
        }

        return state;
    }

    private static bool IsOut(IgnoreMatcher matcher, IgnoreState state, MergedNode node, string path) =>
        state.Verdict.IsIgnored && !(node.Stat.IsDirectory && !matcher.CanSkip(path));

    private bool IsIgnored(MergedNode node) =>
        _request.Ignore.Rules.Count > 0 && node.Path != "/" && IsOut(_request.Ignore, StateOf(node), node, node.Path[1..]);

    private TransferItem Item(MergedNode node, string path, string name, bool overwrite, bool keepOwners)
    {
        var stat = node.Stat;
        var mode = stat.IsSymlink ? stat.Permissions : _mode?.Apply(stat.Permissions, stat.IsDirectory) ?? stat.Permissions;
        var (uid, gid) = keepOwners ? (stat.Uid, stat.Gid) : _owner;
        return new(path, name, node, default, new(mode, uid, gid, stat.Modified), overwrite);
    }

    private void Put(TransferItem item)
    {
        if (_items.TryGetValue(item.Path, out var earlier))
        {
            if (earlier.IsDirectory != item.IsDirectory)
            {
                throw new IOException($"sources '{earlier.Name}' and '{item.Name}' are a file and a directory of one name, '{item.Path}'");
            }

            // The last one wins, in the place of the first. Between directories only one that overwrites does.
            _items[item.Path] = item.IsDirectory && !item.Overwrite ? earlier : item;
            return;
        }

        _items[item.Path] = item;
        _order.Add(item.Path);
    }

    private IEnumerable<Found> Match(string source)
    {
        if (_request.Remote.TryGetValue(source, out var remote))
        {
            yield return new(remote.Path[1..], remote.Path[1..], remote, IsRemote: true);
            yield break;
        }

        var pivot = source.IndexOf("/./", StringComparison.Ordinal);
        var path = Clean(source);
        var prefix = _request.Parents && pivot >= 0 ? Clean(source[..pivot]).Length + 1 : 0;
        IReadOnlyList<string> names = !PathPattern.HasWildcards(path) ? [path.Replace("\\", "")]
            : [.. Glob.Expand(_source, path, anyDepth: _request.Parents).Where(name => _source.Resolve(name).Node is not { } node || !IsIgnored(node))];
        if (names.Count == 0)
        {
            throw Missing(source, "no source files were specified");
        }

        foreach (var name in names)
        {
            var node = _source.Resolve(name).Node is { } found && !IsIgnored(found) ? found
                : throw Missing(source, _request.FromContext
                    ? $"file not found in build context or excluded by .dockerignore: stat {name}: file does not exist{Meant(name)}"
                    : $"stat {name}: file does not exist{Meant(name)}");
            yield return new(name.Length == 0 ? "." : name, name[Math.Min(prefix, name.Length)..], node);
        }
    }

    /// <summary>A file of nearly this name in the same directory. One of this very name is left out, or leads nowhere.</summary>
    private string Meant(string name)
    {
        var directory = _source.Resolve(name[..Math.Max(0, name.LastIndexOf('/'))]).Node;
        var files = directory is { Stat.IsDirectory: true } ? MergedView.List(directory).ToList() : [];
        return files.Exists(file => Last(file.Path) == Last(name)) ? ""
            : Suggestion.For(Last(name), files.Where(file => !IsIgnored(file)).Select(file => Last(file.Path)));
    }

    /// <summary>Takes out <c>.</c> and <c>..</c>; nothing leads above the root. Relative to the root, without a slash in front.</summary>
    private static string Clean(string path)
    {
        List<string> names = [];
        foreach (var name in path.Split('/'))
        {
            if (name == "..")
            {
                names.RemoveRange(Math.Max(0, names.Count - 1), Math.Min(1, names.Count));
            }
            else if (name is not ("" or "."))
            {
                names.Add(name);
            }
        }

        return string.Join('/', names);
    }

    private BuildException Missing(string source, string reason) =>
        new(BuildErrorKind.InvalidInput, source.Length == 0 ? $"{_request.Keyword} failed: empty source" : $"{_request.Keyword} failed: {reason}");

    private static string Join(string directory, string name) => directory.EndsWith('/') ? directory + name : $"{directory}/{name}";

    private static string Last(string path) => path[(path.LastIndexOf('/') + 1)..];

    /// <summary>A directory on its way.</summary>
    /// <param name="Relative">Its path below the source that was named.</param>
    private sealed record Branch(
        MergedNode Directory, string Path, string Name, string Relative, bool Overwrite, bool KeepOwners, bool FromArchive);

    /// <summary>A source that was found.</summary>
    /// <param name="Name">Path in the source.</param>
    /// <param name="Relative">The part that <c>--parents</c> keeps.</param>
    /// <param name="IsRemote">It is no part of the context, whose ignore file therefore says nothing of it.</param>
    private sealed record Found(string Name, string Relative, MergedNode Node, bool IsRemote = false);
}
