using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// A path below the container's root that the child opens, and makes when absent. Each prefix is resolved with RESOLVE_IN_ROOT, so that
/// no symlink in the image leads out of it.
/// </summary>
internal readonly struct TargetPath
{
    private static readonly CString Here = CString.Of(".");

    private readonly CString[] _prefixes;
    private readonly CString[] _names;

    public TargetPath(string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        _prefixes = new CString[parts.Length];
        _names = new CString[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            _prefixes[i] = CString.Of(string.Join('/', parts.Take(i + 1)));
            _names[i] = CString.Of(parts[i]);
        }
    }

    public CString Name => _names[^1];

    /// <summary>An O_PATH descriptor of the path itself, or a negated errno.</summary>
    public int Open(int root, bool makeFile) => Open(root, _prefixes.Length, makeFile);

    /// <summary>An O_PATH descriptor of the directory that holds the path.</summary>
    public int OpenParent(int root) => Open(root, _prefixes.Length - 1, false);

    private int Open(int root, int count, bool makeFile)
    {
        var current = Raw.Openat2(root, Here, Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, Raw.RESOLVE_IN_ROOT);
        for (var i = 0; i < count && current >= 0; i++)
        {
            var next = Raw.Openat2(root, _prefixes[i], Raw.O_PATH | Raw.O_CLOEXEC, 0, Raw.RESOLVE_IN_ROOT);
            if (next == -Errno.ENOENT)
            {
                next = Make(current, _names[i], makeFile && i == count - 1);
                next = next < 0 ? next : Raw.Openat2(root, _prefixes[i], Raw.O_PATH | Raw.O_CLOEXEC, 0, Raw.RESOLVE_IN_ROOT);
            }

            Raw.Close(current);
            current = next;
        }

        return current;
    }

    private static int Make(int parent, CString name, bool file)
    {
        if (!file)
        {
            return Raw.Mkdirat(parent, name, 0x1ED); // 0755
        }

        var fd = Raw.Openat2(parent, name, Raw.O_WRONLY | Raw.O_CREAT | Raw.O_EXCL | Raw.O_NOFOLLOW | Raw.O_CLOEXEC, 0x1A4, Raw.RESOLVE_IN_ROOT); // 0644
        return fd < 0 ? fd : Raw.Close(fd);
    }
}
