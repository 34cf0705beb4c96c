using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>In the child, in the new root: paths that are hidden or made read-only (config-linux.md, Masked and Readonly Paths).</summary>
internal static class SealedPaths
{
    private static readonly CString Empty = CString.Of(""), DevNull = CString.Of("/dev/null"), Tmpfs = CString.Of("tmpfs"), Size = CString.Of("size"), Zero = CString.Of("0");

    /// <summary>A path that does not exist needs no seal.</summary>
    private static bool IsAbsent(int result) => result is -Errno.ENOENT or -Errno.ENOTDIR;

    public static int MakeReadonly(CString path)
    {
        var mount = Raw.OpenTree(Raw.AT_FDCWD, path, true);
        if (mount < 0)
        {
            return IsAbsent(mount) ? 0 : mount;
        }

        var result = Raw.MountSetattr(mount, Empty, true, Raw.MOUNT_ATTR_RDONLY, 0, 0);
        var target = result < 0 ? result : Raw.Openat2(Raw.AT_FDCWD, path, Raw.O_PATH | Raw.O_CLOEXEC, 0, 0);
        return Attach(mount, target);
    }

    /// <summary>Hides a directory under an empty read-only one, anything else under /dev/null.</summary>
    public static int Mask(CString path)
    {
        var target = Raw.Openat2(Raw.AT_FDCWD, path, Raw.O_PATH | Raw.O_CLOEXEC, 0, 0);
        if (target < 0)
        {
            return IsAbsent(target) ? 0 : target;
        }

        var result = Raw.Stat(target, out var mode, out _, out _);
        var mount = result < 0 ? result : (mode & Raw.S_IFMT) == Raw.S_IFDIR ? EmptyDirectory() : NullDevice();
        if (mount < 0)
        {
            Raw.Close(target);
            return mount;
        }

        return Attach(mount, target);
    }

    /// <summary>The mount point itself, sealed in place.</summary>
    public static int Seal(int root, TargetPath path)
    {
        var fd = path.Open(root, false);
        var result = fd < 0 ? fd : Raw.MountSetattr(fd, Empty, false, Raw.MOUNT_ATTR_RDONLY, 0, 0);
        Raw.Close(fd);
        return result;
    }

    private static int EmptyDirectory()
    {
        var fs = Raw.Fsopen(Tmpfs);
        var result = fs < 0 ? fs : Raw.FsconfigSet(fs, Size, Zero);
        result = result < 0 ? result : Raw.FsconfigCreate(fs);
        var mount = result < 0 ? result : Raw.Fsmount(fs, Raw.MOUNT_ATTR_RDONLY);
        Raw.Close(fs);
        return mount;
    }

    /// <summary>
    /// A copy of /dev/null's mount, after a look at what it is: were it anything that the image or another container put there, that would
    /// lie open under the masked path (CVE-2025-31133).
    /// </summary>
    private static int NullDevice()
    {
        var fd = Raw.Openat2(Raw.AT_FDCWD, DevNull, Raw.O_PATH | Raw.O_NOFOLLOW | Raw.O_CLOEXEC, 0, 0);
        if (fd < 0)
        {
            return fd;
        }

        var result = Raw.Stat(fd, out var mode, out var major, out var minor);
        result = result < 0 ? result : (mode & Raw.S_IFMT) == Raw.S_IFCHR && major == 1 && minor == 3 ? Raw.OpenTree(fd, Empty, false) : -Errno.ENODEV;
        Raw.Close(fd);
        return result;
    }

    private static int Attach(int mount, int target)
    {
        var result = target < 0 ? target : Raw.MoveMount(mount, Empty, target);
        Raw.Close(target);
        Raw.Close(mount);
        return result;
    }
}
