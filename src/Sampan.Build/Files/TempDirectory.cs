using System.Security.Cryptography;
using Sampan.Linux;
using Sampan.Store;

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
    public void Dispose() => TreeRemover.Remove(Path);
}
