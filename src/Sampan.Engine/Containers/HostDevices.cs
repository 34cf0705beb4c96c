using System.Globalization;
using System.Text.RegularExpressions;
using Sampan.Api;
using Sampan.Linux;
using Sampan.Oci;
using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>Devices of the host in a container: all of them when it is privileged, else those of <c>--device</c>.</summary>
internal static partial class HostDevices
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

    /// <summary>The access that <c>--device</c> and <c>--device-cgroup-rule</c> give.</summary>
    public static IEnumerable<DeviceRule> RulesOf(HostConfig host) => (host.Devices ?? [])
        .SelectMany(m => Mapped(m).Select(d => new DeviceRule(true, d.Type, d.Major, d.Minor, m.CgroupPermissions.Length > 0 ? m.CgroupPermissions : "rwm")))
        .Concat((host.DeviceCgroupRules ?? []).Select(RuleOf));

    /// <summary><c>c 189:* rmw</c>; a star is any number.</summary>
    /// <exception cref="EngineException">It is written otherwise (InvalidParameter).</exception>
    public static DeviceRule RuleOf(string text)
    {
        var match = Rule().Match(text);
        return match.Success ? new DeviceRule(true, match.Groups[1].Value, Number(match.Groups[2].Value), Number(match.Groups[3].Value), match.Groups[4].Value)
            : throw EngineException.Invalid($"invalid device cgroup rule format: '{text}'");

        long? Number(string digits) => digits == "*" ? null : long.TryParse(digits, CultureInfo.InvariantCulture, out var number) ? number
            : throw EngineException.Invalid($"invalid device cgroup rule format: '{text}'");
    }

    /// <summary>The weights and limits of <c>--blkio-weight</c>, <c>--device-read-bps</c> and the like.</summary>
    /// <exception cref="EngineException">A device is not there, or is none (InvalidParameter).</exception>
    public static BlockIo LimitsOf(HostConfig host) => new()
    {
        Weight = host.BlkioWeight > 0 ? (ushort)host.BlkioWeight : null,
        WeightDevice = [.. (host.BlkioWeightDevice ?? []).Select(limit =>
        {
            var (major, minor) = BlockDevice(limit.Path);
            return new BlockIoWeight(major, minor, (ushort)limit.Weight);
        })],
        ThrottleReadBpsDevice = Throttles(host.BlkioDeviceReadBps),
        ThrottleWriteBpsDevice = Throttles(host.BlkioDeviceWriteBps),
        ThrottleReadIopsDevice = Throttles(host.BlkioDeviceReadIOps),
        ThrottleWriteIopsDevice = Throttles(host.BlkioDeviceWriteIOps),
    };

    private static List<BlockIoThrottle> Throttles(List<ThrottleDevice>? limits) => [.. (limits ?? []).Select(limit =>
    {
        var (major, minor) = BlockDevice(limit.Path);
        return new BlockIoThrottle(major, minor, (ulong)Math.Max(0, limit.Rate));
    })];

    private static (long Major, long Minor) BlockDevice(string path) => Files.Device(path) is ('b', var major, var minor, _, _, _) ? (major, minor)
        : throw EngineException.Invalid(Path.Exists(path) ? $"'{path}' is not a block device" : $"no such file or directory: '{path}' (a block device to limit)");

    [GeneratedRegex("^([acb]) ([0-9]+|\\*):([0-9]+|\\*) ([rwm]{1,3})$")]
    private static partial Regex Rule();

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
