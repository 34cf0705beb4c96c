using System.Security.Cryptography;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>Removes a directory with everything in it: no recursion on the stack, no path longer than a name, no symlink followed.</summary>
public static class TreeRemover
{
    /// <summary>
    /// Takes a directory out of sight at once: into <c>tmp</c> of the data root, where the next daemon finds it when this one is killed. Gives
    /// the path at which it is to be removed.
    /// </summary>
    internal static string MoveAside(string path, string dataRoot)
    {
        var tmp = Directory.CreateDirectory(Path.Combine(dataRoot, "tmp")).FullName;
        var trash = Path.Combine(tmp, "trash-" + RandomNumberGenerator.GetHexString(16, lowercase: true));
        Directory.Move(path, trash);
        return trash;
    }

    /// <summary>Nothing happens when it is not there.</summary>
    public static void Remove(string path)
    {
        var errno = Sys.TryOpenAt(Sys.AT_FDCWD, Bytes.FromText(Path.GetDirectoryName(path)!), Sys.O_RDONLY | Sys.O_DIRECTORY, 0, out var parent);
        if (errno == Errno.ENOENT)
        {
            return;
        }

        if (errno != 0)
        {
            throw new SyscallException("open", $"'{path}'", errno);
        }

        try
        {
            Remove(parent, Bytes.FromText(Path.GetFileName(path)));
        }
        finally
        {
            Sys.Close(parent);
        }
    }

    /// <summary>Removes a name in an open directory, whatever it is.</summary>
    public static void Remove(int parent, ReadOnlySpan<byte> name)
    {
        var errno = Sys.TryUnlinkAt(parent, name);
        if (errno is 0 or Errno.ENOENT)
        {
            return;
        }

        if (errno != Errno.EISDIR)
        {
            throw new SyscallException("unlinkat", $"'{Bytes.ToText(name)}'", errno);
        }

        RemoveDirectory(parent, name);
    }

    private static void RemoveDirectory(int parent, ReadOnlySpan<byte> name)
    {
        // A directory found inside is moved up beside its parent's name and emptied in its turn: depth costs neither stack nor descriptors.
        var work = new Queue<byte[]>();
        var first = Open(parent, name);
        try
        {
            Empty(first, first, work);
            while (work.TryDequeue(out var next))
            {
                var fd = Open(first, next);
                try
                {
                    Empty(fd, first, work);
                }
                finally
                {
                    Sys.Close(fd);
                }

                Check(Sys.TryUnlinkAt(first, next, Sys.AT_REMOVEDIR), next);
            }
        }
        finally
        {
            Sys.Close(first);
        }

        Check(Sys.TryUnlinkAt(parent, name, Sys.AT_REMOVEDIR), name);
    }

    private static void Empty(int fd, int first, Queue<byte[]> work)
    {
        foreach (var child in Sys.ReadDirectory(fd))
        {
            var errno = Sys.TryUnlinkAt(fd, child);
            if (errno == Errno.EISDIR)
            {
                // An empty one goes at once.
                errno = Sys.TryUnlinkAt(fd, child, Sys.AT_REMOVEDIR);
                if (errno is Errno.ENOTEMPTY or Errno.EEXIST)
                {
                    var name = child;
                    if (fd != first)
                    {
                        name = Bytes.FromText($".removed-{Guid.NewGuid():N}");
                        Check(Sys.TryRenameAt(fd, child, first, name), child);
                    }

                    work.Enqueue(name);
                    continue;
                }
            }

            Check(errno, child);
        }
    }

    private static int Open(int parent, ReadOnlySpan<byte> name)
    {
        var errno = Sys.TryOpenAt(parent, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW, 0, out var fd);
        Check(errno, name);
        return fd;
    }

    private static void Check(int errno, ReadOnlySpan<byte> name)
    {
        if (errno is not (0 or Errno.ENOENT))
        {
            throw new SyscallException("remove", $"'{Bytes.ToText(name)}'", errno);
        }
    }
}
