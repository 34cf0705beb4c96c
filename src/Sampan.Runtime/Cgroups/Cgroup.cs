using System.Globalization;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// A container's control group, whichever of the two kernels' layouts the machine has: one directory in cgroup2, or one in each
/// hierarchy of v1 (cgroups(7)). Making and removing are idempotent.
/// </summary>
public sealed class Cgroup
{
    private static readonly TimeSpan RemoveTimeout = TimeSpan.FromSeconds(5);

    private readonly CgroupLayout _layout;
    private readonly string _path;

    private Cgroup(CgroupLayout layout, string path)
    {
        _layout = layout;
        _path = path.Trim('/');
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
    public void Apply(Resources resources)
    {
        foreach (var (controller, file, value) in _layout.IsV2 ? CgroupValues.V2(resources) : CgroupValues.V1(resources))
        {
            Write(controller, file, value);
        }

        if (resources.Devices is { Count: > 0 } devices)
        {
            ApplyDevices(devices);
        }
    }

    /// <summary>The cgroup.procs files, opened for writing: a child that writes "0" to each joins.</summary>
    public List<int> OpenProcs()
    {
        var fds = new List<int>();
        foreach (var directory in Directories)
        {
            var fd = Raw.Openat2(Raw.AT_FDCWD, CString.Of(Path.Combine(directory, "cgroup.procs")), Raw.O_WRONLY | Raw.O_CLOEXEC, 0, 0);
            fds.Add(fd >= 0 ? fd : throw new SyscallException("open", $"'{directory}/cgroup.procs'", -fd));
        }

        return fds;
    }

    /// <summary>The processes in the group, by host pid.</summary>
    public List<int> Pids()
    {
        var file = Path.Combine(DirectoryOf(_layout.IsV2 ? "" : "pids") ?? Directories.First(), "cgroup.procs");
        return File.Exists(file)
            ? [.. File.ReadAllLines(file).Select(l => int.Parse(l, CultureInfo.InvariantCulture))]
            : [];
    }

    /// <summary>Stops or continues every process of the group.</summary>
    public void Freeze(bool frozen)
    {
        if (_layout.IsV2)
        {
            Write("", "cgroup.freeze", frozen ? "1" : "0");
        }
        else
        {
            Write("freezer", "freezer.state", frozen ? "FROZEN" : "THAWED");
        }
    }

    /// <summary>Kills every process of the group and waits, for a bounded time, until none is left.</summary>
    public void KillAll()
    {
        var deadline = Environment.TickCount64 + (long)RemoveTimeout.TotalMilliseconds;
        while (Pids() is { Count: > 0 } pids && Environment.TickCount64 < deadline)
        {
            foreach (var pid in pids)
            {
                Raw.Kill(pid, 9);
            }

            Thread.Sleep(5);
        }
    }

    /// <summary>True when the kernel killed a process of the group for want of memory.</summary>
    public bool OomKilled()
    {
        var file = _layout.IsV2 ? "memory.events" : "memory.oom_control";
        return DirectoryOf("memory") is { } directory && File.Exists(Path.Combine(directory, file))
            && File.ReadLines(Path.Combine(directory, file)).Any(l => l.StartsWith("oom_kill ", StringComparison.Ordinal) && !l.EndsWith(" 0", StringComparison.Ordinal));
    }

    /// <summary>One file of a controller, trimmed; null when there is none.</summary>
    public string? Read(string controller, string file) =>
        DirectoryOf(controller) is { } directory && File.Exists(Path.Combine(directory, file)) ? File.ReadAllText(Path.Combine(directory, file)).Trim() : null;

    /// <summary>Removes the directories; the kernel refuses while a process is left, so this waits for a bounded time.</summary>
    public void Remove()
    {
        var deadline = Environment.TickCount64 + (long)RemoveTimeout.TotalMilliseconds;
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
                catch (IOException) when (Environment.TickCount64 < deadline)
                {
                    Thread.Sleep(2);
                }
            }
        }
    }

    private string? DirectoryOf(string controller) => _layout.Root(controller) is { } root ? Path.Combine(root, _path) : null;

    private void Write(string controller, string file, string value)
    {
        var directory = DirectoryOf(controller)
            ?? throw new InvalidOperationException($"this machine has no cgroup controller \"{controller}\", which {file}={value} needs");
        try
        {
            File.WriteAllText(Path.Combine(directory, file), value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"cgroup: write \"{value}\" to '{Path.Combine(directory, file)}': {e.Message}", e);
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

            Bpf.AttachDeviceProgram(fd, DeviceProgram.Compile(rules));
            Raw.Close(fd);
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
            foreach (var file in (string[])["cpuset.cpus", "cpuset.mems"])
            {
                if (File.ReadAllText(Path.Combine(current, file)).Trim().Length == 0)
                {
                    File.WriteAllText(Path.Combine(current, file), File.ReadAllText(Path.Combine(parent, file)));
                }
            }
        }
    }
}
