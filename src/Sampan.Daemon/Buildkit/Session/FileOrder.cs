namespace Sampan.Daemon.Buildkit.Session;

/// <summary>Checks the paths of a transfer: they come as a walk over a tree gives them, and none leads out of it.</summary>
internal sealed class FileOrder
{
    /// <summary>A path may be this long, as with Linux.</summary>
    private const int MaxPathBytes = 4096;

    private readonly Stack<string> _directories = new([""]);
    private string _last = "";

    /// <exception cref="FormatException">The path is not one of a tree, or not in order, or its directory did not come before it.</exception>
    public void Check(FileEntry entry)
    {
        var path = entry.Path;
        if (path.Length is 0 or > MaxPathBytes || path.Contains('\0') || path.Split('/').Any(part => part is "" or "." or ".."))
        {
            throw new FormatException($"invalid path '{path}' in a transfer of files");
        }

        if (Compare(_last, path) >= 0)
        {
            throw new FormatException($"path '{path}' comes after '{_last}' in a transfer of files");
        }

        var parent = path[..Math.Max(0, path.LastIndexOf('/'))];
        while (_directories.Peek() != parent)
        {
            _directories.Pop();
            if (_directories.Count == 0)
            {
                throw new FormatException($"path '{path}' comes without its directory in a transfer of files");
            }
        }

        if (entry.IsDirectory)
        {
            _directories.Push(path);
        }

        _last = path;
    }

    /// <summary>The order of a walk: a directory's files come right after it, so that a slash comes before any letter.</summary>
    public static int Compare(string a, string b)
    {
        for (var i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            if (a[i] != b[i])
            {
                return a[i] == '/' ? -1 : b[i] == '/' ? 1 : a[i] - b[i];
            }
        }

        return a.Length - b.Length;
    }
}
