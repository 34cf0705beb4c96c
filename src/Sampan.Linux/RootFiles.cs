using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>What a name in a layer of an overlay is.</summary>
public enum LayerEntry
{
    None,
    File,
    Directory,

    /// <summary>A directory that hides those of the same name in the layers below (xattr trusted.overlay.opaque).</summary>
    OpaqueDirectory,
    Symlink,

    /// <summary>Hides the name in the layers below (character device 0:0).</summary>
    Whiteout,
}

/// <summary>Reading files below a root that is not to be trusted.</summary>
public static unsafe partial class RootFiles
{
    [LibraryImport("libc", EntryPoint = "lgetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Lgetxattr(string path, string name, byte* value, nuint size);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true)]
    private static partial nint ReadlinkNative(byte* path, byte* buffer, nuint size);

    /// <summary>The bytes of a regular file, symlinks resolved below the root; null when there is no such file.</summary>
    /// <exception cref="SyscallException">It cannot be read, is no regular file, or is longer than the limit (EFBIG).</exception>
    public static byte[]? Read(string root, string path, int maxBytes)
    {
        var directory = Open(Raw.AT_FDCWD, root, Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0);
        if (directory < 0)
        {
            throw new SyscallException("open", $"'{root}'", -directory);
        }

        // O_NONBLOCK: a FIFO in its place must not hold us up.
        var fd = Open(directory, path, Raw.O_RDONLY | Raw.O_NONBLOCK | Raw.O_NOCTTY | Raw.O_CLOEXEC, Raw.RESOLVE_IN_ROOT | Raw.RESOLVE_NO_MAGICLINKS);
        Raw.Close(directory);
        if (fd is -Errno.ENOENT or -Errno.ENOTDIR or -Errno.ELOOP)
        {
            return null;
        }

        try
        {
            var errno = -fd;
            if (fd < 0 || (errno = -Raw.Stat(fd, out var mode, out _, out _)) > 0 || (errno = (mode & Raw.S_IFMT) == 0x8000 ? 0 : Errno.EINVAL) > 0)
            {
                throw new SyscallException("read", $"'{path}' in '{root}'", errno);
            }

            return ReadAll(fd, path, maxBytes);
        }
        finally
        {
            Raw.Close(fd);
        }
    }

    /// <summary>What a path is, itself; its directories must not be symlinks.</summary>
    public static LayerEntry Kind(string path)
    {
        var fd = Open(Raw.AT_FDCWD, path, Raw.O_PATH | Raw.O_NOFOLLOW | Raw.O_CLOEXEC, 0);
        if (fd is -Errno.ENOENT or -Errno.ENOTDIR)
        {
            return LayerEntry.None;
        }

        var result = fd < 0 ? fd : Raw.Stat(fd, out _, out _, out _);
        if (result < 0)
        {
            Raw.Close(fd);
            throw new SyscallException("open", $"'{path}'", -result);
        }

        Raw.Stat(fd, out var mode, out var major, out var minor);
        Raw.Close(fd);
        byte mark;
        return (mode & Raw.S_IFMT) switch
        {
            Raw.S_IFDIR => Lgetxattr(path, "trusted.overlay.opaque", &mark, 1) == 1 && mark == (byte)'y' ? LayerEntry.OpaqueDirectory : LayerEntry.Directory,
            Raw.S_IFLNK => LayerEntry.Symlink,
            Raw.S_IFCHR when (major | minor) == 0 => LayerEntry.Whiteout,
            _ => LayerEntry.File,
        };
    }

    /// <summary>The target of a symlink.</summary>
    public static string ReadLink(string path)
    {
        var buffer = stackalloc byte[4096];
        fixed (byte* name = Terminated(path))
        {
            var length = ReadlinkNative(name, buffer, 4096);
            return length >= 0
                ? Bytes.ToText(new ReadOnlySpan<byte>(buffer, (int)length))
                : throw new SyscallException("readlink", $"'{path}'", Marshal.GetLastPInvokeError());
        }
    }

    private static int Open(int dirfd, string path, int flags, ulong resolve)
    {
        fixed (byte* name = Terminated(path))
        {
            return Raw.Openat2(dirfd, name, flags, 0, resolve);
        }
    }

    private static byte[] Terminated(string path) => [.. Bytes.FromText(path), 0];

    private static byte[] ReadAll(int fd, string path, int maxBytes)
    {
        var all = new MemoryStream();
        var buffer = new byte[16384];
        int read;
        while ((read = Raw.Read(fd, buffer)) > 0)
        {
            all.Write(buffer, 0, read);
            if (all.Length > maxBytes)
            {
                throw new SyscallException("read", $"'{path}'", Errno.EFBIG);
            }
        }

        return read == 0 ? all.ToArray() : throw new SyscallException("read", $"'{path}'", -read);
    }
}
