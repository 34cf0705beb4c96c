using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>The nodes and links in the container's /dev (config-linux.md, Default Devices; runtime-linux.md, Dev symbolic links).</summary>
internal sealed class DevicePlan
{
    private static readonly CString Empty = CString.Of("");

    private static readonly (CString Target, TargetPath Path)[] Links =
    [
        (CString.Of("/proc/self/fd"), new TargetPath("/dev/fd")), (CString.Of("/proc/self/fd/0"), new TargetPath("/dev/stdin")),
        (CString.Of("/proc/self/fd/1"), new TargetPath("/dev/stdout")), (CString.Of("/proc/self/fd/2"), new TargetPath("/dev/stderr")),
        (CString.Of("pts/ptmx"), new TargetPath("/dev/ptmx")), (CString.Of("/proc/kcore"), new TargetPath("/dev/core")),
    ];

    private readonly record struct Node(TargetPath Path, CString HostPath, uint Mode, ulong Device, uint Uid, uint Gid);

    private readonly Node[] _nodes;
    private readonly IReadOnlyList<string> _names;

    /// <summary>The spec's devices and those that every container has.</summary>
    public DevicePlan(IReadOnlyList<Device> devices)
    {
        List<Device> all = [.. DockerDefaults.Devices.Where(d => devices.All(o => o.Path != d.Path)), .. devices];
        _nodes = [.. all.Select(NodeOf)];
        _names = [.. all.Select(d => d.Path)];
    }

    public string NameOf(int index) => _names[index];

    /// <summary>In the child: 0, or a negated errno and the index of the device.</summary>
    public int Apply(int root, out int index)
    {
        for (index = 0; index < _nodes.Length; index++)
        {
            var result = Make(root, _nodes[index]);
            if (result < 0)
            {
                return result;
            }
        }

        foreach (var (target, path) in Links)
        {
            var parent = path.OpenParent(root);
            if (parent < 0)
            {
                return parent;
            }

            // An image whose /dev is not mounted over may have them already; then they are the image's.
            Raw.Symlinkat(target, parent, path.Name);
            Raw.Close(parent);
        }

        return 0;
    }

    private static int Make(int root, Node node)
    {
        var parent = node.Path.OpenParent(root);
        if (parent < 0)
        {
            return parent;
        }

        var result = Raw.Mknodat(parent, node.Path.Name, node.Mode, node.Device);
        if (result == 0 && (node.Uid | node.Gid) != 0)
        {
            result = Raw.Fchownat(parent, node.Path.Name, node.Uid, node.Gid, Raw.AT_SYMLINK_NOFOLLOW);
        }

        Raw.Close(parent);
        return result switch
        {
            -Errno.EEXIST => 0,
            -Errno.EPERM => Bind(root, node), // no CAP_MKNOD, as inside of another container: the host's own node is lent
            _ => result,
        };
    }

    private static int Bind(int root, Node node)
    {
        var mount = Raw.OpenTree(Raw.AT_FDCWD, node.HostPath, false);
        var target = mount < 0 ? mount : node.Path.Open(root, makeFile: true);
        var result = target < 0 ? target : Raw.MoveMount(mount, Empty, target);
        Raw.Close(target);
        Raw.Close(mount);
        return result;
    }

    private static Node NodeOf(Device device)
    {
        var type = device.Type switch
        {
            "c" or "u" => Raw.S_IFCHR,
            "b" => Raw.S_IFBLK,
            "p" => Raw.S_IFIFO,
            _ => throw new ArgumentException($"device {device.Path}: unknown type \"{device.Type}\""),
        };

        // The kernel's dev_t for user space: minor's low byte, major, the rest of minor (linux/kdev_t.h, new_encode_dev).
        var number = (ulong)((device.Minor & 0xff) | (device.Major & 0xfff) << 8 | (device.Minor & ~0xffL) << 12);
        return new Node(new TargetPath(device.Path), CString.Of(device.Path), type | ((device.FileMode ?? 0x1B6) & 0xfff), number, device.Uid ?? 0, device.Gid ?? 0);
    }
}
