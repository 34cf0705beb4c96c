using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A mount of type <c>cgroup</c> means whatever layout the machine has.</summary>
internal static class CgroupMounts
{
    /// <param name="mount">Any mount of the spec.</param>
    /// <param name="layout">The machine's hierarchies.</param>
    /// <param name="cgroup">The container's group, when it has no cgroup namespace that hides the others; else null.</param>
    public static IEnumerable<Mount> Expand(Mount mount, CgroupLayout layout, string? cgroup)
    {
        if (mount.Type != "cgroup")
        {
            return [mount];
        }

        if (layout.IsV2)
        {
            return [mount with { Type = "cgroup2", Source = "cgroup" }];
        }

        // v1: a tmpfs with one mount for each hierarchy; it is made read-only when they are all there (IsTmpfsOf).
        List<string> options = mount.Options ?? [];
        List<string> flags = [.. options.Where(o => o is "nosuid" or "nodev" or "noexec")];
        return
        [
            new Mount { Destination = mount.Destination, Type = "tmpfs", Source = "tmpfs", Options = [.. flags, "mode=755"] },
            .. layout.Hierarchies.Select(h => cgroup is null
                ? new Mount { Destination = Point(mount, h.Root), Type = "cgroup", Source = "cgroup", Options = [.. options, .. h.Controllers] }
                : new Mount { Destination = Point(mount, h.Root), Type = "bind", Source = $"{h.Root}/{cgroup.Trim('/')}", Options = [.. options, "bind"] }),
        ];
    }

    /// <summary>Names by which programs look for one of several controllers that share a hierarchy: link target and path.</summary>
    public static IEnumerable<(string Target, string Path)> Links(Mount mount, CgroupLayout layout) =>
        mount.Type != "cgroup" || layout.IsV2
            ? []
            : layout.Hierarchies.Where(h => h.Controllers.Length > 1)
                .SelectMany(h => h.Controllers.Select(c => (Path.GetFileName(h.Root), $"{mount.Destination}/{c}"))).Where(l => !l.Item2.EndsWith("/" + l.Item1, StringComparison.Ordinal));

    private static string Point(Mount mount, string root) => $"{mount.Destination}/{Path.GetFileName(root)}";
}
