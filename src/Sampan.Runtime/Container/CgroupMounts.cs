using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A mount of type <c>cgroup</c> means whatever layout the machine has.</summary>
internal static class CgroupMounts
{
    public const string Point = "/sys/fs/cgroup";

    public static IEnumerable<Mount> Expand(Mount mount)
    {
        if (mount.Type != "cgroup")
        {
            return [mount];
        }

        var layout = CgroupLayout.Current;
        if (layout.IsV2)
        {
            return [mount with { Type = "cgroup2", Source = "cgroup" }];
        }

        // v1: a tmpfs with one mount for each hierarchy; it is made read-only when they are all there.
        List<string> flags = [.. (mount.Options ?? []).Where(o => o is "nosuid" or "nodev" or "noexec")];
        return
        [
            new Mount { Destination = mount.Destination, Type = "tmpfs", Source = "tmpfs", Options = [.. flags, "mode=755"] },
            .. layout.Hierarchies.Select(h => new Mount
            {
                Destination = $"{mount.Destination}/{Path.GetFileName(h.Root)}",
                Type = "cgroup",
                Source = "cgroup",
                Options = [.. mount.Options ?? [], .. h.Controllers],
            }),
        ];
    }
}
