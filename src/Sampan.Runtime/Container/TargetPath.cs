using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>A path below the container's root that the child opens, and makes when absent, without ever leaving the root.</summary>
internal readonly struct TargetPath
{
    private readonly CString _path, _parent;
    private readonly ulong _resolve;

    /// <param name="path">Absolute, as in the container.</param>
    /// <param name="resolve">RESOLVE_* beside RESOLVE_IN_ROOT.</param>
    public TargetPath(string path, ulong resolve = 0)
    {
        var trimmed = path.TrimEnd('/');
        var slash = trimmed.LastIndexOf('/');
        _path = CString.Of(trimmed.Length == 0 ? "/" : trimmed);
        _parent = CString.Of(slash <= 0 ? "/" : trimmed[..slash]);
        Name = CString.Of(trimmed[(slash + 1)..]);
        _resolve = resolve;
    }

    /// <summary>The last part of the path.</summary>
    public CString Name { get; }

    /// <summary>An O_PATH descriptor of the path itself, or a negated errno.</summary>
    public int Open(int root, bool makeFile) => RootedPath.OpenOrMake(root, _path, makeFile, _resolve);

    /// <summary>An O_PATH descriptor of the directory that holds the path, or a negated errno.</summary>
    public int OpenParent(int root) => RootedPath.OpenOrMake(root, _parent, false, _resolve);
}
