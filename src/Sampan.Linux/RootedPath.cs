namespace Sampan.Linux;

/// <summary>
/// Opens a path below a root, and makes what is missing of it. Every step is resolved by the kernel with RESOLVE_IN_ROOT, so symlinks and
/// <c>..</c> stay inside. A symlink whose target is missing (an image's /etc/resolv.conf, often) has its target made, inside the root.
/// For a forked child: no allocation.
/// </summary>
public static unsafe class RootedPath
{
    private const int PathMax = 4096, MaxLinks = 8;

    private const int Flags = Raw.O_PATH | Raw.O_CLOEXEC;

    /// <summary>An O_PATH descriptor, or a negated errno.</summary>
    /// <param name="root">A descriptor of the root directory.</param>
    /// <param name="path">Relative to the root, with or without a slash in front.</param>
    /// <param name="makeFile">What is missing at the end becomes an empty file, not a directory.</param>
    /// <param name="resolve">RESOLVE_* on top of RESOLVE_IN_ROOT; with RESOLVE_NO_SYMLINKS a symlink is ELOOP.</param>
    public static int OpenOrMake(int root, CString path, bool makeFile, ulong resolve)
    {
        var buffer = stackalloc byte[PathMax];
        var length = path.Span.Length;
        if (length >= PathMax)
        {
            return -Errno.ENAMETOOLONG;
        }

        path.Span.CopyTo(new Span<byte>(buffer, length));
        buffer[length] = 0;
        return Walk(root, buffer, length, makeFile, resolve | Raw.RESOLVE_IN_ROOT, MaxLinks);
    }

    private static int Walk(int root, byte* path, int length, bool makeFile, ulong resolve, int links)
    {
        var whole = Raw.Openat2(root, path, Flags, 0, resolve);
        if (whole != -Errno.ENOENT)
        {
            return whole;
        }

        var slash = stackalloc byte[2] { (byte)'/', 0 };
        var current = Raw.Openat2(root, slash, Flags, 0, resolve);
        for (var i = 0; i < length && current >= 0;)
        {
            if (path[i] == '/')
            {
                i++;
                continue;
            }

            var start = i;
            while (i < length && path[i] != '/')
            {
                i++;
            }

            var saved = path[i];
            path[i] = 0;
            var next = Raw.Openat2(root, path, Flags, 0, resolve);
            if (next == -Errno.ENOENT)
            {
                next = Make(root, current, path, start, makeFile && IsEnd(path, i + 1, length), resolve, links);
            }

            path[i] = saved;
            Raw.Close(current);
            current = next;
        }

        return current;
    }

    private static bool IsEnd(byte* path, int from, int length)
    {
        for (; from < length; from++)
        {
            if (path[from] != '/')
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Makes the last component of a path whose parent is open.</summary>
    private static int Make(int root, int parent, byte* path, int start, bool file, ulong resolve, int links)
    {
        var made = file
            ? Raw.Openat2(parent, path + start, Raw.O_WRONLY | Raw.O_CREAT | Raw.O_EXCL | Raw.O_NOFOLLOW | Raw.O_CLOEXEC, 0x1A4, Raw.RESOLVE_IN_ROOT) // 0644
            : Raw.Mkdirat(parent, path + start, 0x1ED); // 0755
        if (made >= 0)
        {
            if (file)
            {
                Raw.Close(made);
            }

            return Raw.Openat2(root, path, Flags, 0, resolve);
        }

        return made == -Errno.EEXIST ? FollowDangling(root, parent, path, start, file, resolve, links) : made;
    }

    private static int FollowDangling(int root, int parent, byte* path, int start, bool file, ulong resolve, int links)
    {
        if (links == 0 || (resolve & Raw.RESOLVE_NO_SYMLINKS) != 0)
        {
            return -Errno.ELOOP;
        }

        // The target stands where the link stood: after the parent's path, unless it is absolute.
        var target = stackalloc byte[PathMax];
        var length = Raw.Readlinkat(parent, path + start, target, PathMax - 1);
        if (length <= 0)
        {
            return length < 0 ? length : -Errno.ENOENT;
        }

        var before = target[0] == '/' ? 0 : start;
        if (before + length >= PathMax)
        {
            return -Errno.ENAMETOOLONG;
        }

        var joined = stackalloc byte[PathMax];
        new ReadOnlySpan<byte>(path, before).CopyTo(new Span<byte>(joined, PathMax));
        new ReadOnlySpan<byte>(target, length).CopyTo(new Span<byte>(joined + before, PathMax - before));
        joined[before + length] = 0;
        return Walk(root, joined, before + length, file, resolve, links - 1);
    }
}
