using Sampan.Api;
using Sampan.Linux;
using Sampan.Oci;
using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>Devices of the host in a container: all of them when it is privileged, else those of <c>--device</c>.</summary>
internal static class HostDevices
{
    /// <summary>What a container's own /dev has instead of the host's.</summary>
    private static readonly string[] Own = ["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/console", "/dev/.udev", "/dev/fd", "/dev/ptmx"];

    public static IEnumerable<Device> Of(HostConfig host)
    {
        var defaults = DockerDefaults.Devices.Select(d => d.Path).ToHashSet();
        return host.Privileged
            ? All("/dev").Where(d => !defaults.Contains(d.Path))
            : (host.Devices ?? []).SelectMany(Mapped).Where(d => !defaults.Contains(d.Path));
    }

    /// <summary>The access that <c>--device</c> gives.</summary>
    public static IEnumerable<DeviceRule> RulesOf(HostConfig host) => (host.Devices ?? [])
        .SelectMany(m => Mapped(m).Select(d => new DeviceRule(true, d.Type, d.Major, d.Minor, m.CgroupPermissions.Length > 0 ? m.CgroupPermissions : "rwm")));

    private static IEnumerable<Device> Mapped(DeviceMapping mapping)
    {
        var inside = mapping.PathInContainer.Length > 0 ? mapping.PathInContainer : mapping.PathOnHost;
        if (Node(mapping.PathOnHost, inside) is { } device)
        {
            return [device];
        }

        return Directory.Exists(mapping.PathOnHost)
            ? All(mapping.PathOnHost).Select(d => d with { Path = inside.TrimEnd('/') + d.Path[mapping.PathOnHost.TrimEnd('/').Length..] })
            : throw EngineException.Invalid($"error gathering device information while adding custom device \"{mapping.PathOnHost}\": no such file or directory");
    }

    private static IEnumerable<Device> All(string directory) => Directory.EnumerateFileSystemEntries(directory).Where(p => !Own.Contains(p)).SelectMany(p =>
        new FileInfo(p).LinkTarget is not null ? [] : Directory.Exists(p) ? All(p) : Node(p, p) is { } device ? [device] : (IEnumerable<Device>)[]);

    private static Device? Node(string path, string inside) => Files.Device(path) is var (type, major, minor, mode, uid, gid)
        ? new Device { Path = inside, Type = type.ToString(), Major = major, Minor = minor, FileMode = mode, Uid = uid, Gid = gid }
        : null;
}
