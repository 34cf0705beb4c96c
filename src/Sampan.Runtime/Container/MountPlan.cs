using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A mount of the spec, worked out before the fork into what the child's system calls take.</summary>
internal sealed class MountPlan
{
    public required string Description { get; init; }

    public TargetPath Target;

    /// <summary>A bind's source; null for a file system.</summary>
    public CString BindSource;

    public bool Recursive;

    /// <summary>The source of a bind is not a directory, so the target is made a file.</summary>
    public bool IsFile;

    public CString FsType;

    public (CString Key, CString Value)[] FsOptions = [];

    public ulong Attributes;

    /// <summary>MS_* propagation of the mount itself; 0 leaves it private.</summary>
    public ulong Propagation;

    /// <summary>Prepares a mount. Sources of binds are looked at now, in the host's view.</summary>
    public static MountPlan Of(Mount mount)
    {
        var attributes = 0UL;
        var propagation = 0UL;
        bool bind = mount.Type == "bind", recursive = false;
        var options = new List<(CString, CString)>();
        foreach (var option in mount.Options ?? [])
        {
            switch (option)
            {
                case "bind": bind = true; break;
                case "rbind": (bind, recursive) = (true, true); break;
                case "ro": attributes |= Raw.MOUNT_ATTR_RDONLY; break;
                case "nosuid": attributes |= Raw.MOUNT_ATTR_NOSUID; break;
                case "nodev": attributes |= Raw.MOUNT_ATTR_NODEV; break;
                case "noexec": attributes |= Raw.MOUNT_ATTR_NOEXEC; break;
                case "noatime": attributes |= Raw.MOUNT_ATTR_NOATIME; break;
                case "strictatime": attributes |= Raw.MOUNT_ATTR_STRICTATIME; break;
                case "nodiratime": attributes |= Raw.MOUNT_ATTR_NODIRATIME; break;
                case "private" or "rprivate": propagation = Raw.MS_PRIVATE; break;
                case "slave" or "rslave": propagation = Raw.MS_SLAVE; break;
                case "shared" or "rshared": propagation = Raw.MS_SHARED; break;
                case "rw" or "suid" or "dev" or "exec" or "relatime" or "atime" or "diratime": break;
                default:
                    var equals = option.IndexOf('=');
                    options.Add(equals < 0
                        ? (CString.Of(option), default)
                        : (CString.Of(option[..equals]), CString.Of(option[(equals + 1)..])));
                    break;
            }
        }

        if (!bind && mount.Source is { Length: > 0 } source)
        {
            options.Add((CString.Of("source"), CString.Of(source)));
        }

        return new MountPlan
        {
            Description = $"'{mount.Source ?? mount.Type}' to '{mount.Destination}'",
            Target = new TargetPath(mount.Destination),
            BindSource = bind ? CString.Of(mount.Source) : default,
            Recursive = recursive,
            IsFile = bind && !Directory.Exists(mount.Source),
            FsType = bind ? default : CString.Of(mount.Type),
            FsOptions = [.. options],
            Attributes = attributes,
            Propagation = propagation,
        };
    }

    /// <summary>In the child: makes the mount below <paramref name="root"/>. 0 or a negated errno.</summary>
    public int Apply(int root, CString empty)
    {
        var mount = BindSource.IsNull ? MakeFileSystem() : Raw.OpenTree(Raw.AT_FDCWD, BindSource, Recursive);
        if (mount < 0)
        {
            return mount;
        }

        var result = 0;
        if (!BindSource.IsNull && (Attributes != 0 || Propagation != 0))
        {
            result = Raw.MountSetattr(mount, empty, Recursive, Attributes, 0, Propagation);
        }
        else if (Propagation != 0)
        {
            result = Raw.MountSetattr(mount, empty, false, 0, 0, Propagation);
        }

        var target = result < 0 ? result : Target.Open(root, IsFile);
        result = target < 0 ? target : Raw.MoveMount(mount, empty, target);
        if (target >= 0)
        {
            Raw.Close(target);
        }

        Raw.Close(mount);
        return result;
    }

    private int MakeFileSystem()
    {
        var fs = Raw.Fsopen(FsType);
        if (fs < 0)
        {
            return fs;
        }

        var result = 0;
        foreach (var (key, value) in FsOptions)
        {
            result = Raw.FsconfigSet(fs, key, value);
            if (result < 0)
            {
                break;
            }
        }

        result = result < 0 ? result : Raw.FsconfigCreate(fs);
        result = result < 0 ? result : Raw.Fsmount(fs, Attributes);
        Raw.Close(fs);
        return result;
    }
}
