using System.Security.Cryptography;
using Sampan.Linux;

namespace Sampan.Build.Files;

/// <summary>A directory of a build's own below the data root; gone, with whatever is in it, when disposed.</summary>
public sealed class TempDirectory : IDisposable
{
    private TempDirectory(string path) => Path = path;

    public string Path { get; }

    /// <summary>Makes a new directory in <c>ROOT/tmp</c>.</summary>
    public static TempDirectory Create(string root, string purpose)
    {
        var parent = System.IO.Path.Combine(root, "tmp");
        Directory.CreateDirectory(parent);
        var path = System.IO.Path.Combine(parent, $"{purpose}-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
        var errno = Sys.TryMkdirAt(Sys.AT_FDCWD, Bytes.FromText(path), 0x1C0);
        if (errno != 0)
        {
            throw new SyscallException("mkdir", $"'{path}'", errno);
        }

        return new(path);
    }

    /// <summary>Makes a directory in it.</summary>
    internal string Make(string name, uint mode, uint uid = 0, uint gid = 0)
    {
        var path = System.IO.Path.Combine(Path, name);
        var bytes = Bytes.FromText(path);
        var errno = Sys.TryMkdirAt(Sys.AT_FDCWD, bytes, mode);
        if (errno != 0)
        {
            throw new SyscallException("mkdir", $"'{path}'", errno);
        }

        Sys.ChownAt(Sys.AT_FDCWD, bytes, uid, gid);
        Sys.ChmodAt(Sys.AT_FDCWD, bytes, mode); // mkdir's mode suffers the umask
        return path;
    }

    /// <summary>May be called twice.</summary>
    public void Dispose()
    {
        if (Sys.TryOpenAt(Sys.AT_FDCWD, Bytes.FromText(Path), Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW, 0, out var fd) == 0)
        {
            Empty(fd);
            Sys.Close(fd);
            Check(Sys.TryUnlinkAt(Sys.AT_FDCWD, Bytes.FromText(Path), Sys.AT_REMOVEDIR), Path);
        }
    }

    /// <summary>Removes a name below a directory, with whatever is in it; nothing happens when there is none.</summary>
    internal static void Remove(int parent, byte[] name)
    {
        if (Sys.TryUnlinkAt(parent, name) is var errno && errno is Errno.EISDIR or Errno.EPERM)
        {
            var inner = Sys.OpenAt(parent, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
            try
            {
                Empty(inner);
            }
            finally
            {
                Sys.Close(inner);
            }

            errno = Sys.TryUnlinkAt(parent, name, Sys.AT_REMOVEDIR);
        }

        Check(errno, Bytes.ToText(name));
    }

    /// <summary>By descriptors, as paths may be too long for the kernel and a symlink must not lead elsewhere.</summary>
    private static void Empty(int directory)
    {
        foreach (var name in Sys.ReadDirectory(directory))
        {
            Remove(directory, name);
        }
    }

    private static void Check(int errno, string path)
    {
        if (errno is not (0 or Errno.ENOENT))
        {
            throw new SyscallException("unlinkat", $"'{path}'", errno);
        }
    }
}
