namespace Sampan.Runtime;

/// <summary>Where this machine's cgroup hierarchies are mounted.</summary>
internal sealed class CgroupLayout
{
    private static readonly string[] Controllers = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "misc"];

    private readonly Dictionary<string, string> _roots = [];

    /// <summary>Reads the mount table (proc_pid_mounts(5)); what is mounted elsewhere than below the point is somebody else's.</summary>
    public CgroupLayout(IEnumerable<string> mounts, string point = "/sys/fs/cgroup")
    {
        foreach (var line in mounts)
        {
            var fields = line.Split(' ');
            if (fields.Length < 4 || !fields[1].StartsWith(point, StringComparison.Ordinal))
            {
                continue;
            }

            if (fields[2] == "cgroup2" && fields[1] == point)
            {
                IsV2 = true;
                _roots[""] = fields[1];
            }
            else if (fields[2] == "cgroup")
            {
                foreach (var controller in fields[3].Split(',').Intersect(Controllers))
                {
                    _roots.TryAdd(controller, fields[1]);
                }
            }
        }

        Roots = [.. _roots.Values.Distinct()];
    }

    /// <summary>The layout of this machine, read once.</summary>
    public static CgroupLayout Current { get; } = new(File.ReadLines("/proc/self/mounts"));

    /// <summary>cgroup2 is mounted at /sys/fs/cgroup itself.</summary>
    public bool IsV2 { get; }

    /// <summary>The mount points, each once.</summary>
    public IReadOnlyList<string> Roots { get; }

    /// <summary>The controllers of v1 by mount point.</summary>
    public IEnumerable<(string Root, string[] Controllers)> Hierarchies =>
        _roots.GroupBy(r => r.Value).Select(g => (g.Key, g.Select(r => r.Key).ToArray()));

    /// <summary>The mount point of a controller; null when the machine has none.</summary>
    public string? Root(string controller) => _roots.GetValueOrDefault(IsV2 ? "" : controller);

    /// <summary>Passes every controller on to the children of each group on the way down (cgroups(7), cgroup.subtree_control).</summary>
    public void EnableControllers(string path)
    {
        var current = _roots[""];
        foreach (var part in path.Split('/'))
        {
            var control = Path.Combine(current, "cgroup.subtree_control");
            foreach (var controller in Words(Path.Combine(current, "cgroup.controllers")).Except(Words(control)))
            {
                try
                {
                    File.WriteAllText(control, "+" + controller);
                }
                catch (IOException)
                {
                    // A controller may be refused on its own (cpu, while there are real-time processes). A limit that needs it then says so.
                }
            }

            current = Path.Combine(current, part);
            Directory.CreateDirectory(current);
        }
    }

    private static string[] Words(string file) => File.ReadAllText(file).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
}
