using Sampan.Linux;

namespace Sampan.Store;

/// <summary>Compares files of two layers that have the same path; no symlink is followed.</summary>
internal static class LensFiles
{
    private const int BufferBytes = 64 * 1024;

    /// <summary>Whether two regular files of one size hold the same bytes.</summary>
    public static bool SameContent(string here, string there, string path, long size)
    {
        var (a, b) = (Open(here, path), Open(there, path));
        try
        {
            var (first, second) = (new byte[BufferBytes], new byte[BufferBytes]);
            for (long offset = 0; offset < size;)
            {
                var n = Fill(a, first, offset);
                if (n == 0 || Fill(b, second, offset) != n || !first.AsSpan(0, n).SequenceEqual(second.AsSpan(0, n)))
                {
                    return false;
                }

                offset += n;
            }

            return true;
        }
        finally
        {
            Sys.Close(a);
            Sys.Close(b);
        }
    }

    /// <summary>Whether two symlinks lead to the same.</summary>
    public static bool SameTarget(string here, string there, string path) => Target(here, path).AsSpan().SequenceEqual(Target(there, path));

    private static int Fill(int fd, byte[] buffer, long offset)
    {
        var length = 0;
        while (length < buffer.Length && Sys.Read(fd, buffer.AsSpan(length), offset + length) is > 0 and var n)
        {
            length += n;
        }

        return length;
    }

    private static byte[] Target(string root, string path)
    {
        var (parent, name) = EntryPath.Split(Bytes.FromText(path[1..]));
        var directory = OpenDirectory(root, parent);
        try
        {
            return Sys.ReadlinkAt(directory, name);
        }
        finally
        {
            Sys.Close(directory);
        }
    }

    private static int Open(string root, string path)
    {
        var (parent, name) = EntryPath.Split(Bytes.FromText(path[1..]));
        var directory = OpenDirectory(root, parent);
        try
        {
            return Sys.OpenAt(directory, name, Sys.O_RDONLY | Sys.O_NOFOLLOW);
        }
        finally
        {
            Sys.Close(directory);
        }
    }

    private static int OpenDirectory(string root, ReadOnlySpan<byte> path)
    {
        var top = Sys.Open(root, Sys.O_RDONLY | Sys.O_DIRECTORY);
        if (path.IsEmpty)
        {
            return top;
        }

        var errno = Sys.TryOpenAt2(top, path, Sys.O_RDONLY | Sys.O_DIRECTORY, 0, Sys.RESOLVE_BENEATH | Sys.RESOLVE_NO_SYMLINKS, out var fd);
        Sys.Close(top);
        return errno == 0 ? fd : throw new SyscallException("openat2", $"'{Bytes.ToText(path)}' in '{root}'", errno);
    }
}
