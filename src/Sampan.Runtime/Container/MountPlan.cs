using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A mount of the spec, worked out before the fork into what the child's system calls take.</summary>
internal sealed class MountPlan
{
    private static readonly CString Empty = CString.Of("");

    private readonly MountOptions _options;
    private readonly TargetPath _target;

    /// <summary>A bind's source; null for a file system.</summary>
    private readonly CString _bindSource, _type;
    private readonly (CString Key, CString Value)[] _data;

    /// <summary>The source of a bind is not a directory, so the target is made a file.</summary>
    private readonly bool _isFile;

    /// <summary>The detached mount of a bind, in the child.</summary>
    private int _mount = -1;

    /// <summary>Prepares a mount. Sources of binds are looked at now, in the host's view.</summary>
    /// <param name="mount">The mount.</param>
    /// <param name="bundle">What a relative source is relative to.</param>
    public MountPlan(Mount mount, string bundle)
    {
        if (!mount.Destination.StartsWith('/') || mount.Destination.AsSpan().Trim('/').IsEmpty)
        {
            throw new ArgumentException($"mount: the destination \"{mount.Destination}\" is not an absolute path below the root");
        }

        _options = MountOptions.Parse(mount);
        Description = $"'{mount.Source ?? mount.Type}' to '{mount.Destination}'";

        // The kernel's own file systems never go through a symlink of the image: what reads /proc later must find the real one.
        var kernel = mount.Type is "proc" or "sysfs" or "cgroup" or "cgroup2";
        _target = new TargetPath(mount.Destination, kernel ? Raw.RESOLVE_NO_SYMLINKS : 0);
        var source = _options.Bind ? Path.Combine(bundle, mount.Source ?? "") : null;
        _bindSource = CString.Of(source);
        _isFile = _options.Bind && File.Exists(source); // the container's own cgroup, which may be a source, is not there yet
        _type = _options.Bind ? default : CString.Of(mount.Type);
        IEnumerable<(string Key, string? Value)> data = _options.Data;
        if (!_options.Bind && mount.Source is { Length: > 0 } device)
        {
            data = data.Prepend(("source", device));
        }

        _data = [.. data.Select(d => (CString.Of(d.Key), CString.Of(d.Value)))];
    }

    public string Description { get; }

    /// <summary>
    /// In the child, before anything is changed: a detached copy of a bind's source. It must be taken while the mounts still have the
    /// host's propagation, or a bind that is to be shared or slave could not be any more.
    /// </summary>
    public int OpenSource() => _bindSource.IsNull ? 0 : _mount = Raw.OpenTree(Raw.AT_FDCWD, _bindSource, _options.RecursiveBind);

    /// <summary>In the child: makes the mount below <paramref name="root"/>. 0 or a negated errno.</summary>
    /// <param name="root">The container's root.</param>
    /// <param name="propagation">MS_* for a mount that says nothing.</param>
    public int Apply(int root, ulong propagation)
    {
        var mount = _bindSource.IsNull ? MakeFileSystem() : _mount;
        if (mount < 0)
        {
            return mount;
        }

        var result = SetAttributes(mount, propagation);
        var target = result < 0 ? result : _target.Open(root, _isFile);
        result = target < 0 ? target : Raw.MoveMount(mount, Empty, target);
        Raw.Close(target);
        Raw.Close(mount);
        return result;
    }

    private int SetAttributes(int mount, ulong propagation)
    {
        var result = 0;
        if (_options.Bind)
        {
            result = _options.Propagation != 0
                ? Raw.MountSetattr(mount, Empty, _options.RecursivePropagation, 0, 0, _options.Propagation)
                : Raw.MountSetattr(mount, Empty, true, 0, 0, propagation);
            if (result >= 0 && (_options.Set | _options.Clear) != 0)
            {
                result = Raw.MountSetattr(mount, Empty, false, _options.Set, _options.Clear, 0);
            }
        }
        else if (_options.Propagation != 0)
        {
            result = Raw.MountSetattr(mount, Empty, false, 0, 0, _options.Propagation);
        }

        return result >= 0 && (_options.RecursiveSet | _options.RecursiveClear) != 0
            ? Raw.MountSetattr(mount, Empty, true, _options.RecursiveSet, _options.RecursiveClear, 0)
            : result;
    }

    private int MakeFileSystem()
    {
        var fs = Raw.Fsopen(_type);
        if (fs < 0)
        {
            return fs;
        }

        var result = 0;
        foreach (var (key, value) in _data)
        {
            result = Raw.FsconfigSet(fs, key, value);
            if (result < 0)
            {
                break;
            }
        }

        result = result < 0 ? result : Raw.FsconfigCreate(fs);
        result = result < 0 ? result : Raw.Fsmount(fs, _options.Set);
        Raw.Close(fs);
        return result;
    }
}
