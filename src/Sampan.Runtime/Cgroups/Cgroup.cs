using System.Globalization;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A control group cannot do what was asked; the text names file, value and cause.</summary>
public sealed class CgroupException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>
/// A container's control group, whichever of the two kernels' layouts the machine has: one directory in cgroup2, or one in each
/// hierarchy of v1 (cgroups(7)). Making and removing are idempotent.
/// </summary>
public sealed class Cgroup
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly CgroupLayout _layout;
    private readonly string _path;

    internal Cgroup(CgroupLayout layout, string path)
    {
        _layout = layout;
        _path = path.Trim('/');
        if (_path.Length == 0 || _path.Split('/').Any(p => p is "" or "." or ".."))
        {
            throw new ArgumentException($"cgroup: bad path \"{path}\"");
        }
    }

    /// <summary>The group of this path below each hierarchy's root; nothing is made.</summary>
    public static Cgroup Open(string path) => new(CgroupLayout.Current, path);

    /// <summary>True on a machine whose only hierarchy is cgroup2.</summary>
    public static bool IsV2 => CgroupLayout.Current.IsV2;

    /// <summary>The group's directories, one per hierarchy.</summary>
    public IEnumerable<string> Directories => _layout.Roots.Select(r => Path.Combine(r, _path));

    /// <summary>Makes the directories and sets the limits.</summary>
    public void Create(Resources? resources)
    {
        if (_layout.IsV2)
        {
            _layout.EnableControllers(_path);
        }

        foreach (var directory in Directories)
        {
            Directory.CreateDirectory(directory);
            InitializeCpuset(directory);
        }

        if (resources is not null)
        {
            Apply(resources);
        }
    }

    /// <summary>Sets limits, also of a running container.</summary>
    /// <exception cref="CgroupException">A limit cannot be set, or nothing here can set it.</exception>
    public void Apply(Resources resources)
    {
        var values = (_layout.IsV2 ? CgroupValues.V2(resources) : CgroupValues.V1(resources)).ToList();

        // v1: memory alone may never be more than memory and swap together, so a limit that grows goes second.
        var limit = values.FindIndex(v => v.File == "memory.limit_in_bytes");
        var both = values.FindIndex(v => v.File == "memory.memsw.limit_in_bytes");
        if (limit >= 0 && both == limit + 1 && long.TryParse(Read("memory", "memory.limit_in_bytes"), out var now)
            && (values[limit].Value == "-1" || long.Parse(values[limit].Value, CultureInfo.InvariantCulture) > now))
        {
            (values[limit], values[both]) = (values[both], values[limit]);
        }

        foreach (var (controller, file, value) in values)
        {
            Write(controller, file, value);
        }

        if (resources.Devices is { Count: > 0 } devices)
        {
            ApplyDevices(devices);
        }
    }

    /// <summary>
    /// The files to join by, opened for writing: a child of one thread that writes "0" to each joins. A write to v1's cgroup.procs waits
    /// for all processors to pass the kernel's lock of thread groups (8 to 16 ms measured); one to tasks, which moves only the writing
    /// thread, does not.
    /// </summary>
    public int[] OpenProcs()
    {
        var file = _layout.IsV2 ? "cgroup.procs" : "tasks";
        var fds = new List<int>();
        foreach (var directory in Directories)
        {
            var fd = Raw.Openat2(Raw.AT_FDCWD, CString.Of(Path.Combine(directory, file)), Raw.O_WRONLY | Raw.O_CLOEXEC, 0, 0);
            if (fd < 0)
            {
                fds.ForEach(f => Raw.Close(f));
                throw new SyscallException("open", $"'{directory}/{file}'", -fd);
            }

            fds.Add(fd);
        }

        return [.. fds];
    }

    /// <summary>The processes in the group and in those that the container made below it, by host pid.</summary>
    public List<int> Pids()
    {
        var top = DirectoryOf("pids") ?? Directories.First();
        var pids = new List<int>();
        foreach (var directory in Directory.Exists(top) ? Directory.EnumerateDirectories(top, "*", SearchOption.AllDirectories).Prepend(top) : [])
        {
            try
            {
                pids.AddRange(File.ReadAllLines(Path.Combine(directory, "cgroup.procs")).Select(l => int.Parse(l, CultureInfo.InvariantCulture)));
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException || (e is IOException && !Directory.Exists(directory)))
            {
                // Removed while we looked: nobody is in it.
            }
        }

        return pids;
    }

    /// <summary>Stops or continues every process of the group; returns when all have. A group that is gone counts as continued.</summary>
    /// <exception cref="CgroupException">They did not stop in five seconds (one waits in the kernel); then they run on.</exception>
    public void Freeze(bool frozen)
    {
        var (controller, file, value, state) = _layout.IsV2
            ? ("", "cgroup.freeze", frozen ? "1" : "0", frozen ? "frozen 1" : "frozen 0")
            : ("freezer", "freezer.state", frozen ? "FROZEN" : "THAWED", frozen ? "FROZEN" : "THAWED");
        if (frozen)
        {
            Write(controller, file, value);
        }
        else if (!WriteIfThere(controller, file, value))
        {
            return;
        }

        var deadline = Environment.TickCount64 + (long)Timeout.TotalMilliseconds;
        while (Read(controller, _layout.IsV2 ? "cgroup.events" : file) is { } now && !now.Split('\n').Contains(state))
        {
            if (Environment.TickCount64 > deadline)
            {
                Write(controller, file, _layout.IsV2 ? "0" : "THAWED");
                throw new CgroupException($"cgroup: the processes of '{_path}' did not stop within {Timeout.TotalSeconds:0} s");
            }

            Thread.Sleep(1);
            if (!_layout.IsV2 && frozen)
            {
                Write(controller, file, value); // v1 misses a process that was forked meanwhile; asking again catches it
            }
        }
    }

    /// <summary>True while the group is stopped.</summary>
    public bool IsFrozen => _layout.IsV2 ? Read("", "cgroup.freeze") == "1" : Read("freezer", "freezer.state") is "FROZEN" or "FREEZING";

    /// <summary>Kills every process of the group and waits, for a bounded time, until none is left.</summary>
    public void KillAll()
    {
        var deadline = Environment.TickCount64 + (long)Timeout.TotalMilliseconds;
        while (Pids() is { Count: > 0 } pids && Environment.TickCount64 < deadline)
        {
            if (_layout.IsV2 && File.Exists(Path.Combine(DirectoryOf("")!, "cgroup.kill")))
            {
                WriteIfThere("", "cgroup.kill", "1");
            }
            else
            {
                pids.ForEach(p => Raw.Kill(p, 9));
            }

            if (IsFrozen)
            {
                WriteIfThere(_layout.IsV2 ? "" : "freezer", _layout.IsV2 ? "cgroup.freeze" : "freezer.state", _layout.IsV2 ? "0" : "THAWED");
            }

            Thread.Sleep(1);
        }
    }

    /// <summary>What the group has used.</summary>
    public CgroupStats Stats()
    {
        var reader = new CgroupStatsReader(Read);
        return _layout.IsV2 ? reader.V2() : reader.V1();
    }

    /// <summary>How many processes of the group the kernel has killed for want of memory.</summary>
    public long OomKills() => (Read("memory", _layout.IsV2 ? "memory.events" : "memory.oom_control") ?? "").Split('\n')
        .Where(l => l.StartsWith("oom_kill ", StringComparison.Ordinal)).Select(l => long.Parse(l.AsSpan(9), CultureInfo.InvariantCulture)).FirstOrDefault();

    /// <summary>True when the kernel killed a process of the group for want of memory.</summary>
    public bool OomKilled() => OomKills() > 0;

    /// <summary>One file of a controller, trimmed; null when there is none.</summary>
    public string? Read(string controller, string file)
    {
        try
        {
            return DirectoryOf(controller) is { } directory ? File.ReadAllText(Path.Combine(directory, file)).Trim() : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Removes the directories; the kernel refuses while a process is left, so this waits for a bounded time.</summary>
    /// <exception cref="CgroupException">A group stays busy.</exception>
    public void Remove()
    {
        var deadline = Environment.TickCount64 + (long)Timeout.TotalMilliseconds;
        foreach (var directory in Directories)
        {
            while (Directory.Exists(directory))
            {
                try
                {
                    // A container may have made groups of its own below.
                    foreach (var child in Directory.EnumerateDirectories(directory, "*", SearchOption.AllDirectories).OrderByDescending(d => d.Length))
                    {
                        Directory.Delete(child);
                    }

                    Directory.Delete(directory);
                }
                catch (IOException e)
                {
                    if (Environment.TickCount64 > deadline && Directory.Exists(directory))
                    {
                        throw new CgroupException($"cgroup: remove '{directory}': {e.Message}", e);
                    }

                    Thread.Sleep(1);
                }
            }
        }
    }

    private string? DirectoryOf(string controller) => _layout.Root(controller) is { } root ? Path.Combine(root, _path) : null;

    private void Write(string controller, string file, string value)
    {
        var directory = DirectoryOf(controller);
        if (directory is null || !File.Exists(Path.Combine(directory, file)))
        {
            throw new CgroupException($"cgroup: {file} = \"{value}\": this machine has no {(directory is null ? $"controller \"{controller}\"" : $"'{file}' in '{directory}'")}");
        }

        try
        {
            File.WriteAllText(Path.Combine(directory, file), value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CgroupException($"cgroup: write \"{value}\" to '{Path.Combine(directory, file)}': {e.Message}", e);
        }
    }

    /// <summary>The same; false when the group has gone with its processes, which may be at any moment.</summary>
    private bool WriteIfThere(string controller, string file, string value)
    {
        try
        {
            Write(controller, file, value);
            return true;
        }
        catch (CgroupException) when (!Directory.Exists(DirectoryOf(controller)))
        {
            return false;
        }
    }

    private void ApplyDevices(List<DeviceRule> rules)
    {
        if (_layout.IsV2)
        {
            var fd = Raw.Openat2(Raw.AT_FDCWD, CString.Of(DirectoryOf("")!), Raw.O_RDONLY | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, 0);
            if (fd < 0)
            {
                throw new SyscallException("open", $"'{DirectoryOf("")}'", -fd);
            }

            try
            {
                Bpf.SetDeviceProgram(fd, DeviceProgram.Compile(rules));
            }
            finally
            {
                Raw.Close(fd);
            }

            return;
        }

        foreach (var rule in rules)
        {
            static string Number(long? n) => n is >= 0 ? n.Value.ToString(CultureInfo.InvariantCulture) : "*";
            var all = rule.Type is null or "" or "a";
            Write("devices", rule.Allow ? "devices.allow" : "devices.deny",
                all ? "a" : $"{rule.Type} {Number(rule.Major)}:{Number(rule.Minor)} {rule.Access ?? "rwm"}");
        }
    }

    /// <summary>v1 refuses processes in a cpuset group without CPUs: each new group takes its parent's.</summary>
    private void InitializeCpuset(string directory)
    {
        if (_layout.IsV2 || _layout.Root("cpuset") is not { } root || !directory.StartsWith(root + "/", StringComparison.Ordinal))
        {
            return;
        }

        var current = root;
        foreach (var part in directory[(root.Length + 1)..].Split('/'))
        {
            var parent = current;
            current = Path.Combine(current, part);
            var isNew = false;
            foreach (var file in (string[])["cpuset.cpus", "cpuset.mems"])
            {
                if (File.ReadAllText(Path.Combine(current, file)).Trim().Length == 0)
                {
                    isNew = true;
                    File.WriteAllText(Path.Combine(current, file), File.ReadAllText(Path.Combine(parent, file)));
                }
            }

            // Groups in a group of ours have them from the kernel then, which compares what is written with every group beside.
            if (isNew && current.Length < directory.Length)
            {
                File.WriteAllText(Path.Combine(current, "cgroup.clone_children"), "1");
            }
        }
    }
}
