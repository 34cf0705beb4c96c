using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>The namespaces of a container: which are made, which are joined. Descriptors of the joined ones are open from the start.</summary>
internal sealed class NamespacePlan
{
    private readonly (int Fd, ulong Flag, string Path)[] _joined;

    public NamespacePlan(IReadOnlyList<Namespace> namespaces)
    {
        var joined = new List<(int, ulong, string)>();
        foreach (var ns in namespaces)
        {
            var flag = FlagOf(ns.Type);
            if (ns.Path is null)
            {
                New |= flag;
                continue;
            }

            var fd = Raw.Openat2(Raw.AT_FDCWD, CString.Of(ns.Path), Raw.O_RDONLY | Raw.O_CLOEXEC, 0, 0);
            if (fd < 0)
            {
                throw new SyscallException("open", $"'{ns.Path}' ({ns.Type} namespace)", -fd);
            }

            if (flag == Raw.CLONE_NEWPID)
            {
                PidNamespaceFd = fd;
            }
            else
            {
                joined.Add((fd, flag, ns.Path));
            }
        }

        if ((New & Raw.CLONE_NEWNS) == 0)
        {
            throw new ArgumentException("namespaces: a container without a mount namespace of its own is not supported");
        }

        _joined = [.. joined];
    }

    /// <summary>CLONE_NEW* of those that are made.</summary>
    public ulong New { get; }

    /// <summary>What clone3 takes: the cgroup namespace is made by the child itself, once it is in its cgroup.</summary>
    public ulong CloneFlags => New & ~Raw.CLONE_NEWCGROUP;

    /// <summary>A pid namespace to be born into; -1 for none. The parent enters it for its children before the fork (setns(2)).</summary>
    public int PidNamespaceFd { get; } = -1;

    /// <summary>True when the container has this namespace (CLONE_NEW*) to itself, made or joined.</summary>
    public bool Has(ulong flag) => (New & flag) != 0 || _joined.Any(j => j.Flag == flag) || (flag == Raw.CLONE_NEWPID && PidNamespaceFd >= 0);

    public string PathOf(int index) => index < _joined.Length ? _joined[index].Path : "cgroup";

    /// <summary>In the child: 0, or a negated errno and the index of the namespace.</summary>
    public int Enter(out int index)
    {
        for (index = 0; index < _joined.Length; index++)
        {
            var result = Raw.Setns(_joined[index].Fd, _joined[index].Flag);
            if (result < 0)
            {
                return result;
            }
        }

        return (New & Raw.CLONE_NEWCGROUP) != 0 ? Raw.Unshare(Raw.CLONE_NEWCGROUP) : 0;
    }

    /// <summary>In the parent, after the fork.</summary>
    public void Close()
    {
        foreach (var (fd, _, _) in _joined)
        {
            Raw.Close(fd);
        }

        if (PidNamespaceFd >= 0)
        {
            Raw.Close(PidNamespaceFd);
        }
    }

    private static ulong FlagOf(string type) => type switch
    {
        "pid" => Raw.CLONE_NEWPID,
        "network" => Raw.CLONE_NEWNET,
        "mount" => Raw.CLONE_NEWNS,
        "ipc" => Raw.CLONE_NEWIPC,
        "uts" => Raw.CLONE_NEWUTS,
        "cgroup" => Raw.CLONE_NEWCGROUP,
        _ => throw new ArgumentException($"namespaces of type \"{type}\" are not supported"),
    };
}
